import type { Socket } from 'node:net';
import { MikroORM, type Options } from '@mikro-orm/postgresql';
import { Migrator } from '@mikro-orm/migrations';
import { Client } from 'pg';
import { entities } from '../entities/index.ts';
import { migrations } from '../entities/migrations/index.ts';

export type Database = MikroORM;

/** What a statement that the server cancelled may take to say so. */
const ANSWER_MS = 1000;

/** PostgreSQL's codes for a write in a read-only transaction, and for a plan that a migration has made stale. */
const SPENT: ReadonlySet<unknown> = new Set(['25006', '0A000']);

/**
 * Whether a connection is of no use after a failure. One whose statement was not answered in time would let the next one
 * wait behind it; one that is read-only, as of a database that is being restored or has failed over, stays so; and so does a
 * prepared statement whose plan is stale.
 */
const isSpent = (error: unknown): error is Error =>
  error instanceof Error &&
  (error.message === 'Query read timeout' || SPENT.has((error as Error & { code?: unknown }).code));

/** Statement texts that get a name, in this process; a few dozen are in use. Whatever comes after them is parsed anew. */
const MAX_NAMED_STATEMENTS = 500;
const statementNames = new Map<string, string>();

function statementName(text: string): string | undefined {
  const known = statementNames.get(text);
  if (known !== undefined || statementNames.size >= MAX_NAMED_STATEMENTS) return known;
  const name = `carillon_${statementNames.size + 1}`;
  statementNames.set(text, name);
  return name;
}

/**
 * A client that ends its connection when it is spent, as the pool would hand it out again, and that lets PostgreSQL parse
 * and plan each statement once per connection: planning the larger ones costs nearly as much as running them once.
 */
class CarillonClient extends Client {
  // biome-ignore lint: the overloads of the library stay what they are
  override query(...args: any[]): any {
    const result: unknown = (super.query as (...args: unknown[]) => unknown)(...this.#prepared(args));
    if (result instanceof Promise) {
      result.catch((error: unknown) => {
        if (isSpent(error)) (this as unknown as { connection: { stream: Socket } }).connection.stream.destroy(error);
      });
    }
    return result;
  }

  /** Text with parameters is what services send; everything else, such as migrations and transactions, stays as it is. */
  #prepared(args: unknown[]): unknown[] {
    const [text, values] = args;
    if (args.length !== 2 || typeof text !== 'string' || !Array.isArray(values) || values.length === 0) return args;
    const name = statementName(text);
    return name === undefined ? args : [{ name, text, values }];
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
      Client: CarillonClient,
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
