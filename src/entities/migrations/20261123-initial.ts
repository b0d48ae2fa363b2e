import { Migration } from '@mikro-orm/migrations';

export class Migration20261123_initial extends Migration {
  override name = 'Migration20261123_initial';

  override up(): void | Promise<void> {
    this.addSql(
      `create table "idempotency_key" ("tenant_id" text not null, "sender_id" text not null, "key" text not null, "fingerprint" text not null, "notification_id" uuid not null, "created_at" timestamptz not null, primary key ("tenant_id", "sender_id", "key"));`,
    );
    this.addSql(`create index "idempotency_key_created_at_index" on "idempotency_key" ("created_at");`);

    this.addSql(
      `create table "inbox" ("id" bigserial primary key, "tenant_id" text not null, "user_id" text not null, "epoch" text not null, "version" bigint not null, "total" int not null, "unread" int not null, "horizon" bigint not null default '0');`,
    );
    this.addSql(`alter table "inbox" add constraint "inbox_tenant_id_user_id_unique" unique ("tenant_id", "user_id");`);

    this.addSql(
      `create table "notification" ("id" uuid not null, "inbox_id" bigint not null, "seq" bigint not null, "version" bigint not null, "sender_id" text null, "type" text not null, "priority" text not null, "channel" text not null, "status" text not null, "title" text not null, "content" text not null, "link" text null, "data" json null, "related_type" text null, "related_id" text null, "read_at" timestamptz null, "created_at" timestamptz not null, primary key ("id"));`,
    );
    this.addSql(`create index "notification_inbox_id_version_index" on "notification" ("inbox_id", "version");`);
    this.addSql(
      `create index "notification_unread_index" on "notification" ("inbox_id", "seq") where "read_at" is null;`,
    );
    this.addSql(
      `alter table "notification" add constraint "notification_inbox_id_seq_unique" unique ("inbox_id", "seq");`,
    );

    this.addSql(
      `create table "refresh_token" ("hash" text not null, "family_id" uuid not null, "tenant_id" text not null, "user_id" text not null, "expires_at" timestamptz not null, "used_at" timestamptz null, primary key ("hash"));`,
    );
    this.addSql(`create index "refresh_token_family_id_index" on "refresh_token" ("family_id");`);
    this.addSql(`create index "refresh_token_tenant_id_user_id_index" on "refresh_token" ("tenant_id", "user_id");`);
    this.addSql(`create index "refresh_token_expires_at_index" on "refresh_token" ("expires_at");`);

    this.addSql(
      `create table "revocation" ("id" uuid not null, "tenant_id" text not null, "user_id" text not null, "session_id" text null, "created_at" timestamptz not null default now(), "expires_at" timestamptz not null, primary key ("id"));`,
    );
    this.addSql(`create index "revocation_created_at_index" on "revocation" ("created_at");`);
    this.addSql(`create index "revocation_expires_at_index" on "revocation" ("expires_at");`);

    this.addSql(
      `create table "tombstone" ("inbox_id" bigint not null, "notification_id" uuid not null, "version" bigint not null, "seq" bigint not null, "deleted_at" timestamptz not null, primary key ("inbox_id", "notification_id"));`,
    );
    this.addSql(`create index "tombstone_inbox_id_version_index" on "tombstone" ("inbox_id", "version");`);
    this.addSql(`create index "tombstone_deleted_at_index" on "tombstone" ("deleted_at");`);

    this.addSql(
      `create table "app_user" ("tenant_id" text not null, "id" text not null, "username" text not null, "password_hash" text not null, "roles" text[] not null, "created_at" timestamptz not null, primary key ("tenant_id", "id"));`,
    );
    this.addSql(`create index "app_user_username_index" on "app_user" ("username");`);
    this.addSql(
      `alter table "app_user" add constraint "app_user_tenant_id_username_unique" unique ("tenant_id", "username");`,
    );

    this.addSql(`alter table "inbox" add constraint "inbox_counters_check" check (unread >= 0 and unread <= total);`);

    this.addSql(
      `alter table "notification" add constraint "notification_inbox_id_foreign" foreign key ("inbox_id") references "inbox" ("id") on delete cascade;`,
    );
    this.addSql(
      `alter table "notification" add constraint "notification_type_check" check ("type" in ('SYSTEM', 'APPROVAL', 'TASK', 'MESSAGE', 'ALERT'));`,
    );
    this.addSql(
      `alter table "notification" add constraint "notification_priority_check" check ("priority" in ('LOW', 'NORMAL', 'HIGH', 'URGENT'));`,
    );
    this.addSql(
      `alter table "notification" add constraint "notification_channel_check" check ("channel" in ('IN_APP', 'EMAIL', 'SMS', 'WEBHOOK'));`,
    );
    this.addSql(
      `alter table "notification" add constraint "notification_status_check" check ("status" in ('PENDING', 'SENT', 'DELIVERED', 'READ', 'FAILED', 'RECALLED'));`,
    );

    this.addSql(
      `alter table "tombstone" add constraint "tombstone_inbox_id_foreign" foreign key ("inbox_id") references "inbox" ("id") on delete cascade;`,
    );
  }

  override down(): void | Promise<void> {
    this.addSql(`alter table "notification" drop constraint "notification_inbox_id_foreign";`);
    this.addSql(`alter table "tombstone" drop constraint "tombstone_inbox_id_foreign";`);

    this.addSql(`drop table if exists "idempotency_key" cascade;`);
    this.addSql(`drop table if exists "inbox" cascade;`);
    this.addSql(`drop table if exists "notification" cascade;`);
    this.addSql(`drop table if exists "refresh_token" cascade;`);
    this.addSql(`drop table if exists "revocation" cascade;`);
    this.addSql(`drop table if exists "tombstone" cascade;`);
    this.addSql(`drop table if exists "app_user" cascade;`);
  }
}
