import { Migration } from '@mikro-orm/migrations';

export class Migration20261124_recall extends Migration {
  override name = 'Migration20261124_recall';

  override up(): void | Promise<void> {
    this.addSql(`alter table "notification" add column "expires_at" timestamptz null;`);
    this.addSql(
      `create index "notification_expires_index" on "notification" ("expires_at") where "expires_at" is not null and "status" <> 'RECALLED';`,
    );
    this.addSql(`drop index "notification_unread_index";`);
    this.addSql(
      `create index "notification_unread_index" on "notification" ("inbox_id", "seq") where "read_at" is null and "status" <> 'RECALLED';`,
    );

    this.addSql(
      `create table "scheduled_send" ("id" uuid not null, "tenant_id" text not null, "sender_id" text not null, "recipient_id" text not null, "type" text not null, "priority" text not null, "channel" text not null, "title" text not null, "content" text not null, "link" text null, "data" json null, "related_type" text null, "related_id" text null, "send_at" timestamptz not null, "expires_at" timestamptz null, "created_at" timestamptz not null, primary key ("id"));`,
    );
    this.addSql(`create index "scheduled_send_send_at_index" on "scheduled_send" ("send_at");`);
    this.addSql(
      `create index "scheduled_send_tenant_id_sender_id_send_at_index" on "scheduled_send" ("tenant_id", "sender_id", "send_at");`,
    );
    this.addSql(
      `alter table "scheduled_send" add constraint "scheduled_send_type_check" check ("type" in ('SYSTEM', 'APPROVAL', 'TASK', 'MESSAGE', 'ALERT'));`,
    );
    this.addSql(
      `alter table "scheduled_send" add constraint "scheduled_send_priority_check" check ("priority" in ('LOW', 'NORMAL', 'HIGH', 'URGENT'));`,
    );
    this.addSql(
      `alter table "scheduled_send" add constraint "scheduled_send_channel_check" check ("channel" in ('IN_APP', 'EMAIL', 'SMS', 'WEBHOOK'));`,
    );
  }

  override down(): void | Promise<void> {
    this.addSql(`drop table if exists "scheduled_send" cascade;`);
    this.addSql(`drop index "notification_unread_index";`);
    this.addSql(
      `create index "notification_unread_index" on "notification" ("inbox_id", "seq") where "read_at" is null;`,
    );
    this.addSql(`drop index "notification_expires_index";`);
    this.addSql(`alter table "notification" drop column "expires_at";`);
  }
}
