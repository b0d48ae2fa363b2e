import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { CarillonError } from '../../src/errors.ts';
import { decodeCursor } from '../../src/services/cursor.ts';
import type { SendItem } from '../../src/services/send-item.ts';
import { createSendWriter } from '../../src/services/send-writer.ts';
import { withClient } from '../support/postgres.ts';
import {
  type Services,
  createRandom,
  eventOf,
  newAddress,
  numbers,
  openServices,
  resultOf,
  sendItem,
  sendItems,
} from './support.ts';

let services: Services;

beforeAll(async () => {
  services = await openServices();
});
afterAll(async () => {
  await services[Symbol.asyncDispose]();
});

test('a send by itself is stored as one among others is', async () => {
  const [alone, among] = [newAddress(), newAddress()];
  const content: Partial<SendItem> = {
    type: 'TASK',
    priority: 'URGENT',
    title: 'A title',
    content: 'Some content',
    link: '/a/b',
    data: { a: [1, 'b', null] },
    dataJson: '{"a":[1,"b",null]}',
    relatedType: 'order',
    relatedId: '42',
  };
  const own = sendItem(alone, content);
  const others = [sendItem(among, content), sendItem(newAddress())];
  const [one] = await services.store([own]);
  const [other] = await services.store(others);
  const readBack = async (address: typeof alone) =>
    (await services.log.page(address, { filter: {}, order: 'newest', limit: 5 })).notifications;
  const its = { id: '', cursor: '', changeCursor: '', recipientId: '', createdAt: new Date(0) };
  const [stored] = await readBack(alone);
  expect({ ...stored, ...its }).toEqual({ ...(await readBack(among))[0], ...its });
  expect({ ...one, epoch: '', notification: undefined }).toEqual({ ...other, epoch: '', notification: undefined });
  expect(one).toMatchObject({ kind: 'added', notification: stored });
  expect(await services.store([sendItem(alone)])).toMatchObject([{ version: 2, unreadCount: 2, totalCount: 2 }]);
});

describe('one batch', () => {
  test('gives one recipient consecutive versions from 1, and each event the counters of its own moment', async () => {
    const address = newAddress();
    const events = await services.store(sendItems(address, 25));
    expect(events.map(({ version }) => version)).toEqual(numbers(1, 25));
    expect(events.map(({ previousVersion }) => previousVersion)).toEqual(numbers(0, 24));
    expect(events.map(({ totalCount }) => totalCount)).toEqual(numbers(1, 25));
    expect(events.map(({ unreadCount }) => unreadCount)).toEqual(numbers(1, 25));
    expect(await services.log.head(address)).toMatchObject({ version: 25, totalCount: 25, unreadCount: 25 });
  });

  test('keeps the order of the items within each of many interleaved recipients', async () => {
    const addresses = Array.from({ length: 7 }, newAddress);
    const items = numbers(0, 69).map((nth) => sendItem(addresses[nth % 7]!, { title: `${nth}` }));
    await services.store(items);
    for (const [nth, address] of addresses.entries()) {
      const { notifications } = await services.log.page(address, { filter: {}, order: 'oldest', limit: 100 });
      expect(notifications.map(({ title }) => title)).toEqual(numbers(0, 9).map((row) => `${row * 7 + nth}`));
    }
  });

  test('sets the epoch of an inbox once: all cursors of its life share it, and other inboxes have another', async () => {
    const [one, other] = [newAddress(), newAddress()];
    const first = await services.store([...sendItems(one, 3), ...sendItems(other, 1)]);
    const second = await services.store(sendItems(one, 3));
    const epochs = (events: { epoch: string }[]) => new Set(events.map(({ epoch }) => epoch));
    expect(epochs([...first.slice(0, 3), ...second]).size).toBe(1);
    expect(first[3]!.epoch).not.toBe(first[0]!.epoch);
    for (const event of second) {
      const cursor = event.kind === 'added' ? event.notification.cursor : '';
      expect(decodeCursor(cursor, 'after')).toEqual({ epoch: event.epoch, version: event.version });
    }
  });

  test('goes on from what was read and deleted before', async () => {
    const address = newAddress();
    const items = sendItems(address, 4);
    await services.store(items);
    await services.changes.markRead(address, [items[0]!.id]);
    await services.changes.delete(address, [items[1]!.id]);
    const [event] = await services.store(sendItems(address, 1));
    expect(event).toMatchObject({ version: 7, previousVersion: 6, totalCount: 4, unreadCount: 3 });
  });

  test('keeps users of different tenants apart, and ids with any characters', async () => {
    const one = { tenantId: 'a', userId: 'b:c "\u{1F514}\'' };
    const other = { tenantId: 'a:b', userId: 'c "\u{1F514}\'' };
    await services.store([sendItem(one), sendItem(other), sendItem(one)]);
    expect(await services.log.head(one)).toMatchObject({ version: 2 });
    expect(await services.log.head(other)).toMatchObject({ version: 1 });
  });
});

