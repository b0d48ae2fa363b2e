import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { InboxAddress } from '../../src/services/caller.ts';
import { NO_EPOCH } from '../../src/services/cursor.ts';
import type { InboxEvent } from '../../src/services/inbox-event.ts';
import { InboxModel } from './inbox-model.ts';
import { type Services, createRandom, newAddress, numbers, openServices, sendItem, sendItems } from './support.ts';

const SEED = 20_261_123;
const OPERATIONS = 300;

let services: Services;

beforeAll(async () => {
  services = await openServices();
});
afterAll(async () => {
  await services[Symbol.asyncDispose]();
});

/** The parts that a model can foretell; ids that changed together have no order of their own. */
const outline = (event: InboxEvent) => ({
  kind: event.kind,
  version: event.version,
  previousVersion: event.previousVersion,
  ids: event.kind === 'added' ? [event.notification.id] : event.ids.toSorted(),
});

function apply(reader: Map<string, boolean>, event: InboxEvent): void {
  if (event.kind === 'added') reader.set(event.notification.id, event.notification.readAt !== null);
  else
    for (const id of event.ids)
      if (event.kind === 'deleted') reader.delete(id);
      else reader.set(id, true);
}

/** All pages from a position on, each with the position that it began at. */
async function changesFrom(address: InboxAddress, after: number, limit: number) {
  const pages = [];
  let position = after;
  for (;;) {
    const { events, head, complete } = await services.log.changesSince(address, position, limit);
    const versions = events.map(({ version }) => version);
    expect(versions).toEqual([...new Set(versions)].toSorted((a, b) => a - b));
    pages.push({ events, position });
    expect(events.every(({ version }) => version > position && version <= head.version)).toBe(true);
    if (complete) return pages;
    position = events.at(-1)!.version;
  }
}

describe('a random history of a few hundred operations', () => {
  const address = newAddress();
  const model = new InboxModel();

  beforeAll(async () => {
    const random = createRandom(SEED);
    for (let operation = 0; operation < OPERATIONS; operation += 1) {
      if (model.ids.length < 3 || random.chance(0.5)) {
        const items = sendItems(address, 1 + random.below(4));
        await services.store(items);
        for (const { id } of items) model.add(id);
      } else {
        const ids = random.some(model.ids, 6);
        const reads = random.chance(0.6);
        const { event } = reads
          ? await services.changes.markRead(address, ids)
          : await services.changes.delete(address, ids);
        expect(event && event.kind !== 'added' ? event.ids.toSorted() : []).toEqual(
          (reads ? model.read(ids) : model.delete(ids)).toSorted(),
        );
      }
    }
  });

  test('has the head that the model has', async () => {
    expect(await services.log.head(address)).toMatchObject(model.head);
  });

  test('is told from every position as exactly the suffix that the model foretells', async () => {
    for (const after of numbers(0, model.head.version)) {
      const { events, head, complete } = await services.log.changesSince(address, after, 10_000);
      expect(complete).toBe(true);
      expect(head).toMatchObject(model.head);
      expect(events.map(outline)).toEqual(model.changesSince(after));
    }
  });

  test.each([
    { limit: 1, step: 200 },
    { limit: 3, step: 50 },
    { limit: 40, step: 7 },
  ])('is told in pages of $limit that cut no group and lead to the same state', async ({ limit, step }) => {
    for (const after of numbers(0, model.head.version).filter((version) => version % step === 0)) {
      const reader = model.stateAt(after);
      for (const { events, position } of await changesFrom(address, after, limit)) {
        for (const event of events) {
          if (event.kind !== 'added') expect(event.ids.toSorted()).toEqual(model.groupAt(event.version, position));
          apply(reader, event);
        }
      }
      expect(reader).toEqual(model.state);
    }
  });

  test('tells only additions when asked to, all of them that still stand', async () => {
    for (const after of [0, 1, model.head.version >> 1, model.head.version]) {
      const { events } = await services.log.changesSince(address, after, 10_000, true);
      expect(events.map(({ version }) => version)).toEqual(
        model
          .changesSince(after)
          .filter(({ kind }) => kind === 'added')
          .map(({ version }) => version),
      );
    }
  });

  test('is listed newest first or oldest first, and in pages that meet without a gap', async () => {
    const list = async (order: 'newest' | 'oldest') => {
      const ids: string[] = [];
      for (let offset = 0; ; offset += 7) {
        const { notifications } = await services.log.page(address, { filter: {}, order, limit: 7, offset });
        ids.push(...notifications.map(({ id }) => id));
        if (notifications.length < 7) return ids;
      }
    };
    const oldest = await list('oldest');
    expect(oldest).toEqual(model.ids);
    expect(await list('newest')).toEqual(oldest.toReversed());
  });
});

describe('an inbox that does not exist', () => {
  test('has the empty head, no page, no changes and counts nothing', async () => {
    const nobody = newAddress();
    const head = { epoch: NO_EPOCH, version: 0, totalCount: 0, unreadCount: 0 };
    expect(await services.log.head(nobody)).toEqual(head);
    expect(await services.log.changesSince(nobody, 0, 10)).toEqual({ head, events: [], complete: true });
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
