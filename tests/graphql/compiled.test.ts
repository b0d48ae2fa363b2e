import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { isObjectType } from 'graphql';
import { createLogger } from '../../src/logger.ts';
import { Metrics } from '../../src/metrics/metrics.ts';
import { schema } from '../../src/schema/index.ts';
import type { Caller } from '../../src/services/caller.ts';
import type { InboxListener } from '../../src/services/inbox-listener.ts';
import { Operations, type Subscription } from '../../src/transports/graphql/operations.ts';
import { type Person, type TestApp, person, startApp } from '../support/app.ts';
import { sendMany } from './operations.ts';

let app: TestApp;
let me: Person;

const operationsOf = (compileAfter: number): Operations =>
  new Operations({
    services: app.app.context.services,
    metrics: new Metrics(),
    logger: createLogger({ level: 'silent', format: 'json' }),
    maxTokens: 5000,
    introspection: true,
    limits: app.config,
    compileAfter,
  });
const callerOf = ({ id, tenantId }: Person): Caller => ({
  tenantId,
  userId: id,
  roles: [],
  expiresAtMs: Date.now() + 60_000,
  issuedAtMs: 0,
  sessionId: undefined,
});

beforeAll(async () => {
  app = await startApp();
  me = person();
  await sendMany(app, me, 5);
});
afterAll(async () => app[Symbol.asyncDispose]());

describe('a compiled operation answers as an interpreted one does:', () => {
  const everything = `id cursor changeCursor tenantId recipientId senderId type priority channel status title content link
    data relatedType relatedId isRead readAt createdAt __typename`;
  const missing = '00000000-0000-7000-8000-000000000000';
  const cases: [string, string, Record<string, unknown>?][] = [
    ['a number', '{ unreadCount }'],
    [
      'a page',
      `{ notifications(first: 3) { edges { cursor node { ${everything} } } nodes { id } totalCount unreadCount } }`,
    ],
    ['aliases', '{ a: unreadCount b: unreadCount(filter: { types: [TASK] }) c: inboxState { cursor unreadCount } }'],
    [
      'fragments',
      'query { notifications { ...P } } fragment P on NotificationConnection { pageInfo { hasNextPage } nodes { ... on Notification { title } } }',
    ],
    ['a field twice', '{ notifications { nodes { id } nodes { title } } }'],
    ['null', `{ notification(id: "${missing}") { id } }`],
    ['a directive', 'query ($y: Boolean!) { unreadCount @skip(if: $y) inboxState { cursor } }', { y: true }],
    ['a default value', 'query ($n: Int = 2) { notifications(first: $n) { nodes { title } } }'],
    ['variables', 'query ($f: NotificationFilter) { unreadCount(filter: $f) }', { f: { types: ['TASK', 'ALERT'] } }],
    ['a variable of the wrong type', 'query ($n: Int) { notifications(first: $n) { totalCount } }', { n: 'x' }],
    ['a missing variable', 'query ($id: ID!) { notification(id: $id) { id } }'],
    [
      'an unknown value of an enum',
      'query ($t: [NotificationType!]) { unreadCount(filter: { types: $t }) }',
      { t: ['X'] },
    ],
    ['a missing field of an input', 'mutation ($i: SendInput!) { send(input: $i) { id } }', { i: { title: 'T' } }],
    ['a null where none may be', 'mutation ($i: SendInput!) { send(input: $i) { id } }', { i: null }],
    ['a null for an argument with a default', 'query ($id: ID = "x") { notification(id: $id) { id } }', { id: null }],
    ['a refusal of the service', '{ notifications(first: 101) { totalCount } }'],
    ['a refusal beside data', '{ unreadCount notifications(first: 0) { totalCount } }'],
    ['a refused mutation', `mutation { a: markRead(id: "${missing}") { id } b: delete(id: "x") { id } }`],
    [
      'several mutations in order',
      'mutation { a: batchMarkRead(ids: ["x"]) { count unreadCount } b: batchMarkRead(ids: ["y"]) { count } }',
    ],
    ['two operations', 'query A { unreadCount } query B { inboxState { totalCount } }'],
    ['introspection', '{ __schema { queryType { name } } unreadCount }'],
  ];
  test.each(cases.map(([name, ...rest]) => [name, rest] as const))('%s', async (_, [query, variables]) => {
    const request = { query, variables, operationName: query.startsWith('query A') ? 'B' : undefined };
    const answers = [];
    // The compiled one several times: its form is kept.
    for (const operations of [operationsOf(Number.POSITIVE_INFINITY), operationsOf(0), operationsOf(1)]) {
      for (let round = 0; round < 2; round++) {
        const prepared = operations.prepare(request, { caller: callerOf(me) }, 'post');
        answers.push(operations.toJson('errors' in prepared ? prepared : await operations.run(prepared)));
      }
    }
    const [interpreted, ...compiled] = answers.map((text) => JSON.parse(text));
    for (const answer of compiled) expect(answer).toEqual(interpreted);
  });
});

