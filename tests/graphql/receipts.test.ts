import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ApolloClient, CombinedGraphQLErrors, InMemoryCache } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { EventSource } from 'eventsource';
import { parse } from 'graphql';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { connectGraphQL, connectLegacy } from '../sockets/connect.ts';
import { type Person, type TestApp, person, signToken, startApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { Messages } from '../support/messages.ts';
import { badInput, refusalOf, send } from './operations.ts';
import { BEGINNING, RECEIPTS, type Told, mark, receiptsCursor } from './receipts.ts';

let app: TestApp;
beforeAll(async () => {
  app = await startApp();
});
afterAll(async () => app[Symbol.asyncDispose]());

const isQuiet = () =>
  eventually(() => app.app.context.services.receipts.listenerCount === 0 && app.app.doors.connections.size === 0);

/** As the documentation of Apollo Client has it. */
function apollo({ token }: Person) {
  const socket = createClient({
    url: app.graphqlSocketUrl,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${token}` },
    retryAttempts: 0,
  });
  const client = new ApolloClient({ link: new GraphQLWsLink(socket), cache: new InMemoryCache() });
  return {
    client,
    async [Symbol.asyncDispose]() {
      client.stop();
      await socket.dispose();
      await isQuiet();
    },
  };
}

const sendTo = async (sender: Person, ...readers: Person[]): Promise<string[]> => {
  const ids: string[] = [];
  for (const { id } of readers) ids.push((await send(app, sender, { recipientId: id })).id);
  return ids;
};

describe('over the socket, with Apollo Client', () => {
  test('a sender hears what was missed since a cursor and then what comes, each once and in order', async () => {
    const [sender, one, other] = [person(), person(), person()];
    await using connected = apollo(sender);
    const [first = '', second = ''] = await sendTo(sender, one, other);
    const after = await receiptsCursor(app, sender);
    await mark(app, one, first);
    const told = new Messages<Told>();
    const subscription = connected.client
      .subscribe<{ receipts: Told }>({ query: parse(RECEIPTS), variables: { after } })
      .subscribe(({ data }) => data && told.add(data.receipts));
    await told.count(1);
    await mark(app, other, second);
    await mark(app, one, first, 'unread');
    const all = await told.count(3);
    subscription.unsubscribe();
    const time = expect.stringMatching(/^\d{4}-.*Z$/);
    expect(all).toMatchObject([
      { notificationId: first, recipientId: one.id, read: true, readAt: time },
      { notificationId: second, recipientId: other.id, read: true, readAt: time },
      { notificationId: first, recipientId: one.id, read: false, readAt: null },
    ]);
    expect(await receiptsCursor(app, sender)).toBe(all[2]!.cursor);
  });

  test.each(['x', '', 'Zk3vQ0aPxyE4'])('"%s" is refused as a cursor', async (after) => {
    await using connected = apollo(person());
    const { promise, resolve } = Promise.withResolvers<unknown>();
    connected.client
      .subscribe({ query: parse(RECEIPTS), variables: { after } })
      .subscribe({ next: ({ error }) => resolve(error), error: resolve });
    const error = await promise;
    const extensions = CombinedGraphQLErrors.is(error) ? error.errors.map((one) => one.extensions) : error;
    expect(extensions).toEqual([{ code: 'BAD_USER_INPUT', field: 'after' }]);
  });
});

test('a client that loses its connection again and again, and comes back with its last cursor, hears each receipt once', async () => {
  const [sender, reader] = [person(), person()];
  const total = 40;
  const ids = await sendTo(sender, ...Array.from({ length: total }, () => reader));
  let last = await receiptsCursor(app, sender);
  const told = new Messages<Told>();
  let socket: WebSocket | undefined;
  const client = createClient({
    url: app.graphqlSocketUrl,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${sender.token}` },
    retryAttempts: Number.POSITIVE_INFINITY,
    shouldRetry: () => true,
    retryWait: async () => {},
  });
  client.on('opened', (opened) => {
    socket = opened as WebSocket;
  });
  const variables = {
    get after() {
      return last;
    },
  };
  client.subscribe<{ receipts: Told }>(
    { query: RECEIPTS, variables },
    {
      next({ data }) {
        last = data!.receipts.cursor;
        told.add(data!.receipts);
        if (told.all.length % 7 === 0) socket?.terminate();
      },
      error: () => {},
      complete: () => {},
    },
  );
  for (const id of ids) await mark(app, reader, id);
  expect((await told.count(total)).map(({ notificationId }) => notificationId)).toEqual(ids);
  await client.dispose();
  await isQuiet();
});

test('an EventSource hears them too, from its cursor on', async () => {
  const [sender, reader] = [person(), person()];
  const [missed = '', live = ''] = await sendTo(sender, reader, reader);
  await mark(app, reader, missed);
  const query = new URLSearchParams({ query: RECEIPTS, variables: JSON.stringify({ after: BEGINNING }) });
  const source = new EventSource(`${app.graphqlUrl}?${query.toString()}`, {
    fetch: (url, init) =>
      fetch(url, { ...init, headers: { ...init.headers, authorization: `Bearer ${sender.token}` } }),
  });
  const told = new Messages<Told>();
  source.addEventListener('next', ({ data }) => {
    told.add((JSON.parse(data as string) as { data: { receipts: Told } }).data.receipts);
  });
  await told.count(1);
  await mark(app, reader, live);
  expect((await told.count(2)).map(({ notificationId }) => notificationId)).toEqual([missed, live]);
  source.close();
  await isQuiet();
});

