import type { Config } from './config.ts';
import { channelNames, createChannels } from './channels/index.ts';
import { connectDatabase } from './database/database.ts';
import { migrate } from './database/migrate.ts';
import { withSigningKey } from './database/signing-key.ts';
import { openStorage } from './database/storage.ts';
import type { Logger } from './logger.ts';
import { Metrics } from './metrics/metrics.ts';
import { type Gathered, Scrapes, gatherAlone } from './metrics/scrapes.ts';
import { createInstanceTopics } from './pubsub/workers.ts';
import { Activity } from './services/activity.ts';
import { Contacts } from './services/contacts.ts';
import { Deliverer, leaseOf } from './services/deliverer.ts';
import { Deliveries } from './services/deliveries.ts';
import { DeliveryLog } from './services/delivery-log.ts';
import { DeliveryQueue } from './services/delivery-queue.ts';
import { DueWork } from './services/due-work.ts';
import { createEarlierSends } from './services/earlier-sends.ts';
import { Housekeeping } from './services/housekeeping.ts';
import { Hub } from './services/hub.ts';
import { InboxChanges } from './services/inbox-changes.ts';
import { InboxDepartures } from './services/inbox-departures.ts';
import { InboxLog } from './services/inbox-log.ts';
import { InboxPages } from './services/inbox-pages.ts';
import { InboxReplays } from './services/inbox-replay.ts';
import { RateLimits, pointsOfEvents, pointsOfPush } from './services/rate-limits.ts';
import { createRules } from './services/notification-rules.ts';
import { Notifications } from './services/notifications.ts';
import { Presence } from './services/presence.ts';
import { createReadiness } from './services/readiness.ts';
import { Recalls } from './services/recalls.ts';
import { ReceiptLog } from './services/receipt-log.ts';
import { ReceiptSequencer } from './services/receipt-sequencer.ts';
import { Receipts } from './services/receipts.ts';
import { Revocations } from './services/revocations.ts';
import { ScheduledSends } from './services/scheduled-sends.ts';
import { createOutwardSendWriter, createSendWriter } from './services/send-writer.ts';
import { Retention } from './services/retention.ts';
import { SentNotifications } from './services/sent-notifications.ts';
import { StatsReader } from './services/stats.ts';
import type { Services } from './services/services.ts';
import { Sessions } from './services/sessions.ts';
import { TenantActivity } from './services/tenant-activity.ts';
import { Tokens } from './services/tokens.ts';
import { Typing } from './services/typing.ts';
import { Users } from './services/users.ts';
import { traced } from './tracing/services.ts';
import { noTracing, openTracing } from './tracing/tracing.ts';

/** Everything that the doors and commands work with, wired once. Disposing releases it in reverse order. */
export type Context = Awaited<ReturnType<typeof createContext>>;

export interface ContextOptions {
  /** Commands may share the embedded database with a running server. */
  exclusive: boolean;
  /** Asks all processes that serve together for their metrics; alone unless given. */
  gather?: ((own: Metrics) => Promise<Gathered>) | undefined;
}