describe('a subscription', () => {
  const DOCUMENT = `subscription ($after: String) { inboxChanged(after: $after) {
    ... on NotificationAdded { cursor unreadCount notification { title recipientId } } } }`;

  async function begin(operations: Operations, who: Person, query = DOCUMENT, variables = {}): Promise<Subscription> {
    const prepared = operations.prepare({ query, variables }, { caller: callerOf(who) }, 'socket');
    const begun = 'errors' in prepared ? prepared : await operations.subscribe(prepared);
    if ('errors' in begun) throw begun.errors[0];
    return begun;
  }

  test('is executed once per event for all that ask for the same, wherever they begin', async () => {
    const operations = operationsOf(0);
    const one = await begin(operations, me);
    const two = await begin(operations, me, DOCUMENT, { after: (one.source as InboxListener).head.epoch + '1' });
    const other = await begin(operations, me, DOCUMENT.replace('title', 'title id'));
    expect(two.projection).toBe(one.projection);
    expect(other.projection).not.toBe(one.projection);
    for (const { source } of [one, two, other]) await source.return();
  });

  test('that is shared never shows one inbox’s events to another', async () => {
    const operations = operationsOf(0);
    const people = [person(), person(), person()];
    const begun = await Promise.all(people.map((who) => begin(operations, who)));
    expect(new Set(begun.map(({ projection }) => projection)).size).toBe(1);
    const events = begun.map(({ source }) => source.next());
    await Promise.all(people.map((who) => sendMany(app, who, 1)));
    for (const [index, event] of (await Promise.all(events)).entries()) {
      const shown = JSON.parse(await begun[index]!.projection.render(event.value, people[index]!.tenantId));
      expect(shown.data.inboxChanged.notification.recipientId).toBe(people[index]!.id);
    }
    for (const { source } of begun) await source.return();
  });

  test('with a field that depends on the viewer is shared by nobody', async () => {
    const type = schema.getType('Notification');
    if (!isObjectType(type)) throw new Error('Notification is an object type');
    const title = type.getFields()['title']!;
    const { extensions } = title;
    title.extensions = { viewerDependent: true };
    try {
      const operations = operationsOf(0);
      const one = await begin(operations, me);
      const two = await begin(operations, me);
      expect(two.projection).not.toBe(one.projection);
      for (const { source } of [one, two]) await source.return();
    } finally {
      title.extensions = extensions;
    }
  });

  test('that is shared is executed without a viewer: a field that needs one fails instead of showing another’s', async () => {
    const type = schema.getType('Notification');
    if (!isObjectType(type)) throw new Error('Notification is an object type');
    const title = type.getFields()['title']!;
    const { resolve } = title;
    title.resolve = (_notification, _args, context) => context.caller.userId;
    try {
      const operations = operationsOf(Number.POSITIVE_INFINITY);
      const { source, projection } = await begin(operations, me);
      const event = source.next();
      await sendMany(app, me, 1);
      const text = await projection.render((await event).value, me.tenantId);
      expect(text).not.toContain(me.id + '"}}'); // the viewer's id as the title
      expect(JSON.parse(text).errors[0].extensions.code).toBe('INTERNAL_SERVER_ERROR');
      await source.return();
    } finally {
      if (resolve) title.resolve = resolve;
    }
  });
});
