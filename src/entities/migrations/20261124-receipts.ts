import { Migration } from '@mikro-orm/migrations';

export class Migration20261124_receipts extends Migration {
  override name = 'Migration20261124_receipts';

  override up(): void | Promise<void> {
    this.addSql(`alter table "notification" add column "tenant_id" text null;`);
    this.addSql(`update "notification" n set "tenant_id" = i."tenant_id" from "inbox" i where i."id" = n."inbox_id";`);
    this.addSql(`create index "notification_sent_index" on "notification" ("tenant_id", "sender_id", "id");`);

    this.addSql(
      `create table "receipt" ("id" bigserial primary key, "tenant_id" text not null, "sender_id" text not null, "notification_id" uuid not null, "recipient_id" text not null, "is_read" boolean not null, "changed_at" timestamptz not null, "version" bigint null);`,
    );
    this.addSql(
      `create unique index "receipt_log_index" on "receipt" ("tenant_id", "sender_id", "version") where "version" is not null;`,
    );
    this.addSql(
      `create index "receipt_unnumbered_index" on "receipt" ("tenant_id", "sender_id", "id") where "version" is null;`,
    );

    this.addSql(
      `create table "sender_log" ("tenant_id" text not null, "user_id" text not null, "epoch" text not null, "version" bigint not null default '0', "horizon" bigint not null default '0', primary key ("tenant_id", "user_id"));`,
    );
  }

  override down(): void | Promise<void> {
    this.addSql(`drop table if exists "receipt" cascade;`);
    this.addSql(`drop table if exists "sender_log" cascade;`);
    this.addSql(`drop index "notification_sent_index";`);
    this.addSql(`alter table "notification" drop column "tenant_id";`);
  }
}
