import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { NO_EPOCH, decodeCursor } from '../../src/services/cursor.ts';
import type { PageRequest } from '../../src/services/inbox-page-reader.ts';
import { recordStatements } from '../bench/statements.ts';
import { type Services, createRandom, newAddress, numbers, openServices, sendItem, sendItems } from './support.ts';

let services: Services;

beforeAll(async () => {
  services = await openServices();
});
afterAll(async () => {
  await services[Symbol.asyncDispose]();
});

describe('an inbox that does not exist', () => {
  test('has the empty head, no page, no changes and counts nothing', async () => {
    const nobody = newAddress();
    const head = { epoch: NO_EPOCH, version: 0, totalCount: 0, unreadCount: 0, horizon: 0 };
    expect(await services.log.head(nobody)).toEqual(head);
    expect(await services.replays.after(nobody, 0).next()).toEqual({
      head,
      events: [],
      complete: true,
      expired: false,
    });
    const page = await services.log.page(nobody, { filter: {}, order: 'newest', limit: 10 });
    expect(page).toEqual({ head: undefined, notifications: [] });
    expect(await services.log.count(nobody, { types: ['TASK'] })).toBe(0);
  });

  test('leaves its place empty among the heads of others', async () => {
    const [one, other] = [newAddress(), newAddress()];
    await services.store([...sendItems(one, 2), ...sendItems(other, 1)]);
    const heads = await services.log.heads([one, newAddress(), other]);
    expect(new Map([...heads].map(([place, { version }]) => [place, version]))).toEqual(
      new Map([
        [0, 2],
        [2, 1],
      ]),
    );
  });
});

test('an inbox is listed newest first or oldest first, and in pages that meet without a gap', async () => {
  const address = newAddress();
  const items = sendItems(address, 100);
  await services.store(items);
  const ids = items.map(({ id }) => id);
  const gone = createRandom(1).some(ids, 60);
  await services.changes.delete(address, gone);
  const left = ids.filter((id) => !gone.includes(id));
  const list = async (order: 'newest' | 'oldest') => {
    const listed: string[] = [];
    for (let offset = 0; ; offset += 7) {
      const { notifications } = await services.log.page(address, { filter: {}, order, limit: 7, offset });
      listed.push(...notifications.map(({ id }) => id));
      if (notifications.length < 7) return listed;
    }
  };
  expect(await list('oldest')).toEqual(left);
  expect(await list('newest')).toEqual(left.toReversed());
});

test('pages that are asked for together are each their own, and share statements', async () => {
  const random = createRandom(3);
  const inboxes = numbers(1, 12).map((count) => ({
    address: newAddress(),
    items: count === 5 ? [] : numbers(1, count),
  }));
  for (const { address, items } of inboxes) {
    if (items.length > 0) await services.store(sendItems(address, items.length));
  }
  const asked = numbers(1, 200).map(() => {
    const { address, items } = inboxes[random.below(inboxes.length)]!;
    const [after, before] = [random.below(4), 8 + random.below(6)];
    const bounds = { ...(random.chance(0.5) ? { after } : {}), ...(random.chance(0.5) ? { before } : {}) };
    const request = { filter: {}, order: random.chance(0.8) ? 'newest' : 'oldest', limit: random.below(6), ...bounds };
    const inOrder = request.order === 'newest' ? items.toReversed() : items;
    const within = inOrder.filter(
      (seq) => seq > (bounds.after ?? 0) && seq < (bounds.before ?? Number.POSITIVE_INFINITY),
    );
    return { address, request: request as PageRequest, expected: within.slice(0, request.limit), size: items.length };
  });
  const statements = await recordStatements(async () => {
    const pages = await Promise.all(asked.map(({ address, request }) => services.log.page(address, request)));
    for (const [index, { address, expected, size }] of asked.entries()) {
      const { head, notifications } = pages[index]!;
      expect(head?.totalCount ?? 0).toBe(size);
      expect(notifications.map(({ cursor }) => decodeCursor(cursor, 'after').version)).toEqual(expected);
      expect(new Set(notifications.map(({ recipientId }) => recipientId)).size).toBeLessThan(2);
      if (notifications[0]) expect(notifications[0].recipientId).toBe(address.userId);
    }
  });
  expect(statements.length).toBeLessThan(30);
});

test('filters narrow pages and counts alike', async () => {
  const address = newAddress();
  const items = numbers(0, 23).map((nth) =>
    sendItem(address, { type: nth % 2 ? 'TASK' : 'ALERT', priority: nth % 3 ? 'LOW' : 'URGENT' }),
  );
  await services.store(items);
  await services.changes.markRead(
    address,
    items.slice(0, 8).map(({ id }) => id),
  );
  const filters = [
    { filter: {}, count: 24 },
    { filter: { unread: true }, count: 16 },
    { filter: { unread: false }, count: 8 },
    { filter: { types: ['TASK' as const] }, count: 12 },
    { filter: { types: ['TASK' as const, 'ALERT' as const], priorities: ['URGENT' as const] }, count: 8 },
    { filter: { types: ['TASK' as const], priorities: ['LOW' as const], unread: true }, count: 5 },
    { filter: { types: [] }, count: 0 },
  ];
  for (const { filter, count } of filters) {
    const { notifications } = await services.log.page(address, { filter, order: 'newest', limit: 100 });
    expect(notifications).toHaveLength(count);
    expect(await services.log.count(address, filter)).toBe(count);
  }
});
