import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createClient } from 'graphql-ws';
import { v7 as uuidv7 } from 'uuid';
import { WebSocket } from 'ws';
import type { InboxAddress } from '../../src/services/caller.ts';
import { NO_EPOCH, encodeCursor } from '../../src/services/cursor.ts';
import type { Hub } from '../../src/services/hub.ts';
import { InboxChanges } from '../../src/services/inbox-changes.ts';
import { InboxLog } from '../../src/services/inbox-log.ts';
import { Retention } from '../../src/services/retention.ts';
import type { SendItem } from '../../src/services/send-item.ts';
import { createSendWriter } from '../../src/services/send-writer.ts';
import { connectLegacy } from '../sockets/connect.ts';
import { type Person, type TestApp, person, startApp } from '../support/app.ts';
import { withClient } from '../support/postgres.ts';
import { Reader } from './hub-support.ts';
import { fold } from './replay-support.ts';
import { numbers, sendItem, sendItems } from './support.ts';
import { ofEveryTenant } from '../support/every-tenant.ts';
import { asEveryTenant } from '../../src/scope.ts';

const DAY_MS = 86_400_000;
const TOMBSTONES_MS = 30 * DAY_MS;
const NOTIFICATIONS_MS = 365 * DAY_MS;

let app: TestApp;
let hub: Hub;
let log: InboxLog;
let changes: InboxChanges;
let retention: Retention;
let who: Person;
let address: InboxAddress;

beforeAll(async () => {
  app = await startApp();
  const { database } = app.app.context;
  hub = ofEveryTenant(app.app.context.hub);
  log = ofEveryTenant(new InboxLog(database));
  changes = ofEveryTenant(new InboxChanges(database));
  const ages = { tombstonesMs: TOMBSTONES_MS, notificationsMs: NOTIFICATIONS_MS, deliveriesMs: DAY_MS };
  retention = ofEveryTenant(new Retention({ database, changes, hub, ...ages }));
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
});
beforeEach(async () => {
  who = person();
  address = { tenantId: who.tenantId, userId: who.id };
  await query('delete from inbox');
});

const query = (text: string, values: unknown[] = []) =>
  withClient(app.databaseUrl, async (client) => (await client.query(text, values)).rows as Record<string, unknown>[]);
const count = async (table: string) => Number((await query(`select count(*) from ${table}`))[0]!['count']);

const write = (items: readonly SendItem[]) =>
  asEveryTenant(() => createSendWriter(app.app.context.database, DAY_MS)(items));

/** Stores that many; answers with their ids, at positions from 1 on. */
async function fill(amount: number, to = address): Promise<string[]> {
  const items = sendItems(to, amount);
  await write(items);
  return items.map(({ id }) => id);
}

const ageTombstones = (ids: readonly string[], days: number) =>
  query(`update tombstone set deleted_at = now() - interval '${days} days' where notification_id = any($1)`, [ids]);

async function runTo(step: () => Promise<boolean>): Promise<number> {
  let steps = 1;
  while (await step()) steps += 1;
  return steps;
}
const forget = () => runTo(() => retention.forgetTombstones());

const CHANGES = `subscription ($after: String) { inboxChanged(after: $after) { __typename
  ... on NotificationAdded { cursor notification { id } }
  ... on NotificationsDeleted { cursor ids }
  ... on InboxReset { cursor previousCursor unreadCount reason } } }`;

/** What inboxChanged tells after a cursor. */
async function follow(after: string) {
  const client = createClient({
    url: app.graphqlSocketUrl,
    webSocketImpl: WebSocket,
    connectionParams: { token: who.token },
    retryAttempts: 0,
  });
  const results = client.iterate<{ inboxChanged: object }>({ query: CHANGES, variables: { after } });
  return {
    next: async () => (await results.next()).value?.data?.inboxChanged as object,
    [Symbol.asyncDispose]: async () => client.dispose(),
  };
}

