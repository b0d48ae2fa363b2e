import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { connectLegacy } from '../sockets/connect.ts';
import { type Person, type TestApp, person, signToken, startApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { follow } from '../support/follow.ts';
import { withClient } from '../support/postgres.ts';
import { data, tablesWith } from './data-support.ts';

/** The command waits for the servers, and is a process of its own. */
jest.setTimeout(240_000); // ms

const BEGINNING = '-----------0';

let app: TestApp;
let elsewhere: TestApp;

beforeAll(async () => {
  app = await startApp();
  // A second instance, which hears of the first one by the database alone.
  elsewhere = await startApp({ databaseUrl: app.databaseUrl });
});
afterAll(async () => {
  await elsewhere[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});

const send = async (from: Person, to: Person, title: string): Promise<string> => {
  const { status, body } = await app.rest('POST', '/api/v1/notifications', {
    token: from.token,
    body: { user_id: to.id, title, content: 'c' },
  });
  expect(status).toBe(200);
  return body.id;
};

const stateOf = async ({ token }: Person) => {
  const { data: answer, errors } = await app.graphql(
    '{ inboxState { cursor unreadCount totalCount } notifications(first: 10) { nodes { title senderId } } }',
    { token },
  );
  expect(errors).toBeUndefined();
  return answer as {
    inboxState: { cursor: string; unreadCount: number; totalCount: number };
    notifications: { nodes: { title: string; senderId: string | null }[] };
  };
};

/** The same user with a token from after the deletion, whose last pass revokes once more: tokens count in seconds. */
function again({ id, tenantId }: Person): Person {
  const iat = Math.floor(Date.now() / 1000) + 1;
  return { id, tenantId, token: signToken({ user_id: id, tenant_id: tenantId, iat }) };
}

const remove = async (...args: string[]) => {
  const { code, stderr } = await data(app.databaseUrl, ['delete', '--yes', ...args]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
};

test('devices of a deleted user are closed on every instance, and what comes afterwards is a new inbox with right counts', async () => {
  const [uma, sam] = [person(), person()];
  await send(sam, uma, 'before');
  await send(sam, uma, 'before');
  await send(uma, sam, 'to sam');
  const { inboxState: old } = await stateOf(uma);
  await using here = await connectLegacy(app, uma);
  await using there = await connectLegacy(elsewhere, uma);
  expect([here.welcome['unread_count'], there.welcome['unread_count']]).toEqual([2, 2]);
  await using ofSam = follow(app, sam, BEGINNING);
  expect(await ofSam.next()).toMatchObject({ __typename: 'NotificationAdded', unreadCount: 1 });

  await remove('--tenant', 'acme', '--user', uma.id);
  expect(await Promise.all([here.closed, there.closed])).toMatchObject([{ code: 4401 }, { code: 4401 }]);
  expect((await app.rest('GET', '/api/v1/notifications', { token: uma.token })).status).toBe(401);
  expect(await withClient(app.databaseUrl, (client) => tablesWith(client, [uma.id]))).toEqual({
    'public.revocation': 1,
  });

  const anew = again(uma);
  expect(await stateOf(anew)).toEqual({
    inboxState: { cursor: BEGINNING, unreadCount: 0, totalCount: 0 },
    notifications: { nodes: [] },
  });
  await using device = follow(app, anew, old.cursor);
  expect(await device.next()).toMatchObject({ __typename: 'InboxReset', reason: 'FOREIGN_CURSOR', unreadCount: 0 });
  await send(sam, uma, 'after');
  expect(await device.next()).toMatchObject({
    __typename: 'NotificationAdded',
    unreadCount: 1,
    notification: { title: 'after' },
  });
  expect((await stateOf(anew)).inboxState).toMatchObject({ unreadCount: 1, totalCount: 1 });
  expect((await stateOf(anew)).inboxState.cursor.slice(0, 11)).not.toBe(old.cursor.slice(0, 11));

  // The recipient has what the user sent, and goes on as if nothing had been.
  expect(await stateOf(sam)).toMatchObject({
    inboxState: { unreadCount: 1, totalCount: 1 },
    notifications: { nodes: [{ title: 'to sam', senderId: null }] },
  });
  await send(anew, sam, 'again');
  expect(await ofSam.next()).toMatchObject({ unreadCount: 2, notification: { title: 'again' } });
});

test('a device with a newer token that listened all the while is told to fetch anew, and shows nothing of before', async () => {
  const [uma, sam] = [person(), person()];
  await send(sam, uma, 'before');
  // Such as another issuer may sign: the revocation does not reach it.
  const later = {
    ...uma,
    token: signToken({ user_id: uma.id, tenant_id: uma.tenantId, iat: Math.floor(Date.now() / 1000) + 60 }),
  };
  await using device = follow(app, later, BEGINNING);
  expect(await device.next()).toMatchObject({ notification: { title: 'before' } });
  await using raw = await connectLegacy(elsewhere, later);
  await remove('--tenant', 'acme', '--user', uma.id);
  expect(await stateOf(later)).toMatchObject({ inboxState: { unreadCount: 0 }, notifications: { nodes: [] } });
  await send(sam, uma, 'after');
  expect(await device.next()).toMatchObject({ __typename: 'InboxReset', reason: 'INBOX_BEGAN_ANEW', unreadCount: 1 });
  await elsewhere.app.context.hub.sweep();
  expect(await raw.next()).toMatchObject({ type: 'error', code: 'BAD_USER_INPUT' });
  await send(sam, uma, 'last');
  expect(await device.next()).toMatchObject({ notification: { title: 'last' }, unreadCount: 2 });
});

test('senders who go on meanwhile are answered, and their next ones are in an inbox with right counts', async () => {
  // Whoever sends at full speed has the role for it, and its limit.
  const [uma, sam] = [person(), person({ roles: ['sender'] })];
  const over = new AbortController();
  const sending = (async () => {
    let sent = 0;
    while (!over.signal.aborted) {
      await send(sam, uma, `nr ${sent}`);
      sent += 1;
    }
    return sent;
  })();
  await remove('--tenant', 'acme', '--user', uma.id);
  over.abort();
  expect(await sending).toBeGreaterThan(0);
  await send(sam, uma, 'last');
  const { rows } = await withClient(app.databaseUrl, (client) =>
    client.query(
      `select count(n.id)::int = i.total as total, count(n.id) filter (where n.read_at is null)::int = i.unread as unread
       from inbox i left join notification n on n.inbox_id = i.id where i.user_id = $1 or i.tenant_id = '' group by i.id`,
      [uma.id],
    ),
  );
  expect(rows).toEqual([{ total: true, unread: true }]);
});

test('of a deleted tenant all devices are closed, and nothing is written for it afterwards', async () => {
  const people = Array.from({ length: 3 }, () => person({ tenantId: 'gone' }));
  const [first, ...rest] = people as [Person, ...Person[]];
  for (const one of rest) await send(first, one, 'hello');
  const devices = await Promise.all(people.map((one) => connectLegacy(app, one)));
  await eventually(async () => {
    const { rows } = await withClient(app.databaseUrl, (client) =>
      client.query(`select from presence where tenant_id = 'gone'`),
    );
    return rows.length === people.length;
  });
  await remove('--tenant', 'gone', '--all');
  for (const device of devices) expect(await device.closed).toMatchObject({ code: 4401 });
  await withClient(app.databaseUrl, async (client) => {
    expect(await tablesWith(client, ['gone'])).toEqual({ 'public.revocation': 3 });
    expect((await client.query(`select from tenant_activity where tenant_id = 'gone'`)).rows).toHaveLength(0);
  });
});
