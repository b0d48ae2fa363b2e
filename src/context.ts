import type { Config } from './config.ts';
import { connectDatabase } from './database/database.ts';
import { migrate } from './database/migrate.ts';
import { withSigningKey } from './database/signing-key.ts';
import { openStorage } from './database/storage.ts';
import type { Logger } from './logger.ts';
import { connectRedisTopics } from './pubsub/redis.ts';
import { createInstanceTopics } from './pubsub/workers.ts';
import { Housekeeping } from './services/housekeeping.ts';
import { Hub } from './services/hub.ts';
import { InboxChanges } from './services/inbox-changes.ts';
import { InboxLog } from './services/inbox-log.ts';
import { InboxPages } from './services/inbox-pages.ts';
import { InboxReplays } from './services/inbox-replay.ts';
import { createRules } from './services/notification-rules.ts';
import { Notifications } from './services/notifications.ts';
import { createReadiness } from './services/readiness.ts';
import { Revocations } from './services/revocations.ts';
import { createSendWriter } from './services/send-writer.ts';
import { Retention } from './services/retention.ts';
import { Sessions } from './services/sessions.ts';
import { Tokens } from './services/tokens.ts';
import { Users } from './services/users.ts';

/** Everything that the doors and commands work with, wired once. Disposing releases it in reverse order. */
export type Context = Awaited<ReturnType<typeof createContext>>;

export interface ContextOptions {
  /** Commands may share the embedded database with a running server. */
  exclusive: boolean;
}

/** The composition root: plain constructors, in the order in which things need each other. */
export async function createContext(settings: Config, logger: Logger, { exclusive }: ContextOptions) {
  await using resources = new AsyncDisposableStack();
  const config = await withSigningKey(settings);
  const storage = resources.use(await openStorage(config, logger, { exclusive }));
  await migrate(storage.url);
  const database = await connectDatabase({
    url: storage.url,
    poolMax: config.pgPoolMax,
    timeoutMs: config.databaseTimeout,
  });
  resources.defer(() => database.close(true));
  const topics = resources.use(
    config.redisUrl === undefined
      ? createInstanceTopics(config.workers)
      : await connectRedisTopics(config.redisUrl, logger),
  );

  const users = new Users(database);
  const tokens = new Tokens(config, logger);
  const revocations = resources.use(new Revocations(database, logger));
  await revocations.poll();
  const sessions = new Sessions({ config, database, tokens, users, revocations });
  const log = new InboxLog(database);
  const hub = resources.use(
    new Hub({
      topics,
      log,
      replays: new InboxReplays(database),
      logger,
      maxWaitingEvents: config.maxWaitingEvents,
      sweepIntervalMs: config.sweepInterval,
    }),
  );
  const changes = new InboxChanges(database);
  const notifications = new Notifications({
    config,
    rules: createRules(config),
    log,
    pages: new InboxPages(log, config),
    changes,
    hub,
    write: createSendWriter(database, config.idempotencyWindow),
  });
  const idempotencyWindowMs = config.idempotencyWindow;
  const retention = new Retention({
    database,
    changes,
    hub,
    tombstonesMs: config.retentionTombstones,
    notificationsMs: config.retentionNotifications,
  });
  resources.use(new Housekeeping({ database, sessions, retention, idempotencyWindowMs, logger }));

  const owned = resources.move();
  return {
    config,
    logger,
    storage,
    database,
    hub,
    users,
    tokens,
    revocations,
    sessions,
    notifications,
    isReady: createReadiness(database, topics),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
