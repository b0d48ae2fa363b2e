import { Client } from 'pg';
import { MIGRATION_TABLE, migrationNames } from '../entities/migrations/names.ts';

/** Any fixed number serves; it names the lock that migrating instances queue on. */
const MIGRATION_LOCK = 7_245_001;

/** Long enough for an index on a large table; serving statements keep their own, short time-out. */
const MIGRATION_TIMEOUT_MS = 3_600_000;

/**
 * Brings a database to the newest schema. Any number of instances may start at once: one migrates under an advisory
 * lock, the others wait for it and find nothing left to do.
 */
export async function migrate(url: string): Promise<void> {
  // The lock belongs to a session, so it has a connection of its own: the ORM's pool may hand out any.
  const lock = new Client({ connectionString: url, application_name: 'carillon-migration' });
  await lock.connect();
  try {
    await lock.query('select pg_advisory_lock($1)', [MIGRATION_LOCK]);
    if (!(await isMigrated(lock))) await runMigrations(url);
    await makeQueue(lock, url);
  } finally {
    await lock.end();
  }
}

/** Whether the database has every migration that this version knows; it may have more, of a newer version. */
async function isMigrated(client: Client): Promise<boolean> {
  if (!(await exists(client, MIGRATION_TABLE))) return false;
  const { rowCount } = await client.query(`select from ${MIGRATION_TABLE} where name = any($1)`, [migrationNames]);
  return rowCount === migrationNames.length;
}

async function exists(client: Client, table: string): Promise<boolean> {
  const { rows } = await client.query<{ exists: boolean }>('select to_regclass($1) is not null as exists', [table]);
  return rows[0]?.exists === true;
}

async function runMigrations(url: string): Promise<void> {
  // Only when it is needed: most starts find a database that is up to date.
  const { connectMigrator } = await import('./migrator.ts');
  const orm = await connectMigrator({ url, poolMax: 2, timeoutMs: MIGRATION_TIMEOUT_MS, rowLevelSecurity: false });
  try {
    await orm.migrator.up();
  } finally {
    await orm.close(true);
  }
}

/**
 * Makes the schema of the queue of deliveries. Later versions of the library bring it up to date themselves when their
 * workers start; until then the present one serves.
 */
async function makeQueue(client: Client, url: string): Promise<void> {
  if (await exists(client, 'graphile_worker.migrations')) return;
  // Only when it is needed: the library takes longer to load than everything else that a start does here.
  const { Logger, runMigrations: makeSchema } = await import('graphile-worker');
  await makeSchema({ connectionString: url, logger: new Logger(() => () => {}) });
}
