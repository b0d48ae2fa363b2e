import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Person, type TestApp, person, signToken, startApp } from '../support/app.ts';
import { eventsOf, subscribeByPost } from '../graphql/event-stream.ts';
import { eventually } from '../support/eventually.ts';
import type { Message, SocketClient } from '../support/socket-client.ts';
import { connectGraphQL, connectLegacy, openGraphQL } from './connect.ts';

let app: TestApp;

beforeAll(async () => {
  app = await startApp();
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

const SUBSCRIPTION = 'subscription ($ids: [ID!]!) { presence(userIds: $ids) { userId online lastSeenAt connections } }';
const QUERY = 'query ($ids: [ID!]!) { isOnline(userIds: $ids) { userId online lastSeenAt connections } }';

async function statesOf(asker: Person, ...users: Person[]): Promise<Message[]> {
  const variables = { ids: users.map(({ id }) => id) };
  return (await app.graphql(QUERY, { token: asker.token, variables })).data.isOnline;
}
const isConnected = (asker: Person, who: Person, connections: number): Promise<boolean> =>
  eventually(async () => (await statesOf(asker, who))[0]!['connections'] === connections);

function watch(socket: SocketClient, id: string, users: readonly Person[]): void {
  const variables = { ids: users.map((user) => user.id) };
  socket.send({ id, type: 'subscribe', payload: { query: SUBSCRIPTION, variables } });
}
const stateIn = (message: Message): Message => message['payload'].data.presence;

test('a socket of either kind and an event stream each count as a connection, a GraphQL socket from its ack on', async () => {
  const [asker, ada] = [person(), person()];
  await using legacy = await connectLegacy(app, ada);
  await isConnected(asker, ada, 1);
  await using stranger = await openGraphQL(app);
  await using graphql = await connectGraphQL(app, ada);
  await isConnected(asker, ada, 2);
  const leaving = new AbortController();
  const events = eventsOf(await subscribeByPost(app, ada, { signal: leaving.signal }));
  await isConnected(asker, ada, 3);
  leaving.abort();
  await expect(events.next()).rejects.toThrow();
  await isConnected(asker, ada, 2);
  for (const socket of [legacy, graphql]) socket.socket.close();
  await isConnected(asker, ada, 0);
  expect((await statesOf(asker, ada))[0]).toMatchObject({ online: false, lastSeenAt: expect.any(String) });
  stranger.socket.close();
});

test('presence tells first the state of each user, then each change, and once to many sockets that ask for the same', async () => {
  const [asker, ada, bob] = [person(), person(), person()];
  await using held = await connectLegacy(app, bob);
  await isConnected(asker, bob, 1);
  await using one = await connectGraphQL(app, asker);
  await using other = await connectGraphQL(app, asker);
  for (const socket of [one, other]) watch(socket, '1', [bob, ada]);
  const offline = { userId: ada.id, online: false, lastSeenAt: null, connections: 0 };
  const online = { online: true, lastSeenAt: expect.any(String), connections: 1 };
  for (const socket of [one, other]) {
    expect((await socket.take(2)).map(stateIn)).toEqual([{ userId: bob.id, ...online }, offline]);
  }
  const coming = await connectGraphQL(app, ada);
  for (const socket of [one, other]) expect(stateIn(await socket.next())).toEqual({ userId: ada.id, ...online });
  await coming[Symbol.asyncDispose]();
  for (const socket of [one, other]) {
    expect(stateIn(await socket.next())).toEqual({ ...offline, lastSeenAt: expect.any(String) });
  }
  expect(app.app.context.services.presence.watchedCount).toBe(2);
  one.send({ id: '1', type: 'complete' });
  other.socket.close();
  await eventually(() => app.app.context.services.presence.watchedCount === 0);
  expect(held.rest()).toEqual([]);
});

test('presence of a user of another tenant stays offline, whatever that one does', async () => {
  const [asker, ada] = [person({ tenantId: 'globex' }), person()];
  const namesake = { ...ada, tenantId: 'globex', token: signToken({ user_id: ada.id, tenant_id: 'globex' }) };
  await using watcher = await connectGraphQL(app, asker);
  watch(watcher, '1', [ada]);
  expect(stateIn(await watcher.next())).toMatchObject({ online: false, lastSeenAt: null });
  await using socket = await connectLegacy(app, ada);
  await isConnected(person(), ada, 1);
  expect((await statesOf(asker, ada))[0]).toMatchObject({ online: false, lastSeenAt: null, connections: 0 });
  await using another = await connectLegacy(app, namesake);
  await using third = await connectLegacy(app, namesake);
  await isConnected(asker, ada, 2);
  const told = stateIn(await watcher.next());
  expect(told['online']).toBe(true);
  for (const each of [socket, another, third]) expect(each.rest()).toEqual([]);
});

test('presence refuses what it cannot watch, and other operations of the socket go on', async () => {
  const asker = person();
  await using socket = await connectGraphQL(app, asker);
  watch(socket, '1', []);
  const refused = await socket.next();
  expect(refused['payload'][0].extensions).toEqual({ code: 'BAD_USER_INPUT', field: 'userIds' });
  watch(socket, '2', [asker]);
  expect(await socket.next()).toMatchObject({ id: '2', type: 'next' });
});

test('presence comes as an event stream as well, which makes its reader be online', async () => {
  const asker = person();
  const leaving = new AbortController();
  const response = await fetch(app.graphqlUrl, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'text/event-stream',
      authorization: `Bearer ${asker.token}`,
    },
    body: JSON.stringify({ query: SUBSCRIPTION, variables: { ids: [asker.id] } }),
    signal: leaving.signal,
  });
  const seen: unknown[] = [];
  for await (const { result } of eventsOf(response)) {
    seen.push((result as Message | undefined)?.['data'].presence.online);
    if (seen.at(-1) === true) break;
  }
  leaving.abort();
  expect(seen).toEqual([false, true]);
});
