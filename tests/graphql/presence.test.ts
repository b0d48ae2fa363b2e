import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ApolloClient, InMemoryCache, gql } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { connectLegacy } from '../sockets/connect.ts';
import { type Person, type TestApp, person, signToken, startApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import type { Message } from '../support/socket-client.ts';
import { badInput, expectClean, refusalOf } from './operations.ts';

let app: TestApp;
let resources: AsyncDisposableStack;
const TENANT = 'crowded';
const admin = person({ tenantId: TENANT, roles: ['admin'] });
/** In the order of their ids. */
const crowd = Array.from({ length: 25 }, (_, nth): Person => {
  const id = `user ${String(nth).padStart(2, '0')} é`;
  return { id, tenantId: TENANT, token: signToken({ user_id: id, tenant_id: TENANT }) };
});

beforeAll(async () => {
  resources = new AsyncDisposableStack();
  app = resources.use(await startApp());
  for (const who of crowd) resources.use(await connectLegacy(app, who));
  resources.use(await connectLegacy(app, crowd[0]!));
  // Whoever is elsewhere is not in the list.
  resources.use(await connectLegacy(app, person()));
  await eventually(async () => {
    const { nodes } = await list({ first: 100 });
    return nodes.length === crowd.length && nodes[0].connections === 2;
  });
});
afterAll(async () => {
  await resources.disposeAsync();
});

const LIST = `query ($first: Int, $after: String) {
  onlineUsers(first: $first, after: $after) {
    edges { cursor node { userId } } nodes { userId online lastSeenAt connections }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}`;
async function list(variables: object, who = admin): Promise<Message> {
  const { data, errors } = await app.graphql(LIST, { token: who.token, variables });
  if (errors) throw new Error(JSON.stringify(errors));
  return data.onlineUsers;
}

describe('onlineUsers', () => {
  test('pages forward through all who are online in the tenant, in the order of their ids, once each', async () => {
    const seen: string[] = [];
    const pages: unknown[] = [];
    let after: string | null = null;
    do {
      const { edges, nodes, pageInfo }: Message = await list({ first: 10, after });
      expect(edges.map(({ node }: Message) => node['userId'])).toEqual(nodes.map(({ userId }: Message) => userId));
      expect([pageInfo.startCursor, pageInfo.endCursor]).toEqual([edges[0].cursor, edges.at(-1).cursor]);
      seen.push(...nodes.map(({ userId }: Message) => userId));
      pages.push([pageInfo.hasPreviousPage, pageInfo.hasNextPage]);
      after = pageInfo.hasNextPage ? pageInfo.endCursor : null;
    } while (after !== null);
    expect(seen).toEqual(crowd.map(({ id }) => id));
    expect(pages).toEqual([
      [false, true],
      [true, true],
      [true, false],
    ]);
  });

  test('has twenty a page unless it is told otherwise, with the connections of each', async () => {
    const { nodes } = await list({});
    expect(nodes).toHaveLength(20);
    expect(nodes[0]).toEqual({
      userId: crowd[0]!.id,
      online: true,
      lastSeenAt: expect.any(String),
      connections: 2,
    });
  });

  test('goes on after a user who has gone meanwhile', async () => {
    const gone = person({ tenantId: TENANT });
    const after = Buffer.from('user 10').toString('base64url');
    const { nodes, pageInfo } = await list({ first: 1, after });
    expect([nodes[0].userId, pageInfo.hasPreviousPage]).toEqual([crowd[10]!.id, true]);
    expect(nodes.map(({ userId }: Message) => userId)).not.toContain(gone.id);
  });

  test('is empty, without cursors, where nobody is online', async () => {
    expect(await list({}, person({ tenantId: 'deserted', roles: ['admin'] }))).toEqual({
      edges: [],
      nodes: [],
      pageInfo: { hasNextPage: false, hasPreviousPage: false, startCursor: null, endCursor: null },
    });
  });

  test.each([[], ['sender'], ['Admin'], ['administrator']])('is FORBIDDEN with the role %j', async (...roles) => {
    const answer = await app.graphql(LIST, { token: person({ tenantId: TENANT, roles }).token });
    expect(refusalOf(answer)).toEqual({ code: 'FORBIDDEN' });
  });

  test.each<[string, object]>([
    ['first', { first: 0 }],
    ['first', { first: -1 }],
    ['first', { first: 101 }],
    ['first', { first: 2 ** 31 }],
    ['after', { after: '' }],
    ['after', { after: '!' }],
    ['after', { after: 'AA' }],
    ['after', { after: '_w' }],
    ['after', { after: Buffer.from('x'.repeat(129)).toString('base64url') }],
  ])('refuses a wrong %s: %j', async (field, variables) => {
    const answer = await app.graphql(LIST, { token: admin.token, variables });
    expect(refusalOf(answer)).toEqual(badInput(field));
    expectClean(answer);
  });
});

describe('isOnline', () => {
  const IS_ONLINE = 'query ($ids: [ID!]!) { isOnline(userIds: $ids) { userId online connections } }';
  const ask = (ids: unknown, who: Person = crowd[1]!) =>
    app.graphql(IS_ONLINE, { token: who.token, variables: { ids } });

  test('answers in the order asked', async () => {
    const { data } = await ask([crowd[3]!.id, 'nobody', crowd[0]!.id, crowd[3]!.id]);
    expect(data.isOnline).toEqual([
      { userId: crowd[3]!.id, online: true, connections: 1 },
      { userId: 'nobody', online: false, connections: 0 },
      { userId: crowd[0]!.id, online: true, connections: 2 },
      { userId: crowd[3]!.id, online: true, connections: 1 },
    ]);
  });

  test('answers for users of another tenant exactly as for those whom nobody knows', async () => {
    const stranger = person();
    const [existing, missing] = (await ask([crowd[0]!.id, 'nobody'], stranger)).data.isOnline;
    expect({ ...existing, userId: '' }).toEqual({ ...missing, userId: '' });
  });

  test('takes a hundred, and numbers for ids', async () => {
    const { data } = await ask(Array.from({ length: 100 }, (_, nth) => nth));
    expect(data.isOnline).toHaveLength(100);
  });

  test.each<[string, unknown]>([
    ['nobody', []],
    ['more than a hundred', Array.from({ length: 101 }, (_, nth) => `${nth}`)],
    ['an empty id', ['a', '']],
    ['an id that is too long', ['x'.repeat(129)]],
    ['NUL', ['a\0b']],
    ['a lone surrogate', ['\ud800']],
  ])('refuses %s', async (_, ids) => {
    const answer = await ask(ids);
    expect(refusalOf(answer)).toEqual(badInput('userIds'));
    expectClean(answer);
  });
});

test('Apollo Client hears of presence and typing over its socket', async () => {
  const [me, ada] = [person(), person()];
  const socket = createClient({
    url: app.graphqlSocketUrl,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${me.token}` },
    retryAttempts: 0,
  });
  const client = new ApolloClient({ link: new GraphQLWsLink(socket), cache: new InMemoryCache() });
  const online: boolean[] = [];
  const typing: boolean[] = [];
  const subscriptions = [
    client
      .subscribe<Message>({
        query: gql`subscription ($ids: [ID!]!) { presence(userIds: $ids) { userId online } }`,
        variables: { ids: [ada.id] },
      })
      .subscribe(({ data }) => online.push(data?.['presence'].online)),
    client
      .subscribe<Message>({
        query: gql`subscription { typing(conversation: "c") { userId typing } }`,
      })
      .subscribe(({ data }) => typing.push(data?.['typing'].typing)),
  ];
  await eventually(() => online.length === 1 && app.app.context.services.typing.listenedTo > crowd.length);
  await using theirs = await connectLegacy(app, ada);
  await eventually(() => online.length === 2);
  let state = false;
  await eventually(() => {
    state = !state;
    if (typing.length === 0) theirs.send({ type: 'typing', to: me.id, conversation_id: 'c', typing: state });
    return typing.length > 0;
  });
  expect(online).toEqual([false, true]);
  for (const subscription of subscriptions) subscription.unsubscribe();
  client.stop();
  await socket.dispose();
});
