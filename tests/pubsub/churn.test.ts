import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { createLogger } from '../../src/logger.ts';
import { connectRedisTopics } from '../../src/pubsub/redis.ts';
import { inboxTopic } from '../../src/services/inbox-event.ts';
import { createHub } from '../services/hub-support.ts';
import { type Services, createRandom, openServices } from '../services/support.ts';
import { eventually } from '../support/eventually.ts';
import { heapUsed } from '../support/heap.ts';

/** Set it to 100000 or more for a longer look. */
const CYCLES = Number(process.env['TEST_CHURN_CYCLES'] ?? 20_000);
const WARM_UP_CYCLES = 4000;
const AT_ONCE = 250;
const BUSY_INBOXES = 100;
const MAX_GROWTH = 0.05;

let services: Services;

beforeAll(async () => {
  services = await openServices();
});
afterAll(async () => {
  await services[Symbol.asyncDispose]();
});

test(
  'many thousand listeners that come and go leave no topic in Redis, and no memory',
  async () => {
    const url = process.env['TEST_REDIS_URL'] as string;
    await using topics = await connectRedisTopics(url, createLogger({ level: 'warn', format: 'json' }));
    await using hub = createHub(topics, services);
    await using redis = Object.assign(new Redis(url), {
      async [Symbol.asyncDispose]() {
        await redis.quit();
      },
    });
    // Other tests use this Redis as well.
    const tenantId = randomUUID();
    const random = createRandom(1);
    const channels = () => redis.pubsub('CHANNELS', inboxTopic({ tenantId, userId: '*' }).replace('%2A', '*'));

    /** Some listen to the same inbox at the same time, some leave while others come. */
    async function churn(cycles: number): Promise<void> {
      let left = cycles;
      const one = async (): Promise<void> => {
        while (left > 0) {
          left -= 1;
          const userId = random.chance(0.5) ? `busy ${random.below(BUSY_INBOXES)}` : randomUUID();
          const listener = await hub.listen({ tenantId, userId });
          if (random.chance(0.3)) await new Promise((resolve) => setImmediate(resolve));
          await listener.return();
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, one));
      await eventually(async () => hub.feedCount === 0 && (await channels()).length === 0);
    }

    const held = await hub.listen({ tenantId, userId: 'held' });
    expect(await channels()).toEqual([inboxTopic({ tenantId, userId: 'held' })]);
    await held.return();
    await churn(WARM_UP_CYCLES);
    const before = await heapUsed();
    const began = performance.now();
    await churn(CYCLES);
    const took = performance.now() - began;
    const growth = (await heapUsed()) / before - 1;
    console.info(`${CYCLES} cycles in ${Math.round(took)} ms; the heap changed by ${(growth * 100).toFixed(1)} %`);
    expect(growth).toBeLessThan(MAX_GROWTH);
  },
  30_000 + CYCLES, // ms
);
