import { connectGraphQL } from '../../sockets/connect.ts';
import { byMessage } from '../doors.ts';
import type { Carrier, Input, Verdict } from '../input.ts';
import { mallory } from '../stage.ts';
import { exchange, graphqlVerdict, heardGraphQL, heardRest } from '../wire.ts';

const DEPTH = 20_000;
const lists = '['.repeat(DEPTH) + ']'.repeat(DEPTH);
const objects = `${'{"a":'.repeat(DEPTH)}1${'}'.repeat(DEPTH)}`;

const SEND = 'mutation ($input: SendInput!) { send(input: $input) { sent: id } }';
const headers = { 'content-type': 'application/json', authorization: `Bearer ${mallory.token}` };

/** The text of a request: what is nested beyond the stack cannot be written by JSON.stringify. */
const overHttp =
  (body: string): Carrier =>
  async ({ app, agent }) => {
    const accept = body.startsWith('{"query":"subscription') ? 'text/event-stream' : 'application/json';
    const request = { method: 'POST', path: '/graphql', headers: { ...headers, accept }, body };
    return heardGraphQL(await exchange(agent, app.url, request));
  };

const overSocket =
  (payload: string): Carrier =>
  async ({ app }) => {
    await using socket = await connectGraphQL(app, mallory);
    socket.send(`{"id":"1","type":"subscribe","payload":${payload}}`);
    const message = await socket.next();
    const text = JSON.stringify(message);
    if (message['type'] === 'error') return { ...graphqlVerdict({ errors: message['payload'] }), text };
    return { ...graphqlVerdict(message['payload']), text };
  };

const byRest =
  (path: string, method: string, body: string): Carrier =>
  async ({ app, agent }) =>
    heardRest(await exchange(agent, app.url, { method, path: `/api/v1/notifications${path}`, headers, body }));

const FIELDS: Readonly<Record<string, string>> = {
  title: 'title',
  content: 'content',
  recipientId: 'user_id',
  link: 'link',
  type: 'type',
  priority: 'priority',
  channel: 'channel',
  data: 'data',
  relatedType: 'related_type',
  relatedId: 'related_id',
  expiresAt: 'expires_at',
  sendAt: 'send_at',
};

function inField([field, restName]: [string, string], [kind, value]: [string, string]): Input {
  const given = (name: string): string => `{"title":"t","content":"c","${name}":${value}}`;
  const asked = `{"query":${JSON.stringify(SEND)},"variables":{"input":${given(field)}}}`;
  return {
    name: `${kind} in ${field}`,
    verdict: 'BAD_USER_INPUT',
    on: { graphql: overHttp(asked), graphql_ws: overSocket(asked), rest: byRest('', 'POST', given(restName)) },
  };
}

/** Operations that take values of every type of their own. */
const OPERATIONS: Readonly<Record<string, string>> = {
  'an id': 'query ($x: ID!) { notification(id: $x) { id title } }',
  'a list of ids': 'mutation ($x: [ID!]!) { batchMarkRead(ids: $x) { count } }',
  'a page size': 'query ($x: Int) { notifications(first: $x) { totalCount } }',
  'a cursor': 'query ($x: String) { notifications(after: $x) { totalCount } }',
  'a filter': 'query ($x: NotificationFilter) { unreadCount(filter: $x) }',
  'a condition': 'query ($x: Boolean!) { unreadCount @include(if: $x) }',
  'the cursor of a stream': 'subscription ($x: String) { notificationAdded(after: $x) { id } }',
  'the users of a stream': 'subscription ($x: [ID!]!) { presence(userIds: $x) { online } }',
};

function inVariable([what, query]: [string, string], [kind, value]: [string, string]): Input {
  const asked = `{"query":${JSON.stringify(query)},"variables":{"x":${value}}}`;
  return {
    name: `${kind} as ${what}`,
    verdict: 'BAD_USER_INPUT',
    on: { graphql: overHttp(asked), graphql_ws: overSocket(asked) },
  };
}

const VALUES: [string, string][] = [
  ['lists beyond the stack', lists],
  ['objects beyond the stack', objects],
  ['half a megabyte of text', JSON.stringify('x'.repeat(500_000))],
  ['twenty thousand numbers', `[${Array(20_000).fill(1).join()}]`],
];
const deep = '['.repeat(8000) + ']'.repeat(8000);
/** A single text is a list of one to GraphQL, and of the users of a stream each counts once. */
const TAKEN: Readonly<Record<string, Verdict>> = {
  'half a megabyte of text as an id': 'NOT_FOUND',
  'half a megabyte of text as a list of ids': 'OK',
  'twenty thousand numbers as the users of a stream': 'OK',
};

export const nested: readonly Input[] = [
  ...Object.entries(FIELDS).flatMap((field) => VALUES.map((value) => inField(field, value))),
  ...Object.entries(OPERATIONS)
    .flatMap((operation) => VALUES.map((value) => inVariable(operation, value)))
    .map((input) => ({ ...input, verdict: TAKEN[input.name] ?? input.verdict })),
  ...['notification_ids', 'to', 'conversation_id', 'typing'].map(
    (field): Input => ({
      name: `lists beyond the stack in ${field}`,
      verdict: 'BAD_USER_INPUT',
      on: {
        legacy_ws: byMessage(
          `{"type":"${field === 'notification_ids' ? 'mark_read' : 'typing'}","${field}":${deep}}`,
          mallory,
        ),
      },
    }),
  ),
];
