import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import { NO_EPOCH, encodeCursor } from '../../src/services/cursor.ts';
import type { ChangeResult } from '../../src/services/inbox-changes.ts';
import { eventually } from '../support/eventually.ts';
import { withClient } from '../support/postgres.ts';
import { type Services, createRandom, newAddress, numbers, openServices, sendItems } from './support.ts';

let services: Services;

beforeAll(async () => {
  services = await openServices();
});
afterAll(async () => {
  await services[Symbol.asyncDispose]();
});

async function filledInbox(count: number) {
  const address = newAddress();
  const items = sendItems(address, count);
  await services.store(items);
  return { address, ids: items.map(({ id }) => id) };
}

const idsOf = ({ event }: ChangeResult): readonly string[] => (event && 'ids' in event ? event.ids : []);
const versionsOf = (results: ChangeResult[]): number[] =>
  results.flatMap(({ event }) => (event ? [event.version] : [])).toSorted((a, b) => a - b);

describe('marking as read', () => {
  test('is one change with one version, however many ids, in the order of the inbox', async () => {
    const { address, ids } = await filledInbox(5);
    const result = await services.changes.markRead(address, ids.toReversed());
    expect(result.unreadCount).toBe(0);
    expect(result.event).toMatchObject({
      kind: 'read',
      ids,
      version: 6,
      previousVersion: 5,
      unreadCount: 0,
      totalCount: 5,
    });
    const read = await services.log.find(address, ids[0]!);
    expect(read).toMatchObject({ status: 'READ', readAt: expect.any(Date) });
  });

  test('of what is read already, of unknown ids and in an inbox that does not exist changes nothing', async () => {
    const { address, ids } = await filledInbox(2);
    await services.changes.markRead(address, [ids[0]!]);
    const again = await services.changes.markRead(address, [ids[0]!, uuidv7()]);
    const { epoch } = await services.log.head(address);
    expect(again).toEqual({ event: undefined, unreadCount: 1, cursor: encodeCursor(epoch, 3) });
    expect(await services.changes.markRead(newAddress(), ids)).toEqual({
      event: undefined,
      unreadCount: 0,
      cursor: encodeCursor(NO_EPOCH, 0),
    });
    expect(await services.log.head(address)).toMatchObject({ version: 3, unreadCount: 1 });
  });

  test('never reaches another user’s or another tenant’s notification of the same id', async () => {
    const { address, ids } = await filledInbox(1);
    const neighbour = await filledInbox(1);
    const foreign = { tenantId: 'other', userId: address.userId };
    await services.store(sendItems(foreign, 1));
    for (const stranger of [neighbour.address, foreign]) {
      expect((await services.changes.markRead(stranger, ids)).event).toBeUndefined();
      expect((await services.changes.delete(stranger, ids)).event).toBeUndefined();
    }
    expect(await services.log.head(address)).toMatchObject({ version: 1, totalCount: 1, unreadCount: 1 });
  });

  test('the same ids by ten callers at once counts each id once', async () => {
    const { address, ids } = await filledInbox(50);
    const results = await Promise.all(numbers(1, 10).map(() => services.changes.markRead(address, ids)));
    expect(results.flatMap(idsOf).toSorted()).toEqual(ids.toSorted());
    expect(results.every(({ unreadCount }) => unreadCount === 0)).toBe(true);
    expect(await services.log.head(address)).toMatchObject({ version: 51, totalCount: 50, unreadCount: 0 });
  });

  test('overlapping ids by ten callers at once counts each id once, with consecutive versions', async () => {
    const { address, ids } = await filledInbox(60);
    const random = createRandom(3);
    const lists = numbers(1, 10).map(() => random.some(ids, 40));
    const results = await Promise.all(lists.map((list) => services.changes.markRead(address, list)));
    const read = results.flatMap(idsOf);
    expect(read.toSorted()).toEqual([...new Set(lists.flat())].toSorted());
    const changes = results.filter(({ event }) => event).length;
    expect(versionsOf(results)).toEqual(numbers(61, 60 + changes));
    expect(await services.log.head(address)).toMatchObject({ version: 60 + changes, unreadCount: 60 - read.length });
  });
});

