import type { Migration } from '@mikro-orm/migrations';
import { Migration20261123_initial } from './20261123-initial.ts';
import { Migration20261124_changed_index } from './20261124-changed-index.ts';
import { Migration20261124_presence } from './20261124-presence.ts';
import { Migration20261124_recall } from './20261124-recall.ts';
import { Migration20261124_receipts } from './20261124-receipts.ts';
import { Migration20261125_channels } from './20261125-channels.ts';
import { Migration20261125_tenant_activity } from './20261125-tenant-activity.ts';
import { Migration20261125_row_level_security } from './20261125-row-level-security.ts';
import { Migration20261125_tombstone_tenant } from './20261125-tombstone-tenant.ts';
import { migrationNames } from './names.ts';

type MigrationClass = new (...given: ConstructorParameters<typeof Migration>) => Migration;

const classes: Readonly<Record<(typeof migrationNames)[number], MigrationClass>> = {
  Migration20261123_initial,
  Migration20261124_changed_index,
  Migration20261124_presence,
  Migration20261124_recall,
  Migration20261124_receipts,
  Migration20261125_channels,
  Migration20261125_tenant_activity,
  Migration20261125_tombstone_tenant,
  Migration20261125_row_level_security,
};

/** In the order in which they run. */
export const migrations = migrationNames.map((name) => ({ name, class: classes[name] }));
