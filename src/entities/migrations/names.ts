/** Where a database remembers the names of the migrations that it has. */
export const MIGRATION_TABLE = 'carillon_migration';

/** In the order in which they run. The names are what a database remembers: they never change. */
export const migrationNames = [
  'Migration20261123_initial',
  'Migration20261124_changed_index',
  'Migration20261124_presence',
  'Migration20261124_recall',
  'Migration20261124_receipts',
  'Migration20261125_channels',
  'Migration20261125_tenant_activity',
  'Migration20261125_tombstone_tenant',
  'Migration20261125_row_level_security',
] as const;

/** The last migration of each version that was released, oldest first. What came with a release never changes again. */
export const releasedWith: Readonly<Record<string, (typeof migrationNames)[number]>> = {
  '0.1.0': 'Migration20261123_initial',
};
