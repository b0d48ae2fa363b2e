import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ApolloClient, ApolloLink, CombinedGraphQLErrors, HttpLink, InMemoryCache } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { OperationTypeNode } from 'graphql';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import {
  DeleteNotificationDocument,
  MarkReadDocument,
  NotificationAddedDocument,
  NotificationDocument,
  SendDocument,
  UnreadCountDocument,
} from '../../src/web/operations/generated.ts';
import { type Person, type TestApp, person, startApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { type Sent, send } from './operations.ts';

let app: TestApp;

beforeAll(async () => {
  app = await startApp();
});

afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

/** As the documentation of Apollo Client has it: subscriptions over the socket, all else over HTTP. */
function apollo({ token }: Pick<Person, 'token'>) {
  const authorization = `Bearer ${token}`;
  const socket = createClient({
    url: app.graphqlSocketUrl,
    webSocketImpl: WebSocket,
    connectionParams: { authorization },
    retryAttempts: 0,
  });
  const client = new ApolloClient({
    link: ApolloLink.split(
      ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
      new GraphQLWsLink(socket),
      new HttpLink({ uri: app.graphqlUrl, headers: { authorization } }),
    ),
    cache: new InMemoryCache(),
  });
  return {
    client,
    async [Symbol.asyncDispose]() {
      client.stop();
      await socket.dispose();
      await eventually(() => app.app.context.hub.feedCount === 0);
    },
  };
}

const codesOf = (error: unknown): unknown[] =>
  CombinedGraphQLErrors.is(error) ? error.errors.map(({ extensions }) => extensions?.['code']) : [error];

const rejection = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

test('queries and mutations go over HTTP, and the cache follows what mutations answer', async () => {
  const me = person();
  await using connected = apollo(me);
  const { client } = connected;
  const sent = (await client.mutate({ mutation: SendDocument, variables: { input: { title: 'a', content: 'b' } } }))
    .data;
  const id = sent?.send.id ?? '';
  expect(sent?.send).toMatchObject({ recipientId: me.id, title: 'a', isRead: false });

  const seen: (boolean | undefined)[] = [];
  const watched = client.watchQuery({ query: NotificationDocument, variables: { id } });
  const watching = watched.subscribe(({ data, dataState }) => {
    if (dataState === 'complete') seen.push(data.notification?.isRead);
  });
  await eventually(() => seen.length === 1);
  await client.mutate({ mutation: MarkReadDocument, variables: { id } });
  await eventually(() => seen.length === 2);
  watching.unsubscribe();
  expect(seen).toEqual([false, true]);

  const { data } = await client.query({ query: UnreadCountDocument });
  expect(data).toEqual({ unreadCount: 0 });
});

test('the codes of errors are visible', async () => {
  await using connected = apollo(person());
  const { client } = connected;
  const input = { title: '', content: 'b' };
  const refused = await rejection(client.mutate({ mutation: SendDocument, variables: { input } }));
  expect(codesOf(refused)).toEqual(['BAD_USER_INPUT']);
  expect(CombinedGraphQLErrors.is(refused) && refused.errors[0]?.extensions).toMatchObject({ field: 'title' });
  const missing = await rejection(client.mutate({ mutation: DeleteNotificationDocument, variables: { id: 'x' } }));
  expect(codesOf(missing)).toEqual(['NOT_FOUND']);
});

test('a refused token is visible as UNAUTHENTICATED, although the status is 401', async () => {
  await using connected = apollo({ token: 'x' });
  const error = await rejection(connected.client.query({ query: UnreadCountDocument }));
  expect(codesOf(error)).toEqual(['UNAUTHENTICATED']);
});

test('a subscription brings what was missed and then what comes, and can keep a list in the cache up to date', async () => {
  const me = person();
  await using connected = apollo(me);
  const { client } = connected;
  const start = await send(app, me);
  const missed = await send(app, me, { title: 'Missed' });
  await client.query({ query: UnreadCountDocument });

  const got: Sent[] = [];
  const subscription = client
    .subscribe({ query: NotificationAddedDocument, variables: { after: start.cursor } })
    .subscribe(({ data }) => {
      if (!data) return;
      got.push(data.notificationAdded);
      client.cache.updateQuery({ query: UnreadCountDocument }, (old) => old && { unreadCount: old.unreadCount + 1 });
    });
  await eventually(() => got.length === 1);
  const live = await send(app, person(), { recipientId: me.id, title: 'Live' });
  await eventually(() => got.length === 2);
  subscription.unsubscribe();

  expect(got).toMatchObject([missed, live]);
  expect(client.readQuery({ query: UnreadCountDocument })).toEqual({ unreadCount: 4 });
  const { data } = await client.query({
    query: NotificationDocument,
    variables: { id: live.id },
    fetchPolicy: 'network-only',
  });
  expect(data?.notification).toMatchObject({ title: 'Live', senderId: live.senderId });
});

test('a subscription that is refused says why', async () => {
  await using connected = apollo(person());
  const { promise, resolve } = Promise.withResolvers<unknown>();
  connected.client
    .subscribe({ query: NotificationAddedDocument, variables: { after: 'x' } })
    .subscribe({ next: ({ error }) => resolve(error), error: resolve });
  expect(codesOf(await promise)).toEqual(['BAD_USER_INPUT']);
});
