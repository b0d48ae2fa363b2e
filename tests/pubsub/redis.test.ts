import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, type Socket, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { createLogger } from '../../src/logger.ts';
import { connectRedisTopics } from '../../src/pubsub/redis.ts';
import type { Topics } from '../../src/pubsub/topics.ts';
import { eventually } from '../support/eventually.ts';
import { type TestRedis, startRedis } from '../support/redis.ts';
import { Messages } from '../support/messages.ts';

const logged: string[] = [];
const logger = createLogger({
  level: 'info',
  format: 'json',
  destination: { write: (line) => void logged.push(line) },
});

let directory: string;
let redis: TestRedis;
let resources: AsyncDisposableStack;
const unhandled: unknown[] = [];
const onUnhandled = (error: unknown) => void unhandled.push(error);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'carillon-redis-'));
  process.on('unhandledRejection', onUnhandled);
});
afterAll(async () => {
  process.off('unhandledRejection', onUnhandled);
  await rm(directory, { recursive: true, force: true });
});
beforeEach(async () => {
  resources = new AsyncDisposableStack();
  redis = await startRedis(directory);
  resources.defer(() => redis[Symbol.asyncDispose]());
  logged.length = 0;
});
afterEach(async () => {
  await resources.disposeAsync();
  // Unhandled rejections are told after the turn in which they came about.
  await new Promise((resolve) => setImmediate(resolve));
  expect(unhandled.splice(0)).toEqual([]);
});

const connect = async (): Promise<Topics> => resources.use(await connectRedisTopics(redis.url, logger));

async function channels(): Promise<string[]> {
  const client = new Redis(redis.url);
  try {
    return (await client.pubsub('CHANNELS', 'test:*')) as string[];
  } finally {
    client.disconnect();
  }
}

const stop = () => redis[Symbol.asyncDispose]();
const startAgain = async () => {
  redis = await startRedis(directory, redis.port);
};
/** Resolves when both connections are known to be lost. */
const lostBy = (topics: Topics) =>
  eventually(() =>
    topics.ping().then(
      () => false,
      () => true,
    ),
  );
const restoredOf = (topics: Topics): Promise<void> => new Promise((resolve) => topics.onRestored(resolve));

describe('a channel in Redis', () => {
  test('exists while somebody is subscribed, and is left with the last', async () => {
    const topics = await connect();
    const one = await topics.subscribe('test:a', () => {});
    const other = await topics.subscribe('test:a', () => {});
    expect(await channels()).toEqual(['test:a']);
    await one();
    await topics.ping();
    expect(await channels()).toEqual(['test:a']);
    await other();
    await eventually(async () => (await channels()).length === 0);
  });

  test('of each of many instances carries the messages of all', async () => {
    const instances = await Promise.all([connect(), connect(), connect()]);
    const heard = await Promise.all(
      instances.map(async (topics) => {
        const messages = new Messages();
        await topics.subscribe('test:all', messages.add);
        return messages;
      }),
    );
    for (const [index, topics] of instances.entries()) topics.publish('test:all', index);
    await Promise.all(heard.map((messages) => messages.count(3)));
    expect(heard.map(({ all }) => all.map(String).toSorted())).toEqual(instances.map(() => ['0', '1', '2']));
  });

  test('that carries what is no JSON hands it over as text', async () => {
    const topics = await connect();
    const messages = new Messages();
    await topics.subscribe('test:text', messages.add);
    const client = new Redis(redis.url);
    await client.publish('test:text', '{broken');
    client.disconnect();
    await messages.count(1);
    expect(messages.all).toEqual(['{broken']);
  });
});

