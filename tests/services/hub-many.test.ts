import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { Client } from 'pg';
import { createInProcessTopics } from '../../src/pubsub/in-process.ts';
import type { InboxAddress } from '../../src/services/caller.ts';
import type { InboxEvent } from '../../src/services/inbox-event.ts';
import { Reader, createHub } from './hub-support.ts';
import { type Services, newAddress, numbers, openServices, sendItem } from './support.ts';

const LISTENERS = 5000;
const MISSED = 2;
const WITHIN_MS = 10_000;
const LISTENERS_PER_QUERY = 50;

let services: Services;
const addresses = numbers(1, LISTENERS).map(newAddress);
let epochs: string[];

/** The version of every inbox. */
let newest = 0;

async function sendToAll(then: (address: InboxAddress, event: InboxEvent) => void): Promise<void> {
  const events = await services.store(addresses.map((address) => sendItem(address)));
  for (const [place, event] of events.entries()) then(addresses[place]!, event);
  newest += 1;
}

/** Statements since the last test began, of all connections of this process. */
let statements = 0;
const client = Client.prototype as { query: (...args: unknown[]) => unknown };
const { query } = client;

beforeAll(async () => {
  client.query = function count(...args) {
    statements += 1;
    return Reflect.apply(query, this, args);
  };
  services = await openServices();
  for (const _ of numbers(1, 2 * MISSED)) await sendToAll(() => {});
  const heads = await services.log.heads(addresses);
  epochs = addresses.map((_, place) => heads.get(place)!.epoch);
});
afterAll(async () => {
  client.query = query;
  await services[Symbol.asyncDispose]();
});
beforeEach(() => {
  statements = 0;
});

test.each([
  { what: 'missed two notifications each', missed: MISSED },
  { what: 'missed nothing', missed: 0 },
])('five thousand listeners that come back at once and $what are caught up by few queries', async ({ missed }) => {
  await using topics = createInProcessTopics();
  await using hub = createHub(topics, services);
  const began = performance.now();
  const readers = await Promise.all(
    addresses.map((address, place) =>
      Reader.open(hub, address, { after: { epoch: epochs[place]!, version: newest - missed } }),
    ),
  );
  if (missed > 0) await Promise.all(readers.map((reader) => reader.reached(newest)));
  const took = performance.now() - began;
  console.info(`${LISTENERS} listeners caught up by ${statements} queries in ${Math.round(took)} ms`);
  expect(statements).toBeLessThanOrEqual(LISTENERS / LISTENERS_PER_QUERY);
  expect(took).toBeLessThan(WITHIN_MS);

  // One more for each shows that nothing else came before it, and that all are live.
  await sendToAll((address, event) => hub.publish(address, event));
  await Promise.all(readers.map((reader) => reader.reached(newest)));
  for (const reader of readers) expect(reader.versions).toEqual(numbers(newest - missed, newest));
});