describe('tombstones', () => {
  test('older than they are kept are forgotten, in steps; the horizon moves to the newest of them', async () => {
    const ids = await fill(1300);
    const old = ids.slice(0, 1200);
    for (const each of [old.slice(0, 600), old.slice(600), ids.slice(1200, 1250)]) await changes.delete(address, each);
    await ageTombstones(old, 31);
    await ageTombstones(ids.slice(1200, 1250), 29);
    expect(await retention.forgetTombstones()).toBe(true);
    expect([await count('tombstone'), (await log.head(address)).horizon]).toEqual([750, 1301]);
    expect(await forget()).toBe(2);
    expect(await count('tombstone')).toBe(50);
    expect(await log.head(address)).toMatchObject({ version: 1303, horizon: 1302, totalCount: 50, unreadCount: 50 });
  });

  test('that are young are kept, and no horizon moves', async () => {
    const ids = await fill(3);
    await changes.delete(address, ids);
    await ageTombstones(ids, 29);
    expect(await retention.forgetTombstones()).toBe(false);
    expect([await count('tombstone'), (await log.head(address)).horizon]).toEqual([3, 0]);
  });

  test('are forgotten beside sends to the same many inboxes, without a deadlock', async () => {
    const addresses = numbers(1, 60).map(() => ({ tenantId: who.tenantId, userId: person().id }));
    for (const each of addresses) {
      await changes.delete(each, await fill(150, each));
    }
    await query("update tombstone set deleted_at = now() - random() * interval '40 days' - interval '31 days'");
    const sends = async () => {
      for (const _ of numbers(1, 40)) await write(addresses.toReversed().map((each) => sendItem(each)));
    };
    await Promise.all([sends(), sends(), forget(), forget()]);
    expect(await count('tombstone')).toBe(0);
    for (const head of (await log.heads(addresses)).values()) {
      expect(head).toMatchObject({ version: 231, horizon: 151, totalCount: 80, unreadCount: 80 });
    }
  });
});

