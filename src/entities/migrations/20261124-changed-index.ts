import { Migration } from '@mikro-orm/migrations';

export class Migration20261124_changed_index extends Migration {
  override name = 'Migration20261124_changed_index';

  override up(): void | Promise<void> {
    this.addSql(
      `create index "notification_changed_index" on "notification" ("inbox_id", "version") where "version" > "seq";`,
    );
    this.addSql(`drop index "notification_inbox_id_version_index";`);
  }

  override down(): void | Promise<void> {
    this.addSql(`create index "notification_inbox_id_version_index" on "notification" ("inbox_id", "version");`);
    this.addSql(`drop index "notification_changed_index";`);
  }
}
