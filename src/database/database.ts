import type { Socket } from 'node:net';
import { MikroORM, type Options } from '@mikro-orm/postgresql';
import { Migrator } from '@mikro-orm/migrations';
import { Client } from 'pg';
import { entities } from '../entities/index.ts';
import { migrations } from '../entities/migrations/index.ts';

export type Database = MikroORM;

/** What a statement that the server cancelled may take to say so. */
const ANSWER_MS = 1000;

/** PostgreSQL's code for a write in a read-only transaction. */
const READ_ONLY = '25006';

/**
 * Whether a connection is of no use after a failure. One whose statement was not answered in time would let the next one
 * wait behind it; one that is read-only, as of a database that is being restored or has failed over, stays so.
 */
const isSpent = (error: unknown): error is Error =>
  error instanceof Error &&
  (error.message === 'Query read timeout' || (error as Error & { code?: unknown }).code === READ_ONLY);

/** A client that ends its connection when it is spent: else the pool would hand it out again. */
class CutOffClient extends Client {
  // biome-ignore lint: the overloads of the library stay what they are
  override query(...args: any[]): any {
    const result: unknown = (super.query as (...args: unknown[]) => unknown)(...args);
    if (result instanceof Promise) {
      result.catch((error: unknown) => {
        if (isSpent(error)) (this as unknown as { connection: { stream: Socket } }).connection.stream.destroy(error);
      });
    }
    return result;
  }
}

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
      // The server's own time-out answers first; this one is for a server that does not answer at all.
      query_timeout: timeoutMs + ANSWER_MS,
      Client: CutOffClient,
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
