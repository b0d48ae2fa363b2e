import cluster from 'node:cluster';
import { announce } from '../announce.ts';
import type { Config } from '../config.ts';
import { migrate } from '../database/migrate.ts';
import { warnOfBypass } from '../database/row-level-security.ts';
import { withSigningKey } from '../database/signing-key.ts';
import { openStorage } from '../database/storage.ts';
import type { Logger } from '../logger.ts';
import { Crew } from './crew.ts';

/** A running server of several processes. Disposing drains it and releases everything. */
export interface Workers extends AsyncDisposable {
  readonly url: string;
  /** Called when the embedded database is lost: the server cannot go on. */
  onLost(callback: (error: Error) => void): void;
}

/** The least that PG_POOL_MAX may be. */
const LEAST_POOL = 2;

/**
 * Starts the server as `WORKERS` processes on one port. This one, the primary, owns the database: it starts the embedded
 * one, migrates and makes the demo users before there are workers. It serves nothing itself.
 *
 * Resolves when all workers accept connections. What had been started is released again when a later step fails.
 */
export async function startWorkers(settings: Config, logger: Logger): Promise<Workers> {
  if (!cluster.isPrimary) throw new Error('WORKERS must be 1 in a process that a cluster (such as pm2’s) has started');
  await using resources = new AsyncDisposableStack();
  const config = await withSigningKey(settings);
  const storage = resources.use(await openStorage(config, logger, { exclusive: true }));
  const shared: Config = {
    ...config,
    databaseUrl: storage.url,
    demo: storage.embedded ? config.demo : 'off',
    pgPoolMax: Math.max(LEAST_POOL, Math.floor(config.pgPoolMax / config.workers)),
  };
  const demo = storage.embedded && config.demo === 'on';
  if (demo) await makeDemo(shared, logger);
  else await migrate(storage.url);
  await warnOfBypass(config, storage.url, logger);
  const crew = resources.use(new Crew(shared, logger));
  const url = await crew.start();
  announce(logger, url, demo, config);
  const owned = resources.move();
  return {
    url,
    onLost: (callback) => storage.onLost(callback),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function makeDemo(shared: Config, logger: Logger): Promise<void> {
  // Only here: it is most of a server, which the primary does without.
  const [{ createContext }, { seedDemo }] = await Promise.all([import('../context.ts'), import('../services/demo.ts')]);
  // Nobody listens yet: no broker is needed.
  await using context = await createContext({ ...shared, redisUrl: undefined }, logger, { exclusive: true });
  await seedDemo(context.users, context.services.notifications);
}
