import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import { createInProcessTopics } from '../../src/pubsub/in-process.ts';
import type { InboxAddress } from '../../src/services/caller.ts';
import type { RecallScope } from '../../src/services/inbox-departures.ts';
import { Retention } from '../../src/services/retention.ts';
import { withClient } from '../support/postgres.ts';
import { createHub } from './hub-support.ts';
import { fold, idsOf, outlineOf, readAll } from './replay-support.ts';
import { type Services, newAddress, numbers, openServices, sendItem, sendItems } from './support.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const scope: RecallScope = { tenantId: 'acme', senderId: 'sender', windowMs: HOUR_MS };

let services: Services;

beforeAll(async () => {
  services = await openServices();
});
afterAll(async () => {
  await services[Symbol.asyncDispose]();
});

const query = (text: string, values: unknown[] = []) =>
  withClient(services.url, async (client) => (await client.query(text, values)).rows as Record<string, unknown>[]);

async function fill(count: number): Promise<{ address: InboxAddress; ids: string[] }> {
  const address = newAddress();
  const items = sendItems(address, count);
  await services.store(items);
  return { address, ids: items.map(({ id }) => id) };
}

/** Expects that the counters of an inbox are those of what its list holds. */
async function expectExact(address: InboxAddress): Promise<void> {
  const { head, notifications } = await services.log.page(address, { filter: {}, order: 'oldest', limit: 1000 });
  const unread = notifications.filter(({ readAt }) => readAt === null).length;
  expect(head).toMatchObject({ totalCount: notifications.length, unreadCount: unread });
}

describe('what is recalled', () => {
  test('leaves the inbox in one change, off both counters when it was unread and off the total when it was read', async () => {
    const { address, ids } = await fill(4);
    await services.changes.markRead(address, [ids[0]!]);
    const departed = await services.departures.recall(ids.slice(0, 3), scope);
    const { epoch } = await services.log.head(address);
    const counts = { unreadCount: 1, totalCount: 1 };
    const event = {
      kind: 'deleted',
      ids: ids.slice(0, 3),
      recalled: true,
      epoch,
      version: 6,
      previousVersion: 5,
      ...counts,
    };
    expect(departed).toEqual([{ address, event }]);
    expect(await services.log.head(address)).toMatchObject({ version: 6, ...counts });
    await expectExact(address);
  });

  test('is in no read of the inbox: pages, filtered pages, filtered counts, one by its id', async () => {
    const { address, ids } = await fill(4);
    await services.changes.markRead(address, ids.slice(0, 2));
    await services.departures.recall([ids[0]!, ids[2]!], scope);
    const kept = [ids[1]!, ids[3]!];
    for (const [filter, expected] of [
      [{}, kept],
      [{ unread: true }, [ids[3]!]],
      [{ unread: false }, [ids[1]!]],
      [{ types: ['SYSTEM'] as const }, kept],
      [{ unread: true, priorities: ['NORMAL'] as const }, [ids[3]!]],
    ] as const) {
      for (const order of ['oldest', 'newest'] as const) {
        const page = await services.log.page(address, { filter, order, limit: 10 });
        expect(page.notifications.map(({ id }) => id).toSorted()).toEqual(expected.map(String).toSorted());
      }
      const numbered = await services.log.page(address, { filter, order: 'oldest', limit: 10, offset: 1 });
      expect(numbered.notifications).toHaveLength(expected.length - 1);
      expect(await services.log.count(address, filter)).toBe(expected.length);
    }
    expect(await services.log.find(address, ids[0]!)).toBeUndefined();
    expect(await services.log.find(address, ids[1]!)).toMatchObject({ id: ids[1] });
  });

  test('is out of reach of its owner: nothing is read, unread or deleted any more', async () => {
    const { address, ids } = await fill(2);
    await services.changes.markRead(address, [ids[0]!]);
    await services.departures.recall(ids, scope);
    const head = await services.log.head(address);
    for (const change of [
      services.changes.markRead(address, ids),
      services.changes.markAllRead(address, head.version, {}, 100),
      services.changes.markUnread(address, ids[0]!),
      services.changes.delete(address, ids),
    ]) {
      expect((await change).event).toBeUndefined();
    }
    expect(await services.log.head(address)).toEqual(head);
  });

  test('stays as a row for its sender, as it was, and is not recalled twice', async () => {
    const { address, ids } = await fill(1);
    await services.changes.markRead(address, ids);
    const before = await services.log.find(address, ids[0]!);
    expect(await services.departures.recall(ids, scope)).toHaveLength(1);
    expect(await services.departures.recall(ids, scope)).toEqual([]);
    const sent = await services.log.findSent('acme', 'sender', ids[0]!);
    expect(sent).toEqual({ ...before, status: 'RECALLED', changeCursor: sent!.changeCursor });
    expect(await services.log.head(address)).toMatchObject({ version: 3, totalCount: 0, unreadCount: 0 });
  });

  test('is only what is within the scope: the tenant, the sender, the window', async () => {
    const { address, ids } = await fill(3);
    await query("update notification set created_at = now() - interval '61 minutes' where id = $1", [ids[0]]);
    const nobody = { ...scope, senderId: 'somebody else' };
    for (const narrow of [
      nobody,
      { ...scope, tenantId: 'globex' },
      { ...scope, tenantId: 'globex', senderId: undefined },
    ]) {
      expect(await services.departures.recall(ids, narrow)).toEqual([]);
    }
    expect(await services.departures.recall([uuidv7()], scope)).toEqual([]);
    expect((await services.log.head(address)).version).toBe(3);
    expect((await services.departures.recall([ids[0]!, ids[1]!], scope)).map(({ event }) => event.ids)).toEqual([
      [ids[1]],
    ]);
    const ofAnybody = { ...scope, senderId: undefined };
    expect((await services.departures.recall(ids, ofAnybody)).map(({ event }) => event.ids)).toEqual([[ids[2]]]);
  });
});

