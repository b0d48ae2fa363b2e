import type { Socket } from 'node:net';
import { MikroORM, type Options } from '@mikro-orm/postgresql';
import { Client, type Pool, type PoolClient, type Submittable } from 'pg';
import { entities } from '../entities/index.ts';
import { currentScope } from '../scope.ts';
import { SET_SCOPE, ScopedQuery } from './scoped-query.ts';
import { inStatement } from '../tracing/statements.ts';

export type Database = MikroORM;

/** What a statement that the server cancelled may take to say so. */
const ANSWER_MS = 1000;

/** PostgreSQL's codes for a write in a read-only transaction, and for a plan that a migration has made stale. */
const SPENT: ReadonlySet<unknown> = new Set(['25006', '0A000']);

/**
 * Whether a connection is of no use after a failure. One that is read-only, as of a database that is being restored or has
 * failed over, stays so; and so does a prepared statement whose plan is stale. The same then holds for all that were made
 * before it was found out.
 */
const spendsConnection = (error: Error & { code?: unknown }): boolean => SPENT.has(error.code);

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

/** The part of pg's client that its types leave out. */
interface Inner {
  readonly connection: { readonly stream: Socket };
}

/** What `clientClass` adds to pg's client. */
interface Carillons {
  /** Whether a connection that is no newer than this one has been found spent. */
  readonly isSpent: boolean;
  /** Sees to it that nothing is in the scope of a new connection. Whatever a statement sets ends with its transaction. */
  closeToAll(): Promise<unknown>;
}

/** What reads or writes rows. Everything else begins and ends transactions, or changes how they are run. */
const HAS_ROWS = /^\s*(?:select|insert|update|delete|with)\b/i;

/**
 * Clients that end their connection when it is spent or when a statement is not answered within `patienceMs`, as the pool
 * would hand it out again, and that let PostgreSQL parse and plan each statement once per connection: planning the
 * larger ones costs nearly as much as running them once. `isWalled`: each statement runs within the scope of whoever asks.
 *
 * Statements are given a callback, and no `query_timeout`. With pg's own promises and timers the garbage of one query
 * holds on to that of the next: whatever took part in a request outlived young collections, which took 50 ms each.
 */
function clientClass(patienceMs: number, isWalled: boolean): typeof Client {
  let newest = 0;
  return class CarillonClient extends Client implements Carillons {
    readonly #generation = newest;
    #unanswered = 0;
    #watch: NodeJS.Timeout | undefined;

    // biome-ignore lint: the overloads of the library stay what they are
    override query(...args: any[]): any {
      const [text, values] = args;
      if (args.length > 2 || typeof text !== 'string' || (args.length === 2 && !Array.isArray(values))) {
        return (super.query as (...given: unknown[]) => unknown)(...args);
      }
      const statement = statementOf(text, values);
      return inStatement(text, () =>
        this.#ask((onAnswer) => {
          if (isWalled && (statement.values !== undefined || HAS_ROWS.test(text))) {
            super.query(new ScopedQuery(statement, currentScope().setting, onAnswer) as unknown as Submittable);
          } else super.query(statement, onAnswer);
        }),
      );
    }

    closeToAll(): Promise<unknown> {
      return this.#ask((onAnswer) => super.query({ ...SET_SCOPE, values: ['{}', 'false'] }, onAnswer));
    }

    #ask(send: (onAnswer: (error: Error | null, result: unknown) => void) => void): Promise<unknown> {
      this.#unanswered += 1;
      if (this.#watch) this.#watch.refresh();
      else this.#watch = setTimeout(() => this.#onOverdue(), patienceMs).unref();
      return new Promise((resolve, reject) => {
        send((error, result) => {
          this.#unanswered -= 1;
          if (!error) {
            resolve(result);
            return;
          }
          if (spendsConnection(error)) this.#onSpent(error);
          reject(error);
        });
      });
    }

    get isSpent(): boolean {
      return this.#generation < newest;
    }

    /** Failures that come together on connections of one generation make one new one. */
    #onSpent(error: Error): void {
      newest = Math.max(newest, this.#generation + 1);
      this.#cutOff(error);
    }

    #onOverdue(): void {
      if (this.#unanswered > 0) this.#cutOff(new Error('The database did not answer in time.'));
    }

    #cutOff(error: Error): void {
      (this as unknown as Inner).connection.stream.destroy(error);
    }
  };
}

/** Text with parameters is what services send; everything else, such as migrations and transactions, stays as it is. */
function statementOf(text: string, values: unknown[] | undefined): { name?: string; text: string; values?: unknown[] } {
  if (values === undefined || values.length === 0) return { text };
  const name = statementName(text);
  return name === undefined ? { text, values } : { name, text, values };
}

/**
 * Takes back what the pool should not hand out: a connection that is spent, for which another is made, and any while it is
 * ending. Kysely has let go of the pool by then, and fails at a connection that is new to it without giving it back: the
 * pool would wait for it for ever, and the statement for its answer.
 */
function guardConnections(pool: Pool): void {
  const connect = pool.connect.bind(pool);
  const take = (): Promise<PoolClient> =>
    new Promise((resolve, reject) => {
      connect((error, client, release) => {
        if (!client) reject(error);
        else if (pool.ending) {
          release();
          reject(new Error('The connection to the database is being closed.'));
        } else if ((client as PoolClient & Carillons).isSpent) {
          release(true);
          resolve(take());
        } else resolve(client);
      });
    });
  pool.connect = take as Pool['connect'];
}

const closeToAll = async (client: PoolClient): Promise<void> => {
  await (client as PoolClient & Carillons).closeToAll();
};

export interface DatabaseOptions {
  url: string;
  /** Most connections. */
  poolMax: number;
  /** Most time for a statement, and for waiting for a connection. */
  timeoutMs: number;
  /** Whether PostgreSQL holds statements to the scope within which they run (`src/scope.ts`). Else they see all rows. */
  rowLevelSecurity: boolean;
}

/** The ORM's options that hold wherever it runs: in the server, in commands and in tests. */
export function ormOptions({ url, poolMax, timeoutMs, rowLevelSecurity }: DatabaseOptions): Options {
  return {
    clientUrl: url,
    entities,
    metadataCache: { enabled: false },
    // A database that is missing is being restored, or is misspelt: never one to make anew, empty.
    ensureDatabase: false,
    // Statements name their columns themselves and times cross as epoch milliseconds: no conversion is left to do.
    forceUtcTimezone: true,
    // The policies are those of the migrations: PostgreSQL keeps them in words of its own.
    schemaGenerator: { ignorePolicies: true },
    pool: { min: 0, max: poolMax },
    driverOptions: {
      statement_timeout: timeoutMs,
      connectionTimeoutMillis: timeoutMs,
      application_name: 'carillon',
      // The server's own time-out answers first; the client's is for a server that does not answer at all.
      Client: clientClass(timeoutMs + ANSWER_MS, rowLevelSecurity),
      ...(rowLevelSecurity ? { onConnect: closeToAll } : {}),
      keepAlive: true,
      onPoolCreated: guardConnections,
    },
    // What matters is told by the caller's own logger; failures are thrown.
    logger: () => {},
  };
}

export async function connectDatabase(options: DatabaseOptions): Promise<Database> {
  // `MikroORM.init` would look for extensions first, and load those for migrations.
  return new MikroORM(ormOptions(options));
}
