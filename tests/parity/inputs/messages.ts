import { connectGraphQL, openGraphQL } from '../../sockets/connect.ts';
import { byMessage } from '../doors.ts';
import { type Carrier, type Input, type Verdict, named } from '../input.ts';
import { mallory } from '../stage.ts';

const nest = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
const UNREAD = '{ unreadCount }';
const init = { type: 'connection_init', payload: { token: mallory.token } };
const subscribe = (id: unknown, payload: unknown): object => ({ type: 'subscribe', id, payload });
const FOLLOW = 'subscription { notificationAdded { id } }';

/** Messages to a GraphQL socket, and what comes until a ping of its own after them is answered, or it is closed. */
const told =
  (messages: readonly (object | string)[], isIntroduced: boolean): Carrier =>
  async ({ app }) => {
    await using socket = await (isIntroduced ? connectGraphQL(app, mallory) : openGraphQL(app));
    for (const message of messages) socket.send(message);
    socket.send({ type: 'ping', payload: { last: true } });
    const heard: string[] = [];
    let refused: Verdict | undefined;
    for (;;) {
      const message = await socket.next().catch(() => undefined);
      if (!message) {
        const { code, reason } = await socket.closed;
        return { verdict: `${code}`, text: `${heard.join()} ${reason}` };
      }
      heard.push(JSON.stringify(message));
      if (message['type'] === 'error') refused = message['payload'][0].extensions.code as Verdict;
      if (message['type'] === 'pong' && message['payload']?.last)
        return { verdict: refused ?? 'OK', text: heard.join() };
    }
  };

const toGraphQL = (message: object | string, verdict: Verdict): Input => ({
  name: named('GraphQL', message),
  verdict,
  on: { graphql_ws: told([message], true) },
});

const inTurn = (name: string, messages: readonly (object | string)[], verdict: Verdict): Input => ({
  name,
  verdict,
  on: { graphql_ws: told(messages, false) },
});

/** Against the protocol: the socket is closed. */
const against: (object | string)[] = [
  'x',
  '{',
  '[]',
  '{}',
  'null',
  '1',
  '"ping"',
  '\ufeff{"type":"ping"}',
  '{"type":"ping"}{"type":"ping"}',
  '{"type":"ping",}',
  "{'type':'ping'}",
  nest(100_000),
  { type: 'Ping' },
  { type: 'PING' },
  { type: 'ping ' },
  { type: ['ping'] },
  { type: null },
  { type: 1 },
  { type: '__proto__' },
  { type: 'constructor' },
  { type: 'toString' },
  '{"__proto__":{"type":"ping"}}',
  { type: 'ping', payload: 'x' },
  { type: 'ping', payload: [] },
  `{"type":"ping","payload":{"deep":${nest(100_000)}}}`,
  { type: 'pong', payload: 1 },
  { type: 'start', id: '1', payload: { query: UNREAD } },
  { type: 'stop', id: '1' },
  { type: 'connection_terminate' },
  { type: 'connection_ack' },
  { type: 'next', id: '1', payload: {} },
  { type: 'error', id: '1', payload: [] },
  { type: 'error', id: '1', payload: [{ message: 'x' }] },
  { type: 'complete' },
  { type: 'complete', id: 1 },
  { type: 'complete', id: '' },
  { type: 'complete', id: null },
  { type: 'subscribe' },
  { type: 'subscribe', id: '1' },
  subscribe(undefined, { query: UNREAD }),
  subscribe('', { query: UNREAD }),
  subscribe(1, { query: UNREAD }),
  subscribe({}, { query: UNREAD }),
  subscribe(['1'], { query: UNREAD }),
  subscribe('1', UNREAD),
  subscribe('1', []),
  subscribe('1', null),
  subscribe('1', {}),
  subscribe('1', { query: null }),
  subscribe('1', { query: 1 }),
  subscribe('1', { query: [UNREAD] }),
  subscribe('1', { query: UNREAD, variables: [] }),
  subscribe('1', { query: UNREAD, variables: '{}' }),
  subscribe('1', { query: UNREAD, operationName: 1 }),
  subscribe('1', { query: UNREAD, operationName: {} }),
  subscribe('1', { query: UNREAD, extensions: [] }),
  subscribe('1', { query: UNREAD, extensions: 'x' }),
  { type: 'connection_init', payload: 'x' },
  { type: 'connection_init', payload: [] },
];

