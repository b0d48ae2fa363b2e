import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Cores } from '../bench/cores.ts';
import { goFirst, keepTo } from '../bench/cores.ts';
import { ServerProcess } from '../bench/server-process.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../src/database/embedded-postgres.ts';
import { startReaper } from '../tests/support/reaper.ts';
import { startRedis } from '../tests/support/redis.ts';
import { withDatabase } from '../torture/table.ts';

export interface StageOptions {
  readonly env: Record<string, string>;
  /** With more than one there is a Redis between them. */
  readonly servers: number;
  readonly cores?: Cores | undefined;
  /** See `ServerOptions`. */
  readonly preload?: string | undefined;
}

/** Servers with a PostgreSQL of their own, in a temporary folder. Nothing is left of it, however this process ends. */
export interface Stage extends AsyncDisposable {
  readonly servers: readonly ServerProcess[];
  readonly databaseUrl: string;
  /** Has PostgreSQL write now what it would write within the next five minutes. */
  checkpoint(): Promise<void>;
  /**
   * Lets the processes of PostgreSQL that serve the connections of now go before what else runs on their cores, where that
   * is allowed. Not those that clean up, which would keep the others waiting for a tenth of a second each time.
   */
  putConnectionsFirst(): Promise<void>;
}

const quiet = { info() {}, warn() {}, error() {} };

/** Resolves when the servers accept connections. */
export async function openStage({ env, servers: count, cores, preload }: StageOptions): Promise<Stage> {
  await using opening = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'carillon-soak-'));
  opening.defer(() => rm(directory, { recursive: true, force: true }));
  // Root's PostgreSQL runs as another user, who has to pass through.
  await chmod(directory, 0o711);
  await startReaper(opening, directory);
  const postgres: EmbeddedPostgres = opening.use(
    await startEmbeddedPostgres({ directory: join(directory, 'database'), logger: quiet }),
  );
  keepTo(postgres.pid, cores?.others);
  const redis = count > 1 ? opening.use(await startRedis(directory)) : undefined;
  const start = async (name: string): Promise<ServerProcess> =>
    opening.use(
      await ServerProcess.start({
        name,
        script: 'src/main.ts',
        env: { DATABASE_URL: postgres.url, ...(redis ? { REDIS_URL: redis.url } : {}), ...env },
        directory,
        cores: cores?.server,
        preload,
      }),
    );
  const servers: ServerProcess[] = [];
  // The first one migrates.
  for (let at = 0; at < count; at += 1) servers.push(await start(`server-${at}`));
  const owned = opening.move();
  const areFirst = new Set<number>();
  return {
    servers,
    databaseUrl: postgres.url,
    async checkpoint() {
      await withDatabase(postgres.adminUrl, (client) => client.query('checkpoint'));
    },
    async putConnectionsFirst() {
      const { rows } = await withDatabase(postgres.adminUrl, (client) =>
        client.query<{ pid: number }>("select pid from pg_stat_activity where backend_type = 'client backend'"),
      );
      for (const { pid } of rows.filter((row) => !areFirst.has(row.pid))) if (goFirst(pid, 1)) areFirst.add(pid);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
