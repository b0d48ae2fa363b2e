import { Migration } from '@mikro-orm/migrations';

export class Migration20261125_tombstone_tenant extends Migration {
  override name = 'Migration20261125_tombstone_tenant';

  override up(): void | Promise<void> {
    this.addSql(`alter table "tombstone" add column "tenant_id" text null;`);
  }

  override down(): void | Promise<void> {
    this.addSql(`alter table "tombstone" drop column "tenant_id";`);
  }
}
