import { Client } from 'pg';
import { connectDatabase } from './database.ts';

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
    const orm = await connectDatabase({ url, poolMax: 2, timeoutMs: MIGRATION_TIMEOUT_MS });
    try {
      await orm.migrator.up();
    } finally {
      await orm.close(true);
    }
  } finally {
    await lock.end();
  }
}
