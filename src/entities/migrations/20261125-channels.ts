import { Migration } from '@mikro-orm/migrations';

export class Migration20261125_channels extends Migration {
  override name = 'Migration20261125_channels';

  override up(): void | Promise<void> {
    this.addSql(`alter table "notification" drop constraint "notification_channel_check";`);
    this.addSql(`alter table "scheduled_send" drop constraint "scheduled_send_channel_check";`);
    this.addSql(`alter table "notification" drop constraint "notification_type_check";`);
    this.addSql(`alter table "scheduled_send" drop constraint "scheduled_send_type_check";`);
    this.addSql(`alter table "scheduled_send" add column "targets" json null;`);

    this.addSql(
      `create table "contact" ("id" uuid not null, "tenant_id" text not null, "user_id" text null, "channel" text not null, "address" text not null, "secret" text null, "previous_secret" text null, "previous_until" timestamptz null, "created_at" timestamptz not null, primary key ("id"));`,
    );
    this.addSql(
      `create unique index "contact_address_index" on "contact" ("tenant_id", "user_id", "channel", md5("address")) nulls not distinct;`,
    );

    this.addSql(
      `create table "delivery" ("id" uuid not null, "tenant_id" text not null, "notification_id" uuid not null, "channel" text not null, "address" text not null, "contact_id" uuid null, "status" text not null, "attempts" int not null, "last_error" text null, "reference" text null, "content" json null, "created_at" timestamptz not null, "attempted_at" timestamptz null, "due_at" timestamptz null, "changed_at" timestamptz not null, primary key ("id"));`,
    );
    this.addSql(`create index "delivery_notification_id_index" on "delivery" ("notification_id");`);
    this.addSql(`create index "delivery_due_index" on "delivery" ("due_at") where "due_at" is not null;`);
    this.addSql(`create index "delivery_created_at_index" on "delivery" ("created_at");`);
    this.addSql(
      `alter table "delivery" add constraint "delivery_status_check" check ("status" in ('PENDING', 'SENT', 'DELIVERED', 'FAILED', 'CANCELLED'));`,
    );
  }

  override down(): void | Promise<void> {
    this.addSql(`drop table if exists "delivery" cascade;`);
    this.addSql(`drop table if exists "contact" cascade;`);
    this.addSql(`alter table "scheduled_send" drop column "targets";`);
    for (const table of ['scheduled_send', 'notification']) {
      this.addSql(
        `alter table "${table}" add constraint "${table}_type_check" check ("type" in ('SYSTEM', 'APPROVAL', 'TASK', 'MESSAGE', 'ALERT'));`,
      );
    }
    this.addSql(
      `alter table "scheduled_send" add constraint "scheduled_send_channel_check" check ("channel" in ('IN_APP', 'EMAIL', 'SMS', 'WEBHOOK'));`,
    );
    this.addSql(
      `alter table "notification" add constraint "notification_channel_check" check ("channel" in ('IN_APP', 'EMAIL', 'SMS', 'WEBHOOK'));`,
    );
  }
}