test('an event stream ends with BAD_USER_INPUT for what is no cursor, and is refused without a token', async () => {
  const ask = (token: string) =>
    fetch(app.graphqlUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream', authorization: `Bearer ${token}` },
      body: JSON.stringify({ query: RECEIPTS, variables: { after: 'x' } }),
    });
  const text = await (await ask(person().token)).text();
  expect(text).toContain('"extensions":{"code":"BAD_USER_INPUT","field":"after"}');
  expect((await ask('garbage')).status).toBe(401);
  await isQuiet();
});

test('every door tells the sender: GraphQL one by one, many and all, REST, and the raw socket', async () => {
  const [sender, reader] = [person(), person()];
  const [byBatch = '', byRest = '', byRestMany = '', bySocket = '', byAll = ''] = await sendTo(
    sender,
    ...Array.from({ length: 5 }, () => reader),
  );
  await using socket = await connectGraphQL(app, sender);
  socket.send({ id: '1', type: 'subscribe', payload: { query: RECEIPTS, variables: { after: BEGINNING } } });
  const next = async () => (await socket.next())['payload'].data.receipts.notificationId;
  const { token } = reader;
  const batch = 'mutation ($ids: [ID!]!) { batchMarkRead(ids: $ids) { count } }';
  await app.graphql(batch, { token, variables: { ids: [byBatch] } });
  expect(await next()).toBe(byBatch);
  await app.rest('PUT', `/api/v1/notifications/${byRest}/read`, { token });
  expect(await next()).toBe(byRest);
  await app.rest('PUT', '/api/v1/notifications/read', { token, body: { ids: [byRestMany] } });
  expect(await next()).toBe(byRestMany);
  await using raw = await connectLegacy(app, reader);
  raw.send({ type: 'mark_read', notification_ids: [bySocket] });
  expect(await next()).toBe(bySocket);
  await app.graphql('mutation { markAllRead { count } }', { token });
  expect(await next()).toBe(byAll);
});

test('the cursor of a page of sentNotifications joins it to the receipts without a hole', async () => {
  const [sender, reader] = [person(), person()];
  const ids = await sendTo(sender, ...Array.from({ length: 30 }, () => reader));
  const query = '{ sentNotifications(first: 100) { cursor nodes { id isRead } } }';
  const reading = Promise.all(ids.map((id) => mark(app, reader, id)));
  const { data } = await app.graphql(query, { token: sender.token });
  const { cursor, nodes } = data.sentNotifications as { cursor: string; nodes: { id: string; isRead: boolean }[] };
  await reading;
  await using socket = await connectGraphQL(app, sender);
  socket.send({ id: '1', type: 'subscribe', payload: { query: RECEIPTS, variables: { after: cursor } } });
  const known = new Set(nodes.flatMap(({ id, isRead }) => (isRead ? [id] : [])));
  while (known.size < ids.length) known.add((await socket.next())['payload'].data.receipts.notificationId);
  expect([...known].toSorted()).toEqual(ids.toSorted());
});

test('nobody else hears: not the recipient, not another sender, nor the same user of another tenant', async () => {
  const [sender, reader, other] = [person(), person(), person()];
  const namesake = { ...sender, token: signToken({ user_id: sender.id, tenant_id: 'globex' }) };
  const [id = ''] = await sendTo(sender, reader);
  await using resources = new AsyncDisposableStack();
  const sockets = [];
  for (const stranger of [reader, other, namesake]) {
    const socket = resources.use(await connectGraphQL(app, stranger));
    socket.send({ id: '1', type: 'subscribe', payload: { query: RECEIPTS, variables: { after: BEGINNING } } });
    sockets.push(socket);
  }
  await mark(app, reader, id);
  // It is numbered after the commit that marks.
  const cursor = await eventually(async () => {
    const now = await receiptsCursor(app, sender);
    return now === BEGINNING ? undefined : now;
  });
  for (const stranger of [reader, other, namesake]) {
    expect(await receiptsCursor(app, stranger)).toBe(BEGINNING);
    await using refused = await connectGraphQL(app, stranger);
    refused.send({ id: '1', type: 'subscribe', payload: { query: RECEIPTS, variables: { after: cursor } } });
    expect(await refused.next()).toMatchObject({ type: 'error', payload: [{ extensions: badInput('after') }] });
  }
  // What comes after everything else shows that nothing came in between.
  const [own = ''] = await sendTo(other, sender);
  await mark(app, sender, own);
  expect((await sockets[1]!.next())['payload'].data.receipts.notificationId).toBe(own);
  expect([sockets[0]!.rest(), sockets[2]!.rest()]).toEqual([[], []]);
});

test('a query for the cursor needs a token', async () => {
  expect(refusalOf(await app.graphql('{ receiptsCursor }'))).toEqual({ code: 'UNAUTHENTICATED' });
});

test('a server that drains ends them, and leaves nothing', async () => {
  await using draining = await startApp();
  const [sender, reader] = [person(), person()];
  await using socket = await connectGraphQL(draining, sender);
  const { id } = await send(draining, sender, { recipientId: reader.id });
  await mark(draining, reader, id);
  socket.send({ id: '1', type: 'subscribe', payload: { query: RECEIPTS, variables: { after: BEGINNING } } });
  // With the first receipt it stands.
  await socket.next();
  const drained = draining.app.doors.drain();
  expect(await socket.closed).toMatchObject({ code: 1001 });
  await drained;
  expect(draining.app.context.services.receipts.listenerCount).toBe(0);
});