test('concurrent batches of two writers to the same inboxes leave no gap, no duplicate, and do not deadlock', async () => {
  const random = createRandom(1);
  const addresses = Array.from({ length: 12 }, newAddress);
  const otherWriter = createSendWriter(services.database, 1000);
  const batches = Array.from({ length: 60 }, () =>
    Array.from({ length: 30 }, () => sendItem(addresses[random.below(addresses.length)]!)),
  );
  const results = await Promise.all(batches.map((batch, index) => (index % 2 ? otherWriter : services.write)(batch)));
  const events = results.flat().map(eventOf);
  for (const address of addresses) {
    const own = events.filter((event) => event.kind === 'added' && event.notification.recipientId === address.userId);
    const versions = own.map(({ version }) => version).toSorted((a, b) => a - b);
    expect(versions).toEqual(numbers(1, own.length));
    expect(own.every(({ version, totalCount, unreadCount }) => version === totalCount && version === unreadCount)).toBe(
      true,
    );
    const { notifications } = await services.log.page(address, { filter: {}, order: 'oldest', limit: 1000 });
    expect(notifications.map(({ cursor }) => decodeCursor(cursor, 'after').version)).toEqual(numbers(1, own.length));
    expect(await services.log.head(address)).toMatchObject({ version: own.length, totalCount: own.length });
  }
});

describe('an idempotency key', () => {
  test('that two writers contend for, in opposite orders, stores each notification once and answers all alike', async () => {
    const address = newAddress();
    const keys = numbers(1, 40).map((nth) => `contended ${nth}`);
    const batch = (names: string[]) => names.map((key) => sendItem(address, { title: key, idempotencyKey: key }));
    const answers = await Promise.all(
      numbers(1, 12).map((nth) => services.write(batch(nth % 2 ? keys : keys.toReversed()))),
    );
    for (const key of keys) {
      const ids = answers
        .flat()
        .map(resultOf)
        .filter(({ notification }) => notification.title === key);
      expect(ids).toHaveLength(12);
      expect(new Set(ids.map(({ notification }) => `${notification.id} ${notification.cursor}`)).size).toBe(1);
      expect(ids.filter(({ event }) => event)).toHaveLength(1);
    }
    expect(await services.log.head(address)).toMatchObject({ version: 40, totalCount: 40 });
  });

  test('used again with other content is a CONFLICT, and its neighbours are stored', async () => {
    const address = newAddress();
    const send = (title: string) => sendItem(address, { title, idempotencyKey: 'conflicting' });
    await services.store([send('one')]);
    const [conflict, neighbour, repetition] = [
      ...(await services.write([send('other'), sendItem(address)])),
      ...(await services.write([send('one')])),
    ];
    expect(conflict).toBeInstanceOf(CarillonError);
    expect(conflict).toMatchObject({ code: 'CONFLICT', field: 'idempotencyKey' });
    expect(eventOf(neighbour)).toMatchObject({ version: 2 });
    expect(resultOf(repetition).event).toBeUndefined();
  });

  test('belongs to its sender and tenant', async () => {
    const address = newAddress();
    const other = { ...newAddress(), tenantId: 'other' };
    const key = { idempotencyKey: 'shared name' };
    const items = [sendItem(address, key), sendItem(address, { ...key, senderId: 'another' }), sendItem(other, key)];
    expect(new Set((await services.store(items)).map(({ epoch, version }) => `${epoch} ${version}`)).size).toBe(3);
  });

  test('still answers with the first notification, and its cursor, after that was deleted', async () => {
    const address = newAddress();
    const item = sendItem(address, { idempotencyKey: 'deleted' });
    const [event] = await services.store([sendItem(address), item].slice(1));
    await services.changes.delete(address, [item.id]);
    const [again] = await services.write([sendItem(address, { idempotencyKey: 'deleted' })]);
    expect(resultOf(again).notification).toMatchObject({ id: item.id });
    expect(event?.kind === 'added' && event.notification.cursor).toBe(resultOf(again).notification.cursor);
  });

  test('is free again when its window has passed', async () => {
    const address = newAddress();
    const [first] = await services.store([sendItem(address, { idempotencyKey: 'old' })]);
    await withClient(services.url, (client) =>
      client.query("update idempotency_key set created_at = created_at - interval '24 hours' where key = 'old'"),
    );
    const [second] = await services.store([sendItem(address, { title: 'other', idempotencyKey: 'old' })]);
    expect([first!.version, second!.version]).toEqual([1, 2]);
    const [repeated] = await services.write([sendItem(address, { title: 'other', idempotencyKey: 'old' })]);
    expect(resultOf(repeated).notification.id).toBe(second?.kind === 'added' && second.notification.id);
  });
});
