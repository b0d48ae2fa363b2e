import { RedisPubSub } from 'graphql-redis-subscriptions';
import { Redis, type RedisOptions } from 'ioredis';
import type { Logger } from '../logger.ts';
import type { Topics } from './topics.ts';

/** While Redis is away each failed publish would be a line: one in this time is enough. */
const LOG_EVERY_MS = 5000;

const PING_TIMEOUT_MS = 1000;
const MAX_RECONNECT_DELAY_MS = 2000;

const common: RedisOptions = {
  // Commands wait for as long as it takes, instead of failing after twenty reconnects.
  maxRetriesPerRequest: null,
  retryStrategy: (attempt) => Math.min(50 * attempt, MAX_RECONNECT_DELAY_MS),
  lazyConnect: true,
};

/**
 * Topics between instances on one Redis. A lost connection is made again and its topics are subscribed again without
 * end; what was published meanwhile is lost, which `onRestored` tells.
 *
 * @throws when Redis cannot be reached at the start.
 */
export async function connectRedisTopics(url: string, logger: Logger): Promise<Topics> {
  const log = logger.child({ part: 'redis' });
  const subscriber = new Redis(url, common);
  // A doorbell that cannot ring now is worth nothing later: no queue grows while Redis is away.
  const publisher = new Redis(url, { ...common, enableOfflineQueue: false, commandTimeout: PING_TIMEOUT_MS });
  let lastLogged = 0;
  const complain = (error: unknown) => {
    if (Date.now() - lastLogged < LOG_EVERY_MS) return;
    lastLogged = Date.now();
    log.warn({ err: error }, 'Redis is out of reach; live events of other instances come late until it is back');
  };
  for (const client of [subscriber, publisher]) client.on('error', complain);
  quietUnsubscribe(subscriber, complain);

  const restored = new Set<() => void>();
  let readyBefore = false;
  subscriber.on('ready', () => {
    if (!readyBefore) {
      readyBefore = true;
      return;
    }
    // The library has just sent its SUBSCRIBEs: the answer to a PING on the same connection comes after theirs.
    setImmediate(() => {
      subscriber
        .ping()
        .then(() => {
          log.info('Redis is back');
          for (const callback of restored) callback();
        })
        .catch(complain);
    });
  });

  try {
    await Promise.all([subscriber.connect(), publisher.connect()]);
  } catch (error) {
    subscriber.disconnect();
    publisher.disconnect();
    throw new Error('Redis (REDIS_URL) cannot be reached', { cause: error });
  }

  const pubsub = new RedisPubSub({ publisher, subscriber });
  return {
    publish(topic, message) {
      pubsub.publish(topic, message).catch(complain);
    },
    async subscribe(topic, onMessage) {
      const id = await pubsub.subscribe(topic, onMessage);
      return async () => pubsub.unsubscribe(id);
    },
    onRestored(callback) {
      restored.add(callback);
    },
    async ping() {
      await publisher.ping();
    },
    async [Symbol.asyncDispose]() {
      restored.clear();
      for (const client of [subscriber, publisher]) {
        client.removeAllListeners('error').on('error', () => {});
        client.disconnect();
      }
    },
  };
}

/** RedisPubSub does not wait for UNSUBSCRIBE: a connection lost just then must not become an unhandled rejection. */
function quietUnsubscribe(client: Redis, complain: (error: unknown) => void): void {
  for (const command of ['unsubscribe', 'punsubscribe'] as const) {
    const original = client[command].bind(client) as (...channels: string[]) => Promise<unknown>;
    client[command] = ((...channels: string[]) => original(...channels).catch(complain)) as Redis[typeof command];
  }
}