describe('marking as unread', () => {
  test('takes a reading back: one change, with the notification as it is then', async () => {
    const { address, ids } = await filledInbox(3);
    await services.changes.markRead(address, ids.slice(0, 2));
    const { event, unreadCount, cursor } = await services.changes.markUnread(address, ids[0]!);
    const { epoch } = await services.log.head(address);
    expect([unreadCount, cursor]).toEqual([2, encodeCursor(epoch, 5)]);
    const notification = await services.log.find(address, ids[0]!);
    expect(notification).toMatchObject({ status: 'SENT', readAt: null, changeCursor: cursor });
    const counts = { unreadCount: 2, totalCount: 3 };
    expect(event).toEqual({ kind: 'updated', epoch, version: 5, previousVersion: 4, ...counts, notification });
  });

  test('of what is unread already, of an unknown id and in an inbox that does not exist changes nothing', async () => {
    const { address, ids } = await filledInbox(2);
    const { epoch } = await services.log.head(address);
    const nothing = { event: undefined, unreadCount: 2, cursor: encodeCursor(epoch, 2) };
    expect(await services.changes.markUnread(address, ids[0]!)).toEqual(nothing);
    expect(await services.changes.markUnread(address, uuidv7())).toEqual(nothing);
    expect(await services.changes.markUnread(newAddress(), ids[0]!)).toMatchObject({ event: undefined });
  });

  test('by ten callers at once counts once', async () => {
    const { address, ids } = await filledInbox(1);
    await services.changes.markRead(address, ids);
    const results = await Promise.all(numbers(1, 10).map(() => services.changes.markUnread(address, ids[0]!)));
    expect(versionsOf(results)).toEqual([3]);
    expect(await services.log.head(address)).toMatchObject({ version: 3, totalCount: 1, unreadCount: 1 });
  });

  test('never reaches another user’s notification', async () => {
    const { address, ids } = await filledInbox(1);
    await services.changes.markRead(address, ids);
    const neighbour = await filledInbox(1);
    expect((await services.changes.markUnread(neighbour.address, ids[0]!)).event).toBeUndefined();
    expect(await services.log.head(address)).toMatchObject({ version: 2, unreadCount: 0 });
  });
});

describe('deleting', () => {
  test('takes the unread ones off both counters, and the read ones off the total', async () => {
    const { address, ids } = await filledInbox(4);
    await services.changes.markRead(address, ids.slice(0, 1));
    const { event } = await services.changes.delete(address, ids.slice(0, 3));
    expect(event).toMatchObject({ kind: 'deleted', ids: ids.slice(0, 3), version: 6, totalCount: 1, unreadCount: 1 });
    expect(await services.log.find(address, ids[0]!)).toBeUndefined();
  });

  test('the same ids by ten callers at once counts each id once', async () => {
    const { address, ids } = await filledInbox(30);
    const results = await Promise.all(numbers(1, 10).map(() => services.changes.delete(address, ids)));
    expect(results.flatMap(idsOf).toSorted()).toEqual(ids.toSorted());
    expect(await services.log.head(address)).toMatchObject({ version: 31, totalCount: 0, unreadCount: 0 });
  });
});

test('sends, reads and deletions that race leave exact counters and consecutive versions', async () => {
  const { address, ids } = await filledInbox(120);
  const random = createRandom(4);
  const changes = numbers(1, 60).map(() => {
    const some = random.some(ids, 12);
    return random.chance(0.5) ? services.changes.markRead(address, some) : services.changes.delete(address, some);
  });
  const sends = numbers(1, 20).map(() => services.store(sendItems(address, 3)));
  const results = await Promise.all(changes);
  const added = (await Promise.all(sends)).flat();
  const versions = [...versionsOf(results), ...added.map(({ version }) => version)].toSorted((a, b) => a - b);
  expect(versions).toEqual(numbers(121, 120 + versions.length));
  const deleted = results.filter(({ event }) => event?.kind === 'deleted').flatMap(idsOf);
  expect(new Set(deleted).size).toBe(deleted.length);
  const { head, notifications } = await services.log.page(address, { filter: {}, order: 'oldest', limit: 1000 });
  expect(head).toMatchObject({
    version: versions.at(-1),
    totalCount: 180 - deleted.length,
    unreadCount: notifications.filter(({ readAt }) => readAt === null).length,
  });
  expect(notifications).toHaveLength(180 - deleted.length);
});

test.each([
  { order: 'read, delete' },
  { order: 'send, read, delete' },
  { order: 'read, delete, send, delete' },
  { order: 'delete, send, read' },
])('changes that wait for each other ($order) each count from what the one before has left', async ({ order }) => {
  const { address, ids } = await filledInbox(6);
  const waiting: Promise<unknown>[] = [];
  await withClient(services.url, async (holder) => {
    await holder.query('begin');
    await holder.query('select from inbox where user_id = $1 for update', [address.userId]);
    for (const kind of order.split(', ')) {
      if (kind === 'read') waiting.push(services.changes.markRead(address, ids));
      else if (kind === 'delete') waiting.push(services.changes.delete(address, ids));
      else waiting.push(services.store(sendItems(address, 2)));
      await eventually(() => locksAwaited(waiting.length));
    }
    await holder.query('commit');
  });
  await Promise.all(waiting);
  const { head, notifications } = await services.log.page(address, { filter: {}, order: 'oldest', limit: 100 });
  const unreadCount = notifications.filter(({ readAt }) => readAt === null).length;
  expect(head).toMatchObject({ totalCount: notifications.length, unreadCount });
});

const locksAwaited = (count: number): Promise<boolean> =>
  withClient(services.url, async (client) => {
    const { rowCount } = await client.query(
      "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
    );
    return rowCount === count;
  });
