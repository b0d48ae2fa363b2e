import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { type Person, type TestApp, person, startApp } from '../support/app.ts';
import { ofEveryTenant } from '../support/every-tenant.ts';

let app: TestApp;

beforeAll(async () => {
  app = await startApp();
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

const CHANGES = `subscription($after: String) {
  inboxChanged(after: $after) {
    __typename
    ... on NotificationAdded { cursor previousCursor unreadCount notification { id isRead } }
    ... on NotificationUpdated { cursor previousCursor unreadCount notification { id isRead } }
    ... on NotificationsRead { cursor previousCursor unreadCount ids readAt }
    ... on NotificationsDeleted { cursor previousCursor unreadCount ids }
    ... on InboxReset { cursor previousCursor unreadCount reason }
  }
}`;

interface ChangeShape {
  __typename: string;
  cursor: string;
  previousCursor: string;
  unreadCount: number;
  notification?: { id: string; isRead: boolean };
  ids?: string[];
  reason?: string;
}

/** A device that listens: `next()` waits for the next event. */
function listen(who: Person, after?: string) {
  const client = createClient({
    url: app.graphqlSocketUrl,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${who.token}` },
    retryAttempts: 0,
  });
  const results = client.iterate<{ inboxChanged: ChangeShape }>({ query: CHANGES, variables: { after } });
  return {
    async next(): Promise<ChangeShape> {
      const { value } = await results.next();
      if (value?.errors) throw new Error(JSON.stringify(value.errors));
      return value.data.inboxChanged as ChangeShape;
    },
    async [Symbol.asyncDispose]() {
      await client.dispose();
    },
  };
}

const state = async (who: Person) =>
  (await app.graphql('{ inboxState { cursor unreadCount totalCount } }', { token: who.token })).data.inboxState as {
    cursor: string;
    unreadCount: number;
    totalCount: number;
  };

async function send(who: Person, title = 't'): Promise<{ id: string; cursor: string }> {
  const { data } = await app.graphql(
    'mutation($title: String!) { send(input: {title: $title, content: "c"}) { id cursor } }',
    { token: who.token, variables: { title } },
  );
  return data.send as { id: string; cursor: string };
}

const run = (who: Person, query: string, variables: object = {}) => app.graphql(query, { token: who.token, variables });

describe('inboxChanged', () => {
  test('tells every kind of change, with cursors that form a chain and exact counts', async () => {
    const ada = person();
    const start = await state(ada);
    await using device = listen(ada, start.cursor);
    // One after the other: what happens before the device has attached is told as it stands then.
    const events: ChangeShape[] = [];
    const one = await send(ada);
    events.push(await device.next());
    const two = await send(ada);
    events.push(await device.next());
    for (const [mutation, { id }] of [
      ['markRead', one],
      ['markUnread', one],
      ['delete', two],
    ] as const) {
      await run(ada, `mutation($id: ID!) { ${mutation}(id: $id) { id } }`, { id });
      events.push(await device.next());
    }
    expect(events.map((event) => event.__typename)).toEqual([
      'NotificationAdded',
      'NotificationAdded',
      'NotificationsRead',
      'NotificationUpdated',
      'NotificationsDeleted',
    ]);
    expect(events.map((event) => event.unreadCount)).toEqual([1, 2, 1, 2, 1]);
    expect(events[2]?.ids).toEqual([one.id]);
    expect(events[3]?.notification).toEqual({ id: one.id, isRead: false });
    expect(events[4]?.ids).toEqual([two.id]);
    for (const [index, event] of events.slice(1).entries()) expect(event.previousCursor).toBe(events[index]?.cursor);
    expect(await state(ada)).toEqual({ cursor: events[4]?.cursor, unreadCount: 1, totalCount: 1 });
  });

  test('after a cursor tells exactly what changed since, without what came and went, and then goes on live', async () => {
    const ada = person();
    const before = await send(ada);
    const { cursor } = await state(ada);
    const gone = await send(ada);
    const kept = await send(ada);
    await run(ada, 'mutation($id: ID!) { delete(id: $id) { id } }', { id: gone.id });
    await run(ada, 'mutation($id: ID!) { markRead(id: $id) { id } }', { id: before.id });
    await using device = listen(ada, cursor);
    const first = await device.next();
    expect(first).toMatchObject({
      __typename: 'NotificationAdded',
      notification: { id: kept.id },
      previousCursor: cursor,
    });
    expect(await device.next()).toMatchObject({ __typename: 'NotificationsRead', ids: [before.id], unreadCount: 1 });
    const live = await send(ada);
    expect(await device.next()).toMatchObject({ __typename: 'NotificationAdded', notification: { id: live.id } });
  });

  test('a page and a stream after its cursor join without a hole or an overlap', async () => {
    const ada = person();
    const sending = Promise.all(Array.from({ length: 30 }, () => send(ada)));
    const page = await run(ada, '{ notifications(first: 100) { cursor nodes { id } } }');
    await using device = listen(ada, page.data.notifications.cursor);
    const sent = await sending;
    const seen: string[] = page.data.notifications.nodes.map((node: { id: string }) => node.id);
    while (seen.length < 30) seen.push((await device.next()).notification?.id ?? '');
    expect(seen.toSorted()).toEqual(sent.map(({ id }) => id).toSorted());
  });

  test('a cursor of another inbox, or of a future, gets a reset with its reason, and then the live events', async () => {
    const [ada, bob] = [person(), person()];
    await send(bob);
    await send(ada);
    const { cursor } = await state(ada);
    const cases = [
      { after: (await state(bob)).cursor, reason: 'FOREIGN_CURSOR' },
      { after: `${cursor.slice(0, 11)}zzz`, reason: 'FUTURE_CURSOR' },
    ];
    for (const { after, reason } of cases) {
      await using device = listen(ada, after);
      const reset = await device.next();
      expect(reset).toMatchObject({ __typename: 'InboxReset', reason });
      const live = await send(ada);
      expect(await device.next()).toMatchObject({ notification: { id: live.id }, previousCursor: reset.cursor });
    }
  });

  test('a garbled cursor is bad input', async () => {
    await using device = listen(person(), '???');
    const refused = [{ extensions: { code: 'BAD_USER_INPUT', field: 'after' } }];
    await expect(device.next()).rejects.toMatchObject(refused);
  });
});

describe('markAllRead', () => {
  test('leaves unread what came after the cursor that the person saw', async () => {
    const ada = person();
    await send(ada);
    const seen = await send(ada);
    const unseen = await send(ada);
    const { data } = await run(ada, 'mutation($c: String) { markAllRead(upTo: $c) { count unreadCount cursor } }', {
      c: seen.cursor,
    });
    expect(data.markAllRead).toMatchObject({ count: 2, unreadCount: 1, cursor: (await state(ada)).cursor });
    const list = await run(ada, '{ notifications(filter: {unread: true}) { nodes { id } } }');
    expect(list.data.notifications.nodes).toEqual([{ id: unseen.id }]);
  });

  test('marks only what the filter matches, and answers the same when there is nothing left', async () => {
    const ada = person();
    await send(ada);
    await run(ada, 'mutation { send(input: {title: "t", content: "c", type: TASK}) { id } }');
    const all = 'mutation { markAllRead(filter: {types: [TASK]}) { count unreadCount } }';
    expect((await run(ada, all)).data.markAllRead).toEqual({ count: 1, unreadCount: 1 });
    expect((await run(ada, all)).data.markAllRead).toEqual({ count: 0, unreadCount: 1 });
  });

  test('refuses a cursor of another inbox', async () => {
    const [ada, bob] = [person(), person()];
    await send(ada);
    const foreign = await send(bob);
    const { errors } = await run(ada, 'mutation($c: String) { markAllRead(upTo: $c) { count } }', {
      c: foreign.cursor,
    });
    expect(errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: 'upTo' });
  });

  test('of two thousand five hundred goes in steps and counts them all', async () => {
    const ada = person();
    const notifications = ofEveryTenant(app.app.context.services.notifications);
    const sends = Array.from({ length: 2500 }, () => notifications.send(caller(ada), hello));
    await Promise.all(sends);
    const { data } = await run(ada, 'mutation { markAllRead { count unreadCount } }');
    expect(data.markAllRead).toEqual({ count: 2500, unreadCount: 0 });
  });
});

const hello = { title: 't', content: 'c' };
const caller = ({ id, tenantId }: Person) => ({
  tenantId,
  userId: id,
  roles: [],
  expiresAtMs: Number.POSITIVE_INFINITY,
  issuedAtMs: Date.now(),
  sessionId: undefined,
});