describe('when Redis dies and comes back on the same port', () => {
  test('onRestored is called once subscriptions stand again', async () => {
    const topics = await connect();
    const messages = new Messages();
    await topics.subscribe('test:restored', messages.add);
    const restored = restoredOf(topics);
    await stop();
    await lostBy(topics);
    await startAgain();
    await restored;
    expect(await channels()).toEqual(['test:restored']);
    const client = new Redis(redis.url);
    await client.publish('test:restored', '"back"');
    client.disconnect();
    await messages.count(1);
    expect(messages.all).toEqual(['back']);
  });

  test('publishing meanwhile neither throws nor queues: it reaches this instance only, and at once', async () => {
    const [topics, other] = [await connect(), await connect()];
    const [here, there] = [new Messages(), new Messages()];
    await topics.subscribe('test:gone', here.add);
    await other.subscribe('test:gone', there.add);
    await stop();
    await Promise.all([lostBy(topics), lostBy(other)]);
    const restored = Promise.all([restoredOf(topics), restoredOf(other)]);
    for (let number = 0; number < 1000; number += 1) topics.publish('test:gone', number);
    await here.count(1000);
    await startAgain();
    await restored;
    await Promise.all([topics, other].map((one) => eventually(() => one.ping().then(() => true))));
    topics.publish('test:gone', 'after');
    await there.count(1);
    expect(there.all).toEqual(['after']);
    await here.count(1001);
    expect(logged.filter((line) => line.includes('out of reach')).length).toBeLessThanOrEqual(2);
  });

  test('subscribing meanwhile does not wait for its return, and holds after it', async () => {
    const topics = await connect();
    await stop();
    await lostBy(topics);
    const messages = new Messages();
    await topics.subscribe('test:early', messages.add);
    const leave = await topics.subscribe('test:left', () => {});
    await leave();
    const restored = restoredOf(topics);
    await startAgain();
    await restored;
    await eventually(() => topics.ping().then(() => true));
    topics.publish('test:early', 'heard');
    await messages.count(1);
    await eventually(async () => (await channels()).join() === 'test:early');
  });

  test('what was subscribed and left meanwhile is so afterwards', async () => {
    const topics = await connect();
    const leave = await topics.subscribe('test:leave', () => {});
    await topics.subscribe('test:stay', () => {});
    await stop();
    await lostBy(topics);
    await leave();
    const restored = restoredOf(topics);
    await startAgain();
    await restored;
    await eventually(async () => (await channels()).join() === 'test:stay');
  });

  test('an instance that could not publish for a while tells the others, whose connections held', async () => {
    const [topics, other] = [await connect(), await connect()];
    const restored = restoredOf(other);
    const client = new Redis(redis.url);
    // A user without rights is refused every PUBLISH, while its connection and all others hold.
    await client.call('ACL', 'SETUSER', 'default', '-publish');
    topics.publish('test:refused', 1);
    await eventually(() => logged.some((line) => line.includes('out of reach')));
    await client.call('ACL', 'SETUSER', 'default', '+publish');
    topics.publish('test:allowed', 2);
    await restored;
    client.disconnect();
  });

  test('a ping rejects while it is away, and answers afterwards', async () => {
    const topics = await connect();
    await stop();
    await lostBy(topics);
    await expect(topics.ping()).rejects.toThrow();
    await startAgain();
    await eventually(() => topics.ping().then(() => true));
  });
});

test('a Redis that accepts and never answers fails a ping within two seconds', async () => {
  const topics = await connect();
  process.kill(redis.pid, 'SIGSTOP');
  try {
    await expect(topics.ping()).rejects.toThrow(/timed out/);
  } finally {
    process.kill(redis.pid, 'SIGCONT');
  }
});

test.each(['running', 'gone'])('topics end at once with Redis %s, whatever is under way', async (state) => {
  const topics = await connect();
  await topics.subscribe('test:held', () => {});
  if (state === 'gone') {
    await stop();
    await lostBy(topics);
  }
  const leave = await topics.subscribe('test:leaving', () => {});
  const pending = topics.subscribe('test:pending', () => {});
  pending.catch(() => {});
  void leave();
  topics.publish('test:held', 'last');
  await topics[Symbol.asyncDispose]();
});

test('a subscription that Redis refuses rejects, and nothing else', async () => {
  const topics = await connect();
  const client = new Redis(redis.url);
  await client.call('ACL', 'SETUSER', 'default', 'resetchannels', '&carillon:*');
  client.disconnect();
  const fresh = await connect();
  await expect(fresh.subscribe('test:forbidden', () => {})).rejects.toThrow(/NOPERM/);
  await topics.ping();
});

describe('at the start', () => {
  test('a Redis that cannot be reached is a clear error', async () => {
    await stop();
    await expect(connectRedisTopics(redis.url, logger)).rejects.toThrow('Redis (REDIS_URL) cannot be reached');
  });

  test('something else that listens there is a clear error', async () => {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await expect(connectRedisTopics(`redis://127.0.0.1:${port}`, logger)).rejects.toThrow(
      'Redis (REDIS_URL) cannot be reached',
    );
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
});