/** The composition root: plain constructors, in the order in which things need each other. */
export async function createContext(settings: Config, logger: Logger, { exclusive, gather }: ContextOptions) {
  await using resources = new AsyncDisposableStack();
  const config = await withSigningKey(settings);
  // Ended last, so that it tells of everything. What commands do is not traced.
  const tracing = resources.use(exclusive ? await openTracing(config, logger) : noTracing);
  const storage = resources.use(await openStorage(config, logger, { exclusive }));
  await migrate(storage.url);
  const database = await connectDatabase({
    url: storage.url,
    poolMax: config.pgPoolMax,
    timeoutMs: config.databaseTimeout,
    rowLevelSecurity: config.rowLevelSecurity === 'on',
  });
  resources.defer(() => database.close(true));
  const topics = resources.use(
    config.redisUrl === undefined
      ? createInstanceTopics(config.workers)
      : // Only with Redis: its client is a tenth of all that a server loads.
        await (await import('./pubsub/redis.ts')).connectRedisTopics(config.redisUrl, logger),
  );

  const shared =
    config.redisUrl === undefined || config.rateLimits === 'off'
      ? undefined
      : resources.use(await (await import('./services/shared-counts.ts')).connectSharedCounts(config.redisUrl, logger));

  const metrics = new Metrics();
  const rateLimits = resources.use(new RateLimits({ config, shared, metrics }));
  const scrapes = new Scrapes(gather ? () => gather(metrics) : gatherAlone(metrics));
  const users = new Users(database);
  const tokens = new Tokens(config, logger);
  const revocations = resources.use(new Revocations(database, logger));
  await revocations.poll();
  const sessions = new Sessions({ config, database, tokens, users, revocations, shared, metrics });
  const log = new InboxLog(database);
  const hub = resources.use(
    new Hub({
      topics,
      log,
      replays: new InboxReplays(database),
      onPushed(address, listeners) {
        const points = pointsOfPush(listeners);
        if (points > 0) rateLimits.charge(address, points);
      },
      price: rateLimits.isOn
        ? {
            pace: (address, events, isWanted, read) => rateLimits.pace(address, pointsOfEvents(events), isWanted, read),
            charge: (address, events) => rateLimits.charge(address, pointsOfEvents(events)),
          }
        : undefined,
      metrics,
      logger,
      tracing,
      maxWaitingEvents: config.maxWaitingEvents,
      sweepIntervalMs: config.sweepInterval,
    }),
  );
  const changes = new InboxChanges(database);
  const rules = createRules(config, channelNames);
  const channels = resources.use(createChannels(config, logger));
  const contacts = new Contacts({ database, channels, rules, webPushKey: config.vapidPublicKey });
  const deliveryLog = new DeliveryLog(database);
  const deliverer = new Deliverer({
    config,
    channels,
    log: deliveryLog,
    hub,
    logger,
    tracing,
    onOutcome: (channel, outcome) => metrics.delivered(channel, outcome),
  });
  const queue = resources.use(
    new DeliveryQueue({
      url: storage.url,
      concurrency: config.deliveryConcurrency,
      leaseMs: leaseOf(config),
      tasks: deliverer.tasks,
      logger,
    }),
  );
  // A command leaves its deliveries to the servers.
  const deliver = (): void => (exclusive ? queue.start() : undefined);
  const deliveries = new Deliveries(contacts, deliveryLog, deliver);
  const tenantActivity = resources.use(new TenantActivity({ database, logger }));
  const activity = new Activity(metrics, tenantActivity);
  const scheduled = new ScheduledSends({ database, config, rules, hub, activity });
  const departures = new InboxDepartures(database);
  const recalls = new Recalls({ config, rules, log, departures, hub });
  const receiptLog = new ReceiptLog(database);
  const sequencer = resources.use(new ReceiptSequencer({ log: receiptLog, topics, logger }));
  const receipts = resources.use(
    new Receipts({ log: receiptLog, topics, logger, sweepIntervalMs: config.sweepInterval }),
  );
  const notifications = new Notifications({
    config,
    rules,
    log,
    pages: new InboxPages(log, config),
    changes,
    hub,
    receipts: sequencer,
    write: activity.counting(createSendWriter(database, config.idempotencyWindow)),
    writeOutward: activity.counting(createOutwardSendWriter(database, config.idempotencyWindow)),
    deliveries,
    earlierOf: createEarlierSends(database),
    scheduled,
    activity,
  });
  const presence = resources.use(new Presence({ config, database, topics, logger }));
  const typing = resources.use(new Typing({ config, topics, logger }));
  const idempotencyWindowMs = config.idempotencyWindow;
  const retention = new Retention({
    database,
    changes,
    hub,
    tombstonesMs: config.retentionTombstones,
    notificationsMs: config.retentionNotifications,
    deliveriesMs: config.retentionDeliveries,
  });
  // A command rings no doorbell that a server beside it would hear.
  if (exclusive) resources.use(new DueWork({ database, scheduled, departures, hub, logger, deliver }));
  resources.use(new Housekeeping({ database, sessions, retention, idempotencyWindowMs, logger }));

  const services: Services = {
    notifications,
    contacts,
    deliveries,
    sent: new SentNotifications(database, config),
    receipts,
    recalls,
    scheduled,
    presence,
    typing,
    stats: new StatsReader({ database, channelNames, activity: tenantActivity, scrapes }),
  };
  const owned = resources.move();
  return {
    config,
    logger,
    storage,
    database,
    metrics,
    scrapes,
    hub,
    users,
    tokens,
    revocations,
    sessions,
    rateLimits,
    tracing,
    services: tracing.isOn ? traced(services) : services,
    isReady: createReadiness(database, topics),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
