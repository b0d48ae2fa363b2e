import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createLogger } from '../../src/logger.ts';
import { createInProcessTopics } from '../../src/pubsub/in-process.ts';
import { connectRedisTopics } from '../../src/pubsub/redis.ts';
import type { Topics } from '../../src/pubsub/topics.ts';
import { Exchange, createWorkerTopics } from '../../src/pubsub/workers.ts';
import { Messages } from '../support/messages.ts';
import { createChannelPair } from './channel.ts';

const redisUrl = process.env['TEST_REDIS_URL'] as string;
const logger = createLogger({ level: 'silent', format: 'json' });

function joinWorker(exchange: Exchange): Topics {
  const { ofPrimary, ofWorker } = createChannelPair();
  exchange.join(ofPrimary);
  return createWorkerTopics(ofWorker);
}

/** One of them publishes, the other one subscribes. */
function joinTwoWorkers(): Topics {
  const exchange = new Exchange();
  const [publisher, subscriber] = [joinWorker(exchange), joinWorker(exchange)];
  return { ...subscriber, publish: (on, message) => publisher.publish(on, message) };
}

let nth = 0;
let topic: string;
let topics: Topics;

describe.each<[string, () => Promise<Topics>]>([
  ['within one process', async () => createInProcessTopics()],
  ['on Redis', async () => connectRedisTopics(redisUrl, logger)],
  ['within a worker', async () => joinWorker(new Exchange())],
  ['from one worker to another', async () => joinTwoWorkers()],
])('topics %s', (_where, connect) => {
  beforeEach(async () => {
    topic = `test:${process.pid}:${(nth += 1)}:ü "%`;
    topics = await connect();
  });
  afterEach(async () => {
    await topics[Symbol.asyncDispose]();
  });

  test('hand over everything that is published once subscribe has resolved, in order', async () => {
    for (let round = 0; round < 20; round += 1) {
      const messages = new Messages();
      const unsubscribe = await topics.subscribe(topic, messages.add);
      for (let number = 0; number < 50; number += 1) topics.publish(topic, { number });
      await messages.count(50);
      expect(messages.all).toEqual(Array.from({ length: 50 }, (_, number) => ({ number })));
      await unsubscribe();
    }
  });

  test('hand each message to every subscriber of the topic, once, and to nobody else', async () => {
    const listeners = Array.from({ length: 20 }, () => new Messages());
    const other = new Messages();
    await Promise.all([
      ...listeners.map((messages) => topics.subscribe(topic, messages.add)),
      topics.subscribe(`${topic} other`, other.add),
    ]);
    topics.publish(topic, 'first');
    topics.publish(`${topic} other`, 'other');
    await Promise.all([...listeners, other].map((messages) => messages.count(1)));
    expect(listeners.map(({ all }) => all)).toEqual(listeners.map(() => ['first']));
    expect(other.all).toEqual(['other']);
  });

  test.each([null, 0, '', 'text', true, [], { a: [{ b: null }] }, { text: 'ü \u2028 \u{1F514}' }])(
    'carry %j as it is',
    async (value) => {
      const messages = new Messages();
      await topics.subscribe(topic, messages.add);
      topics.publish(topic, value);
      await messages.count(1);
      expect(messages.all).toEqual([value]);
    },
  );

  test('hand over nothing more once unsubscribe has resolved, and go on for the others', async () => {
    const [leaving, staying] = [new Messages(), new Messages()];
    const unsubscribe = await topics.subscribe(topic, leaving.add);
    await topics.subscribe(topic, staying.add);
    topics.publish(topic, 1);
    await Promise.all([leaving.count(1), staying.count(1)]);
    await unsubscribe();
    topics.publish(topic, 2);
    await staying.count(2);
    expect(leaving.all).toEqual([1]);
  });

  test('can be left and subscribed again at once, any number of times', async () => {
    const messages = new Messages();
    for (let round = 0; round < 200; round += 1) {
      const [one, other] = await Promise.all([topics.subscribe(topic, () => {}), topics.subscribe(topic, () => {})]);
      void one();
      void other();
    }
    await topics.subscribe(topic, messages.add);
    topics.publish(topic, 'still here');
    await messages.count(1);
    expect(messages.all).toEqual(['still here']);
  });

  test('answer a ping', async () => {
    await topics.ping();
  });
});
