import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { InboxAddress } from '../../src/services/caller.ts';
import { withClient } from '../support/postgres.ts';
import { type Due, createDueWork } from './due-support.ts';
import { Reader } from './hub-support.ts';
import { outlineOf, readAll } from './replay-support.ts';
import { type Services, newAddress, numbers, openServices, sendItem } from './support.ts';

const HOUR_MS = 3_600_000;
const past = () => new Date(Date.now() - 1000);
const future = () => new Date(Date.now() + HOUR_MS);

let services: Services;
let one: Due;
let other: Due;

beforeAll(async () => {
  services = await openServices();
});
afterAll(async () => {
  await services[Symbol.asyncDispose]();
});
beforeEach(() => {
  one = createDueWork(services);
  other = createDueWork(services);
});
afterEach(async () => {
  await one[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
});

const count = (table: string): Promise<number> =>
  withClient(services.url, async (client) => {
    const { rows } = await client.query<{ count: number }>(`select count(*)::int as count from ${table}`);
    return rows[0]!.count;
  });

async function store(address: InboxAddress, times: readonly (Date | null)[]): Promise<string[]> {
  const items = times.map((expiresAt) => sendItem(address, { expiresAt }));
  await services.store(items);
  return items.map(({ id }) => id);
}

test('what has expired leaves as if deleted: one change, counted, with tombstones, told live; the rest stays', async () => {
  const address = newAddress();
  const ids = await store(address, [past(), future(), past(), null]);
  await services.changes.markRead(address, [ids[0]!]);
  await using reader = await Reader.open(one.hub, address);
  await one.run();
  await reader.reached(6);
  const gone = { kind: 'deleted', version: 6, previousVersion: 5, ids: [ids[0], ids[2]], recalled: false };
  expect(reader.events).toMatchObject([{ ...gone, unreadCount: 2, totalCount: 2 }]);
  const { head, notifications } = await services.log.page(address, { filter: {}, order: 'oldest', limit: 10 });
  expect(head).toMatchObject({ version: 6, unreadCount: 2, totalCount: 2 });
  expect(notifications.map(({ id }) => id)).toEqual([ids[1], ids[3]]);
  const { events } = await readAll(services.replays.after(address, 4));
  expect(events.map(outlineOf)).toMatchObject([{ ...gone, ids: [ids[0]!, ids[2]!].toSorted(), previousVersion: 4 }]);
});

test('what was recalled before it expired stays a row of its sender, and counts nowhere', async () => {
  const address = newAddress();
  const ids = await store(address, [past()]);
  await services.departures.recall(ids, { tenantId: 'acme', senderId: 'sender', windowMs: HOUR_MS });
  await one.run();
  expect(await services.log.head(address)).toMatchObject({ version: 2, totalCount: 0, unreadCount: 0 });
  expect(await services.log.findSent('acme', 'sender', ids[0]!)).toMatchObject({ status: 'RECALLED' });
});

test('many of many inboxes expire in steps, by two instances at once beside sends and readings, each once', async () => {
  const addresses = numbers(1, 30).map(newAddress);
  const before = await count('tombstone');
  const stored = await Promise.all(addresses.map((address) => store(address, Array.from({ length: 60 }, past))));
  const work = [
    one.run(),
    other.run(),
    ...addresses.map((address) => services.store([sendItem(address)])),
    ...addresses.map((address, index) => services.changes.markRead(address, stored[index]!.slice(0, 20))),
  ];
  await Promise.all(work);
  await one.run();
  expect((await count('tombstone')) - before).toBe(30 * 60);
  for (const head of (await services.log.heads(addresses)).values()) {
    expect(head).toMatchObject({ totalCount: 1, unreadCount: 1 });
  }
});

test('without anything that expires nothing is written', async () => {
  const address = newAddress();
  await store(address, [future(), null]);
  await one.run();
  expect(await services.log.head(address)).toMatchObject({ version: 2, totalCount: 2 });
});
