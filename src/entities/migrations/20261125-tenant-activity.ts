import { Migration } from '@mikro-orm/migrations';

export class Migration20261125_tenant_activity extends Migration {
  override name = 'Migration20261125_tenant_activity';

  override up(): void | Promise<void> {
    this.addSql(
      `create table "tenant_activity" ("tenant_id" text not null, "hour" timestamptz not null, "kind" text not null, "count" bigint not null, primary key ("tenant_id", "hour", "kind"));`,
    );
    this.addSql(`create index "tenant_activity_hour_index" on "tenant_activity" ("hour");`);
  }

  override down(): void | Promise<void> {
    this.addSql(`drop table if exists "tenant_activity" cascade;`);
  }
}
