import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { NO_EPOCH } from '../../src/services/cursor.ts';
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
