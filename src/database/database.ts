import { MikroORM, type Options } from '@mikro-orm/postgresql';
import { Migrator } from '@mikro-orm/migrations';
import { entities } from '../entities/index.ts';
import { migrations } from '../entities/migrations/index.ts';

export type Database = MikroORM;

export interface DatabaseOptions {
  url: string;
  /** Most connections. */
  poolMax: number;
  /** Most time for a statement, and for waiting for a connection. */
  timeoutMs: number;
}

/** The ORM's options that hold wherever it runs: in the server, in commands and in tests. */
export function ormOptions({ url, poolMax, timeoutMs }: DatabaseOptions): Options {
  return {
    clientUrl: url,
    entities,
    extensions: [Migrator],
    metadataCache: { enabled: false },
    // A database that is missing is being restored, or is misspelt: never one to make anew, empty.
    ensureDatabase: false,
    // Statements name their columns themselves and times cross as epoch milliseconds: no conversion is left to do.
    forceUtcTimezone: true,
    pool: { min: 0, max: poolMax },
    driverOptions: {
      statement_timeout: timeoutMs,
      connectionTimeoutMillis: timeoutMs,
      application_name: 'carillon',
      keepAlive: true,
    },
    // What matters is told by the caller's own logger; failures are thrown.
    logger: () => {},
    migrations: { migrationsList: migrations, snapshot: false, tableName: 'carillon_migration' },
  };
}

export async function connectDatabase(options: DatabaseOptions): Promise<Database> {
  return MikroORM.init(ormOptions(options));
}
