import { Redis } from 'ioredis';
import { type RateLimiterAbstract, RateLimiterRedis } from 'rate-limiter-flexible';
import type { Rate } from '../config.ts';
import type { Logger } from '../logger.ts';

/** A count of all instances, by key, in windows that begin with the first that is added. */
export interface SharedCount {
  /** Adds, and answers with the sum in the present window. Rejects at once, or within a second, when Redis is away. */
  add(key: string, points: number): Promise<{ spent: number; leftMs: number }>;
}

/** Counts that instances have in common, in Redis. */
export interface SharedCounts extends AsyncDisposable {
  count(name: string, rate: Rate): SharedCount;
  /** A limiter for what may wait for Redis. While that is away, `local` takes its place. */
  limiter(name: string, rate: Rate, local: RateLimiterAbstract): RateLimiterAbstract;
}

const COMMAND_TIMEOUT_MS = 1000;
const MAX_RECONNECT_DELAY_MS = 2000;

/** A connection that died without a word is given up when nothing came for so long, while something was waited for. */
const SOCKET_TIMEOUT_MS = 2000;

/** Connects to Redis; resolves when that has succeeded or failed, and goes on trying without end. Never rejects. */
export async function connectSharedCounts(url: string, logger: Logger): Promise<SharedCounts> {
  const log = logger.child({ part: 'limits' });
  const client = new Redis(url, {
    // What cannot be counted now is not worth counting later, and nobody waits for long.
    enableOfflineQueue: false,
    commandTimeout: COMMAND_TIMEOUT_MS,
    socketTimeout: SOCKET_TIMEOUT_MS,
    maxRetriesPerRequest: null,
    retryStrategy: (attempt) => Math.min(50 * attempt, MAX_RECONNECT_DELAY_MS),
    enableAutoPipelining: true,
    lazyConnect: true,
    // ioredis waits this long, with a timer, even for a stream that has closed already.
    disconnectTimeout: 100, // ms
  });
  let isAway = false;
  client.on('error', (error: unknown) => {
    if (!isAway) log.warn({ err: error }, 'Redis is out of reach; until it is back each process limits for itself');
    isAway = true;
  });
  client.on('ready', () => {
    if (isAway) log.info('Redis is back: instances limit together again');
    isAway = false;
  });
  await client.connect().catch(() => {});

  const optionsOf = (name: string, { points, durationMs }: Rate) => ({
    keyPrefix: `carillon:limit:${name}`,
    points,
    duration: Math.ceil(durationMs / 1000),
    storeClient: client,
    rejectIfRedisNotReady: true,
  });
  return {
    count(name, rate) {
      const limiter = new RateLimiterRedis(optionsOf(name, rate));
      return {
        async add(key, points) {
          const { consumedPoints, msBeforeNext } = await limiter.penalty(key, points);
          return { spent: consumedPoints, leftMs: msBeforeNext };
        },
      };
    },
    limiter: (name, rate, local) => new RateLimiterRedis({ ...optionsOf(name, rate), insuranceLimiter: local }),
    async [Symbol.asyncDispose]() {
      client.removeAllListeners('error').on('error', () => {});
      client.disconnect();
    },
  };
}
