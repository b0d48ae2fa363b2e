import { RedisPubSub } from 'graphql-redis-subscriptions';
import { Redis, type RedisOptions } from 'ioredis';
import type { Logger } from '../logger.ts';
import type { Topics } from './topics.ts';

/** While Redis is away each failed publish would be a line: one in this time is enough. */
const LOG_EVERY_MS = 5000;

const PING_TIMEOUT_MS = 1000;
const MAX_RECONNECT_DELAY_MS = 2000;

/** A connection that died without a word is found by asking: this often, and so long is waited for the answer. */
const WATCH_EVERY_MS = 2000;
const WATCH_PATIENCE_MS = 3000;

/** What an instance says here to all others when it could not publish for a while. */
const LOSS_TOPIC = 'carillon:loss';

const common: RedisOptions = {
  // Commands wait for as long as it takes, instead of failing after twenty reconnects.
  maxRetriesPerRequest: null,
  retryStrategy: (attempt) => Math.min(50 * attempt, MAX_RECONNECT_DELAY_MS),
  lazyConnect: true,
  // ioredis waits this long, with a timer, even for a stream that has closed already.
  disconnectTimeout: 100, // ms
};

/**
 * Topics between instances on one Redis. A lost connection is made again and its topics are subscribed again without
 * end; what was published meanwhile reaches only this instance, which `onRestored` tells the others.
 *
 * @throws when Redis cannot be reached at the start.
 */
export async function connectRedisTopics(url: string, logger: Logger): Promise<Topics> {
  const log = logger.child({ part: 'redis' });
  // A SUBSCRIBE that is sent before the ready check makes the library's INFO fail, and with it all that waits.
  const subscriber = new Redis(url, { ...common, enableReadyCheck: false, disableClientInfo: true }).setMaxListeners(0);
  // A doorbell that cannot ring now is worth nothing later: no queue grows while Redis is away.
  const publisher = new Redis(url, { ...common, enableOfflineQueue: false, commandTimeout: PING_TIMEOUT_MS });
  let disposed = false;
  let lastLogged = Number.NEGATIVE_INFINITY;
  const complain = (error: unknown) => {
    if (disposed || performance.now() - lastLogged < LOG_EVERY_MS) return;
    lastLogged = performance.now();
    log.warn({ err: error }, 'Redis is out of reach; live events of other instances come late until it is back');
  };
  for (const client of [subscriber, publisher]) client.on('error', complain);
  quiet(subscriber, complain);
  const watches = [subscriber, publisher].map((client) => watch(client, complain));

  const restored = new Set<() => void>();
  const tellRestored = () => {
    for (const callback of restored) callback();
  };
  const pubsub = new RedisPubSub({ publisher, subscriber });
  const subscribers = new Map<string, Set<(message: unknown) => void>>();
  let lost = false;
  const tellLoss = () => {
    if (!lost) return;
    lost = false;
    send(LOSS_TOPIC, null);
  };
  const send = (topic: string, message: unknown) => {
    pubsub.publish(topic, message).then(tellLoss, (error: unknown) => {
      lost = true;
      complain(error);
      // Here at least it can be heard.
      for (const onMessage of subscribers.get(topic) ?? []) onMessage(message);
    });
  };

  try {
    await Promise.all([subscriber.connect(), publisher.connect()]);
    await pubsub.subscribe(LOSS_TOPIC, tellRestored);
  } catch (error) {
    disposed = true;
    for (const each of watches) each[Symbol.dispose]();
    subscriber.disconnect();
    publisher.disconnect();
    throw new Error('Redis (REDIS_URL) cannot be reached', { cause: error });
  }
  publisher.on('ready', tellLoss);
  subscriber.on('ready', () => {
    // The library has just sent its SUBSCRIBEs: the answer to a PING on the same connection comes after theirs.
    setImmediate(() => {
      subscriber
        .ping()
        .then(() => {
          log.info('Redis is back');
          tellRestored();
        })
        .catch(complain);
    });
  });

  return {
    publish: send,
    async subscribe(topic, onMessage) {
      const own = (message: unknown) => onMessage(message);
      const all = subscribers.get(topic) ?? new Set();
      subscribers.set(topic, all.add(own));
      const subscribed = pubsub.subscribe(topic, (message: unknown) => {
        if (all.has(own)) own(message);
      });
      // The library keeps a second promise of the same, which must not be an unhandled rejection.
      pubsub['subsPendingRefsMap'].get(topic)?.pending.catch(() => {});
      const unsubscribe = async () => {
        all.delete(own);
        if (all.size === 0 && subscribers.get(topic) === all) subscribers.delete(topic);
        // Not awaited: it would last as long as an outage.
        subscribed.then((id) => pubsub.unsubscribe(id)).catch(complain);
      };
      try {
        await acknowledged(subscribed, subscriber);
      } catch (error) {
        await unsubscribe();
        throw error;
      }
      return unsubscribe;
    },
    onRestored(callback) {
      restored.add(callback);
    },
    async ping() {
      await publisher.ping();
    },
    async [Symbol.asyncDispose]() {
      disposed = true;
      restored.clear();
      subscribers.clear();
      for (const each of watches) each[Symbol.dispose]();
      for (const client of [subscriber, publisher]) {
        client.removeAllListeners('error').on('error', () => {});
        client.disconnect();
      }
    },
  };
}

/** Resolves once Redis has answered; or has gone, because then its return, and no answer, is what counts. */
async function acknowledged(subscribed: Promise<unknown>, subscriber: Redis): Promise<void> {
  const gone = Promise.withResolvers<void>();
  const onClose = () => gone.resolve();
  subscriber.once('close', onClose);
  if (subscriber.status !== 'ready') gone.resolve();
  try {
    await Promise.race([subscribed, gone.promise]);
  } finally {
    subscriber.off('close', onClose);
  }
}

/** Breaks off a connection that answers no PING, so that it is made anew. */
function watch(client: Redis, complain: (error: unknown) => void): Disposable {
  let closes = 0;
  let asking = false;
  client.on('close', () => {
    closes += 1;
  });
  const timer = setInterval(() => {
    if (asking || client.status !== 'ready') return;
    asking = true;
    const before = closes;
    const late = setTimeout(() => {
      if (closes === before) client.disconnect(true);
    }, WATCH_PATIENCE_MS).unref();
    client
      .ping()
      .then(() => clearTimeout(late), complain)
      .finally(() => {
        asking = false;
      });
  }, WATCH_EVERY_MS).unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** Nobody waits for these commands' promises: a connection lost just then must not become an unhandled rejection. */
function quiet(client: Redis, complain: (error: unknown) => void): void {
  for (const command of ['subscribe', 'unsubscribe', 'punsubscribe'] as const) {
    const original = client[command].bind(client) as (...args: unknown[]) => Promise<unknown>;
    Object.assign(client, { [command]: (...args: unknown[]) => original(...args).catch(complain) });
  }
}
