import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Topics } from '../../src/pubsub/topics.ts';
import { Exchange, createInstanceTopics, createWorkerTopics } from '../../src/pubsub/workers.ts';
import { eventually } from '../support/eventually.ts';
import { Messages } from '../support/messages.ts';
import { type ChannelPair, createChannelPair } from './channel.ts';

/** More than the channel holds for a peer that does not read. */
const MEGABYTES = 20;
const megabyte = 'x'.repeat(1024 * 1024);

interface TestWorker extends ChannelPair {
  topics: Topics;
  /** How often it was told that messages may have been lost. */
  restored: Messages<true>;
}

let exchange: Exchange;
let workers: TestWorker[];
let one: TestWorker;
let other: TestWorker;
let third: TestWorker;

beforeEach(() => {
  exchange = new Exchange();
  workers = Array.from({ length: 3 }, () => {
    const channel = createChannelPair();
    exchange.join(channel.ofPrimary);
    const topics = createWorkerTopics(channel.ofWorker);
    const restored = new Messages<true>();
    topics.onRestored(() => restored.add(true));
    return { ...channel, topics, restored };
  });
  [one, other, third] = workers as [TestWorker, TestWorker, TestWorker];
});
afterEach(async () => {
  for (const { topics, toPrimary } of workers) {
    toPrimary.release();
    await topics[Symbol.asyncDispose]();
  }
});

/** Resolves when the primary has handled everything that the worker has said, and the worker what it answered. */
const settled = ({ topics }: TestWorker): Promise<void> => topics.ping();

const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

describe('a subscription', () => {
  test('resolves when the primary has acknowledged it, and not before', async () => {
    one.toPrimary.hold();
    let resolved = false;
    const subscribing = one.topics.subscribe('topic', () => {}).then(() => (resolved = true));
    await turns(20);
    expect({ resolved, topics: exchange.topicCount }).toEqual({ resolved: false, topics: 0 });
    one.toPrimary.release();
    await subscribing;
    expect(exchange.topicCount).toBe(1);
  });

  test('of a second subscriber waits for the same acknowledgement', async () => {
    one.toPrimary.hold();
    const first = one.topics.subscribe('topic', () => {});
    let resolved = false;
    const second = one.topics.subscribe('topic', () => {}).then(() => (resolved = true));
    await turns(20);
    expect(resolved).toBe(false);
    one.toPrimary.release();
    await Promise.all([first, second]);
  });

  test('gets everything that others publish from then on, in order', async () => {
    const messages = new Messages<number>();
    await one.topics.subscribe('topic', messages.add as (message: unknown) => void);
    for (let number = 0; number < 100; number += 1) {
      other.topics.publish('topic', number);
      if (number % 7 === 0) await turns(1);
    }
    expect(await messages.count(100)).toEqual(Array.from({ length: 100 }, (_, number) => number));
  });

  test('ends at the primary with the last subscriber, however often each of them leaves', async () => {
    const leave = await one.topics.subscribe('topic', () => {});
    const leaveToo = await one.topics.subscribe('topic', () => {});
    const leaveElsewhere = await other.topics.subscribe('topic', () => {});
    await Promise.all([leave(), leave(), leave()]);
    await settled(one);
    const messages = new Messages();
    const leaveLast = await one.topics.subscribe('topic', messages.add);
    await leaveToo();
    other.topics.publish('topic', 'still heard');
    await messages.count(1);
    await leaveLast();
    await settled(one);
    expect(exchange.topicCount).toBe(1);
    await leaveElsewhere();
    await settled(other);
    expect(exchange.topicCount).toBe(0);
  });

  test('that ends and begins again and again leaves nothing behind', async () => {
    for (let round = 0; round < 200; round += 1) {
      const leaving = await Promise.all(workers.map(({ topics }) => topics.subscribe(`topic ${round % 3}`, () => {})));
      for (const leave of leaving) void leave();
    }
    await Promise.all(workers.map(settled));
    expect(exchange.topicCount).toBe(0);
  });
});

