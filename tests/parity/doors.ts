import type { Person } from '../support/app.ts';
import type { SocketClient } from '../support/socket-client.ts';
import { connectLegacy } from '../sockets/connect.ts';
import type { Carrier, Heard, Input } from './input.ts';
import { type Request, exchange, graphqlVerdict, heardError, heardGraphQL, heardRest } from './wire.ts';

/** What a GraphQL client asks, on either of the doors. */
export interface Asked {
  query?: unknown;
  variables?: unknown;
  operationName?: unknown;
  extensions?: unknown;
}

const json = { 'content-type': 'application/json' };
const bearer = ({ token }: Person): Record<string, string> => ({ authorization: `Bearer ${token}` });

/** Over HTTP; a subscription is asked for as an event stream. */
export const overHttp =
  (asked: Asked, who: Person): Carrier =>
  async ({ app, agent }) => {
    const isSubscription = typeof asked.query === 'string' && asked.query.startsWith('subscription');
    const accept = isSubscription ? 'text/event-stream' : 'application/json';
    const headers = { ...json, ...bearer(who), accept };
    return heardGraphQL(
      await exchange(agent, app.url, { method: 'POST', path: '/graphql', headers, body: JSON.stringify(asked) }),
    );
  };

let lastId = 0;

/** Over a socket that is open already, and must still be open afterwards. */
export async function askOn(socket: SocketClient, asked: Asked): Promise<Heard> {
  const id = `${(lastId += 1)}`;
  socket.send({ id, type: 'subscribe', payload: asked });
  let heard: Heard | undefined;
  for (;;) {
    const message = await socket.next();
    if (message['id'] !== id) continue;
    const text = JSON.stringify(message);
    if (message['type'] === 'error') return { ...graphqlVerdict({ errors: message['payload'] }), text };
    if (message['type'] === 'complete') return heard ?? { verdict: 'INTERNAL_SERVER_ERROR', text };
    heard = { ...graphqlVerdict(message['payload']), text };
    if (!String(asked.query).startsWith('subscription')) continue;
    socket.send({ id, type: 'complete' });
    return heard;
  }
}

export const overSocket =
  (asked: Asked, who: Person): Carrier =>
  async (stage) =>
    askOn(await stage.graphqlSocket(who), asked);

export const byRest =
  (request: Omit<Request, 'body'> & { body?: unknown }, who: Person): Carrier =>
  async ({ app, agent }) => {
    const { body } = request;
    const headers = { ...bearer(who), ...(body === undefined ? {} : json), ...request.headers };
    const text = body === undefined ? undefined : JSON.stringify(body);
    return heardRest(await exchange(agent, app.url, { ...request, headers, body: text }));
  };

/** A message to the raw socket, and what is told until the ping after it is answered: the first one, or as many as said. */
export const byMessage =
  (message: object | string, who: Person, pongs = 1): Carrier =>
  async (stage) => {
    const socket = await stage.legacySocket(who);
    socket.send(message);
    return untilPong(socket, pongs);
  };

async function untilPong(socket: SocketClient, pongs = 1): Promise<Heard> {
  socket.send({ type: 'ping' });
  let heard: Heard = { verdict: 'OK', text: '' };
  for (let left = pongs; ; ) {
    const told = await socket.next();
    if (told['type'] === 'pong') left -= 1;
    if (left === 0) return heard;
    if (told['type'] === 'error') heard = heardError(told);
  }
}

type On = Input['on'];

/** The two GraphQL doors. */
export const graphql = (asked: Asked, who: Person): On => ({
  graphql: overHttp(asked, who),
  graphql_ws: overSocket(asked, who),
});

const NOTIFICATION = '/api/v1/notifications';
const isEnum = (value: unknown): value is string => typeof value === 'string' && /^[A-Z_]+$/.test(value);
const REST_NAMES: Readonly<Record<string, string>> = {
  recipientId: 'user_id',
  relatedType: 'related_type',
  relatedId: 'related_id',
  expiresAt: 'expires_at',
  sendAt: 'send_at',
};
const ENUMS = new Set(['type', 'priority', 'channel']);
/** What means the same in a header whatever its client writes it in: ASCII alone. */
const HEADER = /^[\t\u0020-\u007e]*$/;

/** A send; what was sent is told as `sent`. REST has no word for several channels. */
export function send(input: Readonly<Record<string, unknown>>, who: Person): On {
  const asked = { query: 'mutation ($input: SendInput!) { send(input: $input) { sent: id } }', variables: { input } };
  const { idempotencyKey: key, ...content } = input;
  const entries = Object.entries(content).map(([name, value]) => [
    REST_NAMES[name] ?? name,
    ENUMS.has(name) && isEnum(value) ? value.toLowerCase() : value,
  ]);
  const headers: Record<string, string> = typeof key === 'string' ? { 'idempotency-key': key } : {};
  const carried =
    !('channels' in input || 'addresses' in input) && (key == null || (typeof key === 'string' && HEADER.test(key)));
  const body = Object.fromEntries(entries) as unknown;
  return {
    ...graphql(asked, who),
    ...(carried ? { rest: byRest({ method: 'POST', path: NOTIFICATION, headers, body }, who) } : {}),
  };
}

const withId = (query: string, id: unknown): Asked => ({ query, variables: { id } });
const idPath = (id: unknown): string => `${NOTIFICATION}/${encodeURIComponent(String(id))}`;

export const get = (id: unknown, who: Person): On => ({
  ...graphql(withId('query ($id: ID!) { notification(id: $id) { id title } }', id), who),
  rest: byRest({ path: idPath(id) }, who),
});

export const markOne = (id: unknown, who: Person): On => ({
  ...graphql(withId('mutation ($id: ID!) { markRead(id: $id) { id isRead } }', id), who),
  rest: byRest({ method: 'PUT', path: `${idPath(id)}/read` }, who),
});

export const remove = (id: unknown, who: Person): On => ({
  ...graphql(withId('mutation ($id: ID!) { delete(id: $id) { id } }', id), who),
  rest: byRest({ method: 'DELETE', path: idPath(id) }, who),
});

export const recall = (id: unknown, who: Person): On => ({
  ...graphql(withId('mutation ($id: ID!) { recall(id: $id) { id } }', id), who),
  rest: byRest({ method: 'POST', path: `${idPath(id)}/recall` }, who),
});

export const markMany = (ids: unknown, who: Person): On => ({
  ...graphql({ query: 'mutation ($ids: [ID!]!) { batchMarkRead(ids: $ids) { count } }', variables: { ids } }, who),
  rest: byRest({ method: 'PUT', path: `${NOTIFICATION}/read`, body: { ids } }, who),
  legacy_ws: byMessage({ type: 'mark_read', notification_ids: ids }, who),
});

export const type = (to: unknown, conversation: unknown, typing: unknown, who: Person): On => ({
  ...graphql(
    {
      query:
        'mutation ($to: ID!, $in: ID!, $typing: Boolean!) { setTyping(to: $to, conversation: $in, typing: $typing) }',
      variables: { to, in: conversation, typing },
    },
    who,
  ),
  legacy_ws: byMessage({ type: 'typing', to, conversation_id: conversation, typing }, who),
});

/** Coming back with a cursor, wherever one is taken that leads to newer ones. */
export const resume = (cursor: string, who: Person): On => ({
  ...graphql(
    {
      query: 'subscription ($after: String) { notificationAdded(after: $after) { id } }',
      variables: { after: cursor },
    },
    who,
  ),
  async legacy_ws({ app }) {
    await using socket = await connectLegacy(app, who, { since: cursor });
    return await untilPong(socket);
  },
});
