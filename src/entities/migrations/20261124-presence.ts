import { Migration } from '@mikro-orm/migrations';

export class Migration20261124_presence extends Migration {
  override name = 'Migration20261124_presence';

  override up(): void | Promise<void> {
    this.addSql(`create table "instance" ("id" uuid not null, "alive_at" timestamptz not null, primary key ("id"));`);
    this.addSql(
      `create table "presence" ("tenant_id" text not null, "user_id" text not null, "instance_id" uuid not null, "connections" int not null, "updated_at" timestamptz not null, primary key ("tenant_id", "user_id", "instance_id"));`,
    );
    this.addSql(`create index "presence_instance_id_index" on "presence" ("instance_id");`);
    this.addSql(
      `create table "last_seen" ("tenant_id" text not null, "user_id" text not null, "at" timestamptz not null, primary key ("tenant_id", "user_id"));`,
    );
    this.addSql(
      `alter table "presence" add constraint "presence_instance_id_foreign" foreign key ("instance_id") references "instance" ("id") on delete cascade;`,
    );
  }

  override down(): void | Promise<void> {
    this.addSql(`drop table if exists "presence" cascade;`);
    this.addSql(`drop table if exists "last_seen" cascade;`);
    this.addSql(`drop table if exists "instance" cascade;`);
  }
}