describe('a replay', () => {
  const outlines = async (address: InboxAddress, after: number) =>
    (await readAll(services.replays.after(address, after))).events.map(outlineOf);

  test('tells a recall to who may know of the notification, as a deletion that was a recall, and to nobody else', async () => {
    const { address, ids } = await fill(3);
    await services.changes.markRead(address, [ids[0]!]);
    await services.departures.recall([ids[0]!, ids[2]!], scope);
    await services.changes.delete(address, [ids[1]!]);
    const recall = { kind: 'deleted', version: 5, recalled: true };
    const deletion = { kind: 'deleted', version: 6, recalled: false, ids: [ids[1]] };
    expect(await outlines(address, 0)).toEqual([]);
    expect(await outlines(address, 1)).toMatchObject([{ ...recall, ids: [ids[0]], previousVersion: 1 }]);
    expect(await outlines(address, 2)).toMatchObject([{ ...recall, ids: [ids[0]] }, deletion]);
    const both = [ids[0]!, ids[2]!].toSorted();
    expect(await outlines(address, 3)).toMatchObject([{ ...recall, ids: both }, deletion]);
    expect(await outlines(address, 5)).toMatchObject([deletion]);
    const additions = await readAll(services.replays.after(address, 0, { additionsOnly: true }));
    expect(additions.events).toEqual([]);
  });

  test('whose page was taken before the recall is told of it on the next one', async () => {
    const { address, ids } = await fill(30);
    const reader = services.replays.after(address, 0);
    const first = await reader.next();
    expect(first.complete).toBe(false);
    await services.departures.recall([ids[0]!], scope);
    const rest = await readAll(reader);
    const state = fold(fold(new Map(), first.events), rest.events);
    expect([...state.keys()].toSorted()).toEqual(ids.slice(1).toSorted());
  });
});

describe('at the same time', () => {
  test('readings, deletions and recalls of the same notifications each have one outcome, and counts stay exact', async () => {
    for (const _ of numbers(1, 15)) {
      const { address, ids } = await fill(20);
      const [read, deleted, ...recalls] = await Promise.all([
        services.changes.markRead(address, ids.toReversed()),
        services.changes.delete(address, ids.slice(5, 15)),
        ...numbers(1, 4).map(() => services.departures.recall(ids.slice(0, 12), scope)),
      ]);
      const recalled = recalls.flat().flatMap(({ event }) => event.ids);
      const gone = [...(deleted.event ? idsOf(deleted.event) : []), ...recalled];
      expect(gone.toSorted()).toEqual(ids.slice(0, 15).toSorted());
      const { notifications } = await services.log.page(address, { filter: {}, order: 'oldest', limit: 100 });
      expect(notifications.map(({ id }) => id)).toEqual(ids.slice(15));
      await expectExact(address);
      const versions = [read.event, deleted.event, ...recalls.flat().map(({ event }) => event)].flatMap(
        (event) => event?.version ?? [],
      );
      expect(versions.toSorted((a, b) => a - b)).toEqual(numbers(21, 20 + versions.length));
    }
  });

  test('recalls over the same many inboxes, beside sends to them, neither deadlock nor count anything twice', async () => {
    const inboxes = await Promise.all(numbers(1, 40).map(() => fill(5)));
    const all = inboxes.flatMap(({ ids }) => ids);
    const sends = numbers(1, 10).map(() =>
      services.store(inboxes.map(({ address }) => sendItem(address)).toReversed()),
    );
    const recalls = [all, all.toReversed(), all.slice(50), all.slice(0, 150)].map((ids) =>
      services.departures.recall(ids, scope),
    );
    const departed = (await Promise.all(recalls)).flat();
    await Promise.all(sends);
    expect(departed.flatMap(({ event }) => event.ids).toSorted()).toEqual(all.toSorted());
    for (const { address } of inboxes) {
      const own = departed.filter((each) => each.address.userId === address.userId).length;
      expect(await services.log.head(address)).toMatchObject({ version: 15 + own, totalCount: 10, unreadCount: 10 });
    }
  });
});

test('retention lets old recalled rows go without a change of the inbox, and who comes back is told of them all the same', async () => {
  const address = newAddress();
  const msecs = Date.now() - 2 * DAY_MS;
  const old = numbers(1, 1100).map(() => sendItem(address, { id: uuidv7({ msecs }) }));
  const young = sendItem(address);
  await services.store([...old, young]);
  const ids = old.map(({ id }) => id);
  await services.departures.recall(ids.slice(0, 1050), scope);
  const { database, changes } = services;
  await using topics = createInProcessTopics();
  await using hub = createHub(topics, services);
  const retention = new Retention({
    database,
    changes,
    hub,
    tombstonesMs: DAY_MS,
    notificationsMs: DAY_MS,
    deliveriesMs: DAY_MS,
  });
  while (await retention.deleteNotifications());
  const { head, notifications } = await services.log.page(address, { filter: {}, order: 'oldest', limit: 10 });
  expect(notifications.map(({ id }) => id)).toEqual([young.id]);
  expect(head).toMatchObject({ totalCount: 1, unreadCount: 1, horizon: 0 });
  expect(await query('select count(*)::int as count from notification n where n.id = any($1)', [ids])).toEqual([
    { count: 0 },
  ]);
  const { events } = await readAll(services.replays.after(address, 1100));
  const state = fold(new Map(ids.map((id) => [id, false])), events);
  expect([...state.keys()]).toEqual([young.id]);
  expect(events.find(({ kind }) => kind === 'deleted')).toMatchObject({ version: 1102 });
});