describe('a cursor', () => {
  /** Five notifications, of which the second was deleted at version 6, which is forgotten, and the third at 7. */
  async function forgetful(): Promise<{ epoch: string; ids: string[] }> {
    const ids = await fill(5);
    await changes.delete(address, [ids[1]!]);
    await changes.delete(address, [ids[2]!]);
    await ageTombstones([ids[1]!], 31);
    await forget();
    const { epoch, horizon } = await log.head(address);
    expect(horizon).toBe(6);
    return { epoch, ids };
  }

  test('from before the horizon gets a reset on inboxChanged, and then what is live', async () => {
    const { epoch, ids } = await forgetful();
    await using device = await follow(encodeCursor(epoch, 5));
    const head = encodeCursor(epoch, 7);
    expect(await device.next()).toEqual({
      __typename: 'InboxReset',
      reason: 'EXPIRED_CURSOR',
      cursor: head,
      previousCursor: encodeCursor(epoch, 5),
      unreadCount: 3,
    });
    await app.graphql('mutation ($id: ID!) { delete(id: $id) { id } }', { ...who, variables: { id: ids[0] } });
    expect(await device.next()).toMatchObject({ __typename: 'NotificationsDeleted', ids: [ids[0]] });
  });

  test('from before the horizon gets an error frame on the legacy socket, and then what is live', async () => {
    const { epoch, ids } = await forgetful();
    await using socket = await connectLegacy(app, who, { since: encodeCursor(epoch, 5) });
    expect(socket.welcome).toMatchObject({ type: 'welcome', unread_count: 3 });
    const message = 'since is too old to continue from: read the list anew.';
    expect(await socket.next()).toMatchObject({ type: 'error', code: 'BAD_USER_INPUT', message });
    await app.rest('DELETE', `/api/v1/notifications/${ids[0]}`, who);
    expect(await socket.next()).toMatchObject({ type: 'deleted', notification_ids: [ids[0]], unread_count: 2 });
  });

  test('from the horizon on goes on, and is told of later deletions', async () => {
    const { epoch, ids } = await forgetful();
    await using device = await follow(encodeCursor(epoch, 6));
    const deleted = { __typename: 'NotificationsDeleted', ids: [ids[2]] };
    expect(await device.next()).toMatchObject({ ...deleted, cursor: encodeCursor(epoch, 7) });
    await using socket = await connectLegacy(app, who, { since: encodeCursor(epoch, 6) });
    expect(await socket.next()).toMatchObject({ type: 'deleted', notification_ids: [ids[2]] });
  });

  test('of the very beginning goes on: whoever holds nothing misses no deletion', async () => {
    const { epoch, ids } = await forgetful();
    for (const beginning of [encodeCursor(NO_EPOCH, 0), encodeCursor(epoch, 0)]) {
      await using device = await follow(beginning);
      for (const place of [0, 3, 4]) {
        expect(await device.next()).toMatchObject({
          __typename: 'NotificationAdded',
          notification: { id: ids[place] },
        });
      }
    }
  });

  test('of any age serves those who listen to additions only', async () => {
    const { epoch, ids } = await forgetful();
    await using reader = await Reader.open(hub, address, { after: { epoch, version: 1 }, additionsOnly: true });
    await reader.reached(5);
    expect(reader.versions).toEqual([4, 5]);
    expect(fold(new Map(), reader.events)).toEqual(
      new Map([
        [ids[3]!, false],
        [ids[4]!, false],
      ]),
    );
  });

  test('whose backfill the horizon overtakes gets a reset: what was told meanwhile may be gone', async () => {
    const ids = await fill(60);
    const { epoch } = await log.head(address);
    const listener = await hub.listen(address, { after: { epoch, version: 0 } });
    for (const version of numbers(1, 20)) expect((await listener.next()).value).toMatchObject({ version });
    await changes.delete(address, [ids[0]!]);
    await ageTombstones([ids[0]!], 31);
    await forget();
    const { value } = await listener.next();
    expect(value).toMatchObject({ kind: 'reset', reason: 'EXPIRED_CURSOR', version: 61, totalCount: 59 });
    await listener.return();
  });

  test('of a listener that was cut off from the log past the horizon gets a reset when it is back', async () => {
    const ids = await fill(3);
    await using reader = await Reader.open(hub, address);
    await using additions = await Reader.open(hub, address, { additionsOnly: true });
    // Nobody rings for this one.
    await changes.delete(address, [ids[0]!]);
    await ageTombstones([ids[0]!], 31);
    await forget();
    await hub.sweep();
    expect(await reader.reset()).toMatchObject({ reason: 'EXPIRED_CURSOR', version: 4, totalCount: 2 });
    await expect(additions.done).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});

describe('notifications', () => {
  const idAt = (msAgo: number) => uuidv7({ msecs: Date.now() - msAgo });

  test('older than they are kept are deleted as their owner would; newer ones stay', async () => {
    const old = numbers(1, 3).map(() => idAt(NOTIFICATIONS_MS + 60_000));
    const young = numbers(1, 2).map(() => idAt(NOTIFICATIONS_MS - 60_000));
    const order = [old[0]!, young[0]!, old[1]!, young[1]!, old[2]!];
    await write(order.map((id) => sendItem(address, { id })));
    await changes.markRead(address, [old[1]!, young[0]!]);
    await using reader = await Reader.open(hub, address);
    expect(await retention.deleteNotifications()).toBe(false);
    await reader.reached(7);
    const { events } = reader;
    expect(events).toEqual([
      expect.objectContaining({ kind: 'deleted', version: 7, previousVersion: 6, unreadCount: 1, totalCount: 2 }),
    ]);
    expect(events.flatMap((event) => ('ids' in event ? event.ids : [])).toSorted()).toEqual(old.toSorted());
    const { head, notifications } = await log.page(address, { filter: {}, order: 'oldest', limit: 10 });
    expect(head).toMatchObject({ version: 7, unreadCount: 1, totalCount: 2, horizon: 0 });
    expect(notifications.map(({ id }) => id)).toEqual(young);
    const tombstones = await query('select notification_id, version::int from tombstone order by 1');
    expect(tombstones).toEqual(old.toSorted().map((id) => ({ notification_id: id, version: 7 })));
  });

  test('of many inboxes are deleted in steps, by two instances at once, each once', async () => {
    const addresses = numbers(1, 7).map(() => ({ tenantId: who.tenantId, userId: person().id }));
    const items = numbers(1, 1100).map((nth) => sendItem(addresses[nth % 7]!, { id: idAt(NOTIFICATIONS_MS + nth) }));
    await write(items);
    const { database } = app.app.context;
    const ages = { tombstonesMs: TOMBSTONES_MS, notificationsMs: NOTIFICATIONS_MS, deliveriesMs: DAY_MS };
    const other = ofEveryTenant(new Retention({ database, changes, hub, ...ages }));
    await Promise.all([retention, other].map((each) => runTo(() => each.deleteNotifications())));
    expect([await count('notification'), await count('tombstone')]).toEqual([0, 1100]);
    for (const head of (await log.heads(addresses)).values()) {
      expect(head).toMatchObject({ totalCount: 0, unreadCount: 0 });
    }
  });

  test('are kept for ever when no age is set', async () => {
    const { database } = app.app.context;
    await write([sendItem(address, { id: idAt(20 * NOTIFICATIONS_MS) })]);
    const ages = { tombstonesMs: 1, notificationsMs: undefined, deliveriesMs: DAY_MS };
    const keeping = ofEveryTenant(new Retention({ database, changes, hub, ...ages }));
    expect(await keeping.deleteNotifications()).toBe(false);
    expect(await count('notification')).toBe(1);
  });
});
