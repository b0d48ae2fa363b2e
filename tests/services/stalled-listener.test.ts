import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createInProcessTopics } from '../../src/pubsub/in-process.ts';
import type { InboxListener } from '../../src/services/inbox-listener.ts';
import { SlowConsumerError } from '../../src/services/inbox-listener.ts';
import { heapUsed } from '../support/heap.ts';
import { createHub } from './hub-support.ts';
import { type Services, newAddress, numbers, openServices, sendItems } from './support.ts';

const EVENTS = 20_000;
const AT_ONCE = 500;
const BOUND = 256;
const MAX_GROWTH_BYTES = 20 * 2 ** 20;

let services: Services;

beforeAll(async () => {
  services = await openServices();
});
afterAll(async () => {
  await services[Symbol.asyncDispose]();
});

/** Reads up to a version and keeps nothing. Answers with how often a version did not follow the one before it. */
async function readTo(listener: InboxListener, last: number): Promise<number> {
  let gaps = 0;
  let version = listener.head.version;
  while (version < last) {
    const { value } = await listener.next();
    if (value!.version !== version + 1 || value!.previousVersion !== version) gaps += 1;
    version = value!.version;
  }
  return gaps;
}

test('a listener that stops reading while 20,000 events come is ended at its bound and costs no memory; others miss nothing', async () => {
  await using topics = createInProcessTopics();
  await using hub = createHub(topics, services, BOUND);
  const address = newAddress();
  const publish = async (count: number) => {
    for (const event of await services.store(sendItems(address, count))) hub.publish(address, event);
  };
  // What is made once, such as prepared code, is there before the measurement.
  await publish(AT_ONCE);

  const slowness = Promise.withResolvers<void>();
  const stalled = await hub.listen(address, { onSlow: slowness.resolve });
  const { version: start } = stalled.head;
  const readers = [await hub.listen(address), await hub.listen(address, { additionsOnly: true })];
  const read = Promise.all(readers.map((reader) => readTo(reader, start + EVENTS)));
  const before = await heapUsed();
  const heaps: number[] = [];
  for (const nth of numbers(1, EVENTS / AT_ONCE)) {
    await publish(AT_ONCE);
    if (nth === 5) heaps.push(await heapUsed());
  }
  expect(await read).toEqual([0, 0]);
  await slowness.promise;
  heaps.push(await heapUsed());
  const growth = Math.max(...heaps) - before;
  console.info(`the heap grew by ${(growth / 2 ** 20).toFixed(1)} MB at most`);
  expect(growth).toBeLessThan(MAX_GROWTH_BYTES);

  await expect(stalled.next()).rejects.toBeInstanceOf(SlowConsumerError);
  expect(await stalled.next()).toEqual({ done: true, value: undefined });
  expect(hub.feedCount).toBe(1);
  await Promise.all(readers.map((reader) => reader.return()));
});

test('a listener that stops reading within its bound is kept, and has everything when it reads on', async () => {
  await using topics = createInProcessTopics();
  await using hub = createHub(topics, services, BOUND);
  const address = newAddress();
  const listener = await hub.listen(address);
  for (const event of await services.store(sendItems(address, BOUND))) hub.publish(address, event);
  expect(await readTo(listener, BOUND)).toBe(0);
  await listener.return();
});