/** Unusual, and nobody's fault. */
const unusual: (object | string)[] = [
  ' {"type":"ping"} ',
  '{"type":"pong","type":"ping"}',
  '{"type":"ping","__proto__":{"x":1}}',
  { type: 'ping', payload: { __typename: 'x', constructor: 1 } },
  { type: 'ping', payload: { text: 'x'.repeat(500_000) } },
  `{"type":"pong","payload":{"deep":${nest(100_000)}}}`,
  { type: 'pong' },
  { type: 'pong', payload: null },
  { type: 'complete', id: 'never begun' },
  { type: 'complete', id: '__proto__' },
  subscribe('__proto__', { query: UNREAD }),
  subscribe('constructor', { query: UNREAD }),
  subscribe('\0', { query: UNREAD }),
  subscribe('\u2028"\\', { query: UNREAD }),
  subscribe('x'.repeat(100_000), { query: UNREAD }),
  subscribe('extra', { query: UNREAD, other: 1 }),
  `{"type":"subscribe","id":"deep","payload":{"query":"${UNREAD}","extensions":{"deep":${nest(100_000)}}}}`,
  `{"type":"subscribe","id":"deep","payload":{"query":"${UNREAD}","variables":{"deep":${nest(100_000)}}}}`,
];

const legacy = (message: object | string, verdict: Verdict, pongs?: number): Input => ({
  name: named('legacy', message),
  verdict,
  on: { legacy_ws: byMessage(message, mallory, pongs) },
});

const toLegacy: (object | string)[] = [
  'x',
  '{',
  '[]',
  '{}',
  'null',
  '1',
  'true',
  '"ping"',
  '\ufeff{"type":"ping"}',
  '{"type":"ping"}{"type":"ping"}',
  "{'type':'ping'}",
  nest(8000),
  '[{"type":"ping"}]',
  { type: 'Ping' },
  { type: 'ping ' },
  { type: null },
  { type: 1 },
  { type: ['ping'] },
  { type: { ping: true } },
  { type: '__proto__' },
  { type: 'constructor' },
  { type: 'hasOwnProperty' },
  { type: 'pong' },
  { type: 'welcome' },
  { type: 'notification' },
  { type: 'read', notification_ids: ['x'] },
  { type: 'deleted', notification_ids: ['x'] },
  { type: 'subscribe', id: '1', payload: { query: UNREAD } },
  { type: 'connection_init' },
  { Type: 'ping' },
  '{"__proto__":{"type":"ping"}}',
  { type: 'mark_read' },
  { type: 'mark_read', ids: ['x'] },
  { type: 'mark_read', notificationIds: ['x'] },
  { type: 'mark_read', notification_ids: { length: 1, 0: 'x' } },
  { type: 'mark_read', notification_ids: { $in: ['x'] } },
  { type: 'typing' },
  { type: 'typing', to: 'vera' },
  { type: 'typing', to: 'vera', conversation_id: 'c' },
  { type: 'typing', to: 'vera', conversation: 'c', typing: true },
];

const pings: (object | string)[] = [
  ' {"type":"ping"}\n',
  '{"type":"mark_read","type":"ping"}',
  '{"type":"ping","__proto__":{"x":1}}',
  `{"type":"ping","deep":${nest(8000)}}`,
  { type: 'ping', user_id: 'vera', tenant_id: 'globex' },
];

const servedByLegacy: (object | string)[] = [
  { type: 'mark_read', notification_ids: ['x'], user_id: 'vera', tenant_id: 'globex' },
  { type: 'mark_read', notification_ids: Array.from({ length: 1000 }, () => 'x') },
];

export const messages: readonly Input[] = [
  ...against.map((message) => toGraphQL(message, '4400')),
  ...unusual.map((message) => toGraphQL(message, 'OK')),
  toGraphQL(init, '4429'),
  inTurn('a subscribe before the connection_init', [subscribe('1', { query: UNREAD })], '4401'),
  inTurn('a subscribe right after the connection_init', [init, subscribe('1', { query: UNREAD })], '4401'),
  inTurn('a ping before the connection_init', [{ type: 'ping' }], 'OK'),
  inTurn('a complete before the connection_init', [{ type: 'complete', id: '1' }], 'OK'),
  inTurn('two connection_inits at once', [init, init], '4429'),
  {
    name: 'an id that is in use',
    verdict: '4409',
    on: { graphql_ws: told([subscribe('1', { query: FOLLOW }), subscribe('1', { query: FOLLOW })], true) },
  },
  {
    name: 'an id that was completed',
    verdict: 'OK',
    on: {
      graphql_ws: told(
        [subscribe('1', { query: FOLLOW }), { type: 'complete', id: '1' }, subscribe('1', { query: FOLLOW })],
        true,
      ),
    },
  },
  {
    name: 'more operations than a socket may have',
    verdict: 'RATE_LIMITED',
    on: {
      graphql_ws: told(
        Array.from({ length: 101 }, (_, n) => subscribe(`${n}`, { query: FOLLOW })),
        true,
      ),
    },
  },
  {
    name: 'a thousand subscriptions, each completed at once',
    verdict: 'OK',
    on: {
      graphql_ws: told(
        Array.from({ length: 90 }, (_, n) => [
          subscribe(`${n}`, { query: FOLLOW }),
          { type: 'complete', id: `${n}` },
        ]).flat(),
        true,
      ),
    },
  },
  ...toLegacy.map((message) => legacy(message, 'BAD_USER_INPUT')),
  ...pings.map((message) => legacy(message, 'OK', 2)),
  ...servedByLegacy.map((message) => legacy(message, 'OK')),
];
