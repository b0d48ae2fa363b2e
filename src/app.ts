import type { Config } from './config.ts';
import { type Context, createContext } from './context.ts';
import { type Logger, createLogger } from './logger.ts';
import { DEMO_PASSWORD, DEMO_TENANT, demoUsers, seedDemo } from './services/demo.ts';
import { type Doors, openDoors } from './transports/server.ts';
import packageJson from '../package.json' with { type: 'json' };

/** A running server. Disposing drains it and releases everything. */
export interface App extends AsyncDisposable {
  readonly url: string;
  readonly context: Context;
  readonly doors: Doors;
  /** Called when the embedded database is lost: the server cannot go on. */
  onLost(callback: (error: Error) => void): void;
}

export interface AppOverrides {
  logger?: Logger;
}

/**
 * Starts the server: database, migrations, services, doors, in this order; resolves when the port accepts connections.
 * What had been started is released again when a later step fails.
 */
export async function createApp(config: Config, overrides: AppOverrides = {}): Promise<App> {
  const logger = overrides.logger ?? createLogger({ level: config.logLevel, format: config.logFormat });
  await using resources = new AsyncDisposableStack();
  const context = resources.use(await createContext(config, logger, { exclusive: true }));
  const { notifications, sessions, users, tokens, isReady, storage } = context;
  const demo = storage.embedded && config.demo === 'on';
  if (demo) await seedDemo(users, notifications);
  const verify = (token: string | undefined) => tokens.verify(token);
  const doors = resources.use(
    await openDoors({ config, logger, notifications, sessions, verify, isReady, version: packageJson.version }),
  );
  resources.defer(() => doors.drain());
  announce(logger, doors.url, demo, config);
  const owned = resources.move();
  return {
    url: doors.url,
    context,
    doors,
    onLost: (callback) => storage.onLost(callback),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function announce(logger: Logger, url: string, demo: boolean, { host, databaseUrl, dataDir, redisUrl }: Config): void {
  logger.info(databaseUrl ? 'database: the PostgreSQL of DATABASE_URL' : `database: embedded PostgreSQL in ${dataDir}`);
  logger.info(redisUrl ? 'pub/sub: Redis' : 'pub/sub: in-process, for one instance (set REDIS_URL for more)');
  if (demo) {
    const names = demoUsers.map(({ username, roles }) => `${username} (${roles.join(', ')})`).join(', ');
    logger.info(`demo tenant "${DEMO_TENANT}", password "${DEMO_PASSWORD}", users ${names}`);
    if (!['127.0.0.1', '::1', 'localhost'].includes(host)) {
      logger.warn('the demo users can be reached from other machines; set DEMO=off, or DATABASE_URL');
    }
  }
  logger.info(`GraphQL and GraphiQL ${url}/graphql`);
  logger.info(`REST ${url}/api/v1, described by ${url}/api/v1/openapi.json`);
  logger.info(`legacy socket ${url.replace(/^http/, 'ws')}/api/v1/notifications/ws`);
  logger.info(`listening on ${url}`);
}
