import { announce } from './announce.ts';
import type { Config } from './config.ts';
import { type Context, type ContextOptions, createContext } from './context.ts';
import { warnOfBypass } from './database/row-level-security.ts';
import { unauthenticated } from './errors.ts';
import { type Logger, createLogger } from './logger.ts';
import type { Caller } from './services/caller.ts';
import { createDemoTokens, demoAccounts, isLoopback, seedDemo } from './services/demo.ts';
import { type Doors, openDoors } from './transports/server.ts';
import packageJson from '../package.json' with { type: 'json' };

/**
 * Peers have this share of SHUTDOWN_TIMEOUT to go. The rest is for what is closed after them, the embedded database above
 * all: a process that ended without it would leave it running.
 */
const DRAIN_SHARE = 0.6;

/** A running server. Disposing drains it and releases everything. */
export interface App extends AsyncDisposable {
  readonly url: string;
  readonly context: Context;
  readonly doors: Doors;
  /** Called when the embedded database is lost: the server cannot go on. */
  onLost(callback: (error: Error) => void): void;
  /** Loads what few requests need, so that the first of them holds up nobody. */
  warmUp(): Promise<void>;
}

export interface AppOverrides {
  logger?: Logger;
  /** Says nothing of itself at the start: somebody else does. */
  quiet?: boolean;
  /** Somebody else has opened the embedded database and made the demo users. */
  demo?: boolean;
  /** How the processes that serve beside this one are asked for their metrics. */
  gather?: ContextOptions['gather'];
}

/**
 * Starts the server: database, migrations, services, doors, in this order; resolves when the port accepts connections.
 * What had been started is released again when a later step fails.
 */
export async function createApp(config: Config, overrides: AppOverrides = {}): Promise<App> {
  const logger = overrides.logger ?? createLogger({ level: config.logLevel, format: config.logFormat });
  await using resources = new AsyncDisposableStack();
  const context = resources.use(await createContext(config, logger, { exclusive: true, gather: overrides.gather }));
  const { metrics, scrapes, services, sessions, rateLimits, users, tokens, revocations, isReady, storage, tracing } =
    context;
  if (!overrides.quiet) await warnOfBypass(config, storage.url, logger);
  const demo = storage.embedded && config.demo === 'on';
  if (demo) await seedDemo(users, services.notifications);
  const isRevoked = (caller: Caller): boolean => revocations.isRevoked(caller);
  const verifyWith =
    (options: { remember: boolean }) =>
    async (token: string | undefined): Promise<Caller> => {
      const caller = await tokens.verify(token, options);
      if (isRevoked(caller)) throw unauthenticated('The token is not valid.');
      return caller;
    };
  const doors = resources.use(
    await openDoors({
      config,
      logger,
      tracing,
      metrics,
      scrapes,
      services,
      sessions,
      rateLimits,
      // A socket is asked once for its token, and would only push out those of requests.
      verify: verifyWith({ remember: true }),
      verifyConnection: verifyWith({ remember: false }),
      isRevoked,
      isReady,
      version: packageJson.version,
      demoToken: (demo || overrides.demo) && isLoopback(config.host) ? createDemoTokens(users, tokens) : undefined,
      demo: demo || overrides.demo ? demoAccounts : null,
    }),
  );
  revocations.onRevoked(() => doors.connections.endRevoked());
  resources.defer(() => drain(doors, config.shutdownTimeout * DRAIN_SHARE, logger));
  if (!overrides.quiet) announce(logger, doors.url, demo, config);
  const owned = resources.move();
  return {
    url: doors.url,
    context,
    doors,
    onLost: (callback) => storage.onLost(callback),
    async warmUp() {
      await import('./transports/graphql/yoga.ts');
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Drains the doors; a peer that does not go, because it reads nothing, is not waited for longer than this. */
async function drain(doors: Doors, mostMs: number, logger: Logger): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(() => {
    logger.warn(`draining took too long; ${doors.connections.size} connections are cut off`);
    late.resolve();
  }, mostMs);
  await Promise.race([doors.drain(), late.promise]);
  clearTimeout(timer);
}