describe('a message', () => {
  test('is heard by its own worker at once, and once', async () => {
    const [own, far] = [new Messages(), new Messages()];
    await Promise.all([one.topics.subscribe('topic', own.add), other.topics.subscribe('topic', far.add)]);
    const at = new Date();
    one.topics.publish('topic', { at });
    expect(own.all).toEqual([{ at }]);
    expect(await far.count(1)).toEqual([{ at: at.toISOString() }]);
    await settled(one);
    expect(own.all).toHaveLength(1);
  });

  test('goes to those workers that listen to its topic, and to no other', async () => {
    const messages = new Messages();
    await other.topics.subscribe('topic', messages.add);
    const leave = await third.topics.subscribe('topic', () => {});
    await third.topics.subscribe('another topic', () => {});
    await leave();
    await settled(third);
    const before = third.toWorker.delivered.length;
    one.topics.publish('topic', 'message');
    await messages.count(1);
    await turns(5);
    expect(third.toWorker.delivered).toHaveLength(before);
  });

  test('crosses together with all others of its turn', async () => {
    const messages = new Messages();
    await other.topics.subscribe('topic', messages.add);
    const [sent, passedOn] = [one.toPrimary.delivered.length, other.toWorker.delivered.length];
    for (let number = 0; number < 1000; number += 1) one.topics.publish('topic', number);
    await messages.count(1000);
    expect(one.toPrimary.delivered).toHaveLength(sent + 1);
    expect(other.toWorker.delivered).toHaveLength(passedOn + 1);
  });
});

describe('what may have been lost', () => {
  test('with a worker that is gone is told to the others, and its topics are forgotten', async () => {
    const messages = new Messages();
    await one.topics.subscribe('its own', () => {});
    await one.topics.subscribe('common', () => {});
    await other.topics.subscribe('common', messages.add);
    one.topics.publish('common', 'last words');
    exchange.leave(one.ofPrimary);
    expect(exchange.topicCount).toBe(1);
    await Promise.all([other.restored.count(1), third.restored.count(1)]);
    // What it had said arrives all the same; what it asks for is nobody's wish any more.
    await messages.count(1);
    void one.topics.subscribe('too late', () => {});
    await turns(5);
    expect(exchange.topicCount).toBe(1);
    expect(one.restored.all).toEqual([]);
  });

  test('because the primary did not read is told to the others when it reads again', async () => {
    const [own, far] = [new Messages(), new Messages()];
    await one.topics.subscribe('topic', own.add);
    await other.topics.subscribe('topic', far.add);
    one.toPrimary.hold();
    for (let number = 0; number < MEGABYTES; number += 1) {
      one.topics.publish('topic', megabyte);
      await turns(1);
    }
    expect(own.all).toHaveLength(MEGABYTES);
    one.toPrimary.release();
    await Promise.all([other.restored.count(1), third.restored.count(1)]);
    expect(far.all.length).toBeLessThan(MEGABYTES);
    expect(one.restored.all).toEqual([]);
    one.topics.publish('topic', 'heard again');
    await eventually(() => far.all.at(-1) === 'heard again');
  });

  test('because a worker did not read is told to that one when it reads again', async () => {
    const messages = new Messages();
    await other.topics.subscribe('topic', messages.add);
    other.toWorker.hold();
    for (let number = 0; number < MEGABYTES; number += 1) {
      one.topics.publish('topic', megabyte);
      await turns(3);
    }
    other.toWorker.release();
    await other.restored.count(1);
    expect(messages.all.length).toBeLessThan(MEGABYTES);
    expect([one.restored.all, third.restored.all]).toEqual([[], []]);
    // Nothing is lost of what keeps subscriptions right.
    const late = new Messages();
    await other.topics.subscribe('another topic', late.add);
    one.topics.publish('another topic', 'heard');
    await late.count(1);
  });
});

test('a ping fails within two seconds when the primary does not answer', async () => {
  one.toPrimary.hold();
  const asked = performance.now();
  await expect(one.topics.ping()).rejects.toThrow('the primary does not answer');
  expect(performance.now() - asked).toBeLessThan(2000);
});

test('messages of others on the same channel are nobody’s business here', async () => {
  const messages = new Messages();
  await one.topics.subscribe('topic', messages.add);
  for (const message of ['text', 5, { kind: 'stop' }, { 'watch:import': ['file'] }]) {
    one.ofWorker.send(message as object, () => {});
    one.ofPrimary.send(message as object, () => {});
  }
  other.topics.publish('topic', 'message');
  expect(await messages.count(1)).toEqual(['message']);
});

test('a process that is no worker of ours has topics within itself, whatever the number of workers', async () => {
  for (const count of [1, 2]) {
    await using topics = createInstanceTopics(count);
    const messages = new Messages();
    await topics.subscribe('topic', messages.add);
    topics.publish('topic', 'message');
    expect(messages.all).toEqual(['message']);
  }
});
