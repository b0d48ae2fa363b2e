import { createHash } from 'node:crypto';
import { mkdtempDisposableSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { connectGraphQL, sendTo } from '../sockets/connect.ts';
import { type Person, type TestApp, person, startApp } from '../support/app.ts';

let app: TestApp;
let ada: Person;

beforeAll(async () => {
  app = await startApp();
  ada = person();
  await sendTo(app, ada);
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

interface Request {
  query: string;
  variables?: Record<string, unknown>;
}

/** The errors of a request on each GraphQL door, which must be the same; none when it is served. */
async function errorsOf({ query, variables }: Request, at = app): Promise<{ message: string; code: unknown }[]> {
  const { errors: overHttp = [] } = await at.graphql(query, { token: ada.token, variables });
  await using socket = await connectGraphQL(at, ada);
  socket.send({ id: '1', type: 'subscribe', payload: { query, variables } });
  const first = await socket.next();
  const overSocket = first['type'] === 'error' ? first['payload'] : (first['payload'].errors ?? []);
  const told = (errors: typeof overHttp) =>
    errors.map(({ message, extensions }) => ({ message, code: extensions['code'] }));
  expect(told(overSocket)).toEqual(told(overHttp));
  // A refusal is for that one operation.
  socket.send({ id: '2', type: 'subscribe', payload: { query: QUERY } });
  let answer = first;
  while (answer['id'] !== '2') answer = await socket.next();
  expect(answer).toEqual({ id: '2', type: 'next', payload: { data: { unreadCount: 1 } } });
  return told(overHttp);
}

const QUERY = '{ unreadCount }';
const refusedFor = (most: number, what: string, found: number) => [
  {
    code: 'BAD_USER_INPUT',
    message: `The operation is too large: ${most} ${what} are allowed, it has ${found}.`,
  },
];
const times = (count: number, make: (nth: number) => string) =>
  Array.from({ length: count }, (_, n) => make(n)).join(' ');

describe('an operation', () => {
  test('may have 30 aliases, and no more, wherever they are', async () => {
    expect(await errorsOf({ query: `{ ${times(30, (n) => `a${n}: unreadCount`)} }` })).toEqual([]);
    expect(await errorsOf({ query: `{ ${times(31, (n) => `a${n}: unreadCount`)} }` })).toEqual(
      refusedFor(30, 'aliases', 31),
    );
    const spread = `{ ...A ...B } fragment A on Query { ${times(16, (n) => `a${n}: unreadCount`)} } fragment B on Query { ...A }`;
    expect(await errorsOf({ query: spread })).toEqual(refusedFor(30, 'aliases', 32));
  });

  test('may have fields with a selection that come again as often as aliases, on one level or on many', async () => {
    const again = (count: number) => `{ ${times(count, () => 'notifications { totalCount }')} }`;
    expect(await errorsOf({ query: again(31) })).toEqual([]);
    expect(await errorsOf({ query: again(32) })).toEqual(refusedFor(30, 'aliases', 31));
    const within = times(2, () => `notifications { ${times(16, () => 'nodes { id }')} }`);
    expect(await errorsOf({ query: `{ ${within} }` })).toEqual(refusedFor(30, 'aliases', 31));
    expect(await errorsOf({ query: `{ ${times(40, () => 'unreadCount')} }` })).toEqual([]);
  });

  test('has at most ten of its faults told, and that there are more', async () => {
    const errors = await errorsOf({ query: `{ ${times(500, (n) => `a${n}`)} }` });
    expect(errors).toHaveLength(11);
    expect(errors.at(-1)?.message).toMatch(/^Too many validation errors/);
  });

  test('may have 50 directives, and no more', async () => {
    const query = (count: number) => `{ ${times(count, () => 'unreadCount @include(if: true)')} }`;
    expect(await errorsOf({ query: query(50) })).toEqual([]);
    expect(await errorsOf({ query: query(51) })).toEqual(refusedFor(50, 'directives', 51));
  });

  test('may be as large as every field of a page of 100', async () => {
    const fields =
      'id cursor changeCursor tenantId recipientId senderId type priority channel status title content link data ' +
      'relatedType relatedId isRead readAt createdAt expiresAt sendAt deliveries { id channel status attempts lastError }';
    const query = `query ($first: Int) { notifications(first: $first) { totalCount nodes { ${fields} } } }`;
    expect(await errorsOf({ query, variables: { first: 100 } })).toEqual([]);
  });

  test('may not ask for more values than an answer can have, by what its variables say', async () => {
    const query = `query ($first: Int = 100) {
      ${times(8, (n) => `p${n}: notifications(first: $first) { edges { node { ${times(30, () => 'id')} } } }`)}
    }`;
    expect(await errorsOf({ query, variables: { first: 10 } })).toEqual([]);
    const refused = refusedFor(10_000, 'values in its answer', 8 * (10 + 1 + 100 * 31));
    expect(await errorsOf({ query, variables: { first: 100 } })).toEqual(refused);
    expect(await errorsOf({ query })).toEqual(refused);
  });

  test('pays for each of its mutations', async () => {
    await using small = await startApp({ env: { MAX_QUERY_COST: '100' }, databaseUrl: app.databaseUrl });
    const query = (count: number) => `mutation { ${times(count, (n) => `m${n}: markAllRead { count }`)} }`;
    const refused = await small.graphql(query(11), { token: ada.token });
    expect(refused.errors?.[0]?.message).toContain('100 values in its answer are allowed, it has 121');
  });

  test('of fragments that double at each step is refused at once', async () => {
    const doubling = (count: number) =>
      `{ ...F0 } ${times(
        count,
        (n) => `fragment F${n} on Query { ${n === count - 1 ? 'unreadCount' : `...F${n + 1} ...F${n + 1}`} }`,
      )}`;
    expect(await errorsOf({ query: doubling(60) })).toEqual(refusedFor(30, 'operations and fragments', 61));
    const [error] = await errorsOf({ query: doubling(29) });
    expect(error).toMatchObject({ code: 'BAD_USER_INPUT', message: expect.stringContaining('values in its answer') });
  });

  test('may be as deep as the setting says, not counting what is asked about the schema', async () => {
    await using shallow = await startApp({
      env: { MAX_QUERY_DEPTH: '3' },
      databaseUrl: app.databaseUrl,
    });
    expect(await errorsOf({ query: '{ notifications { nodes { id } } }' }, shallow)).toEqual([]);
    expect(await errorsOf({ query: '{ notifications { edges { node { id } } } }' }, shallow)).toEqual(
      refusedFor(3, 'fields within fields', 4),
    );
    expect(
      await errorsOf({ query: '{ __schema { queryType { fields { type { ofType { name } } } } } }' }, shallow),
    ).toEqual([]);
  });
});

describe('the schema', () => {
  test('is not told in production, nor hinted at', async () => {
    await using production = await startApp({ env: { NODE_ENV: 'production' }, databaseUrl: app.databaseUrl });
    const refusalsOf = (request: Request) => errorsOf(request, production);
    for (const query of ['{ __schema { queryType { name } } }', '{ __type(name: "Query") { name } }']) {
      const [error] = await refusalsOf({ query });
      expect(error).toMatchObject({ code: 'BAD_USER_INPUT', message: expect.stringContaining('has been disabled') });
    }
    const [field] = await refusalsOf({ query: '{ unreadCont }' });
    const [value] = await refusalsOf({
      query: 'query ($f: NotificationFilter) { unreadCount(filter: $f) }',
      variables: { f: { types: ['TASKS'] } },
    });
    const [key] = await refusalsOf({
      query: 'query ($f: NotificationFilter) { unreadCount(filter: $f) }',
      variables: { f: { typs: [] } },
    });
    for (const error of [field, value, key]) {
      expect(error?.code).toBe('BAD_USER_INPUT');
      expect(error?.message).not.toMatch(/did you mean/i);
    }
    expect(await refusalsOf({ query: '{ __typename unreadCount }' })).toEqual([]);
  });

  test('is told where the setting says so', async () => {
    await using open = await startApp({
      env: { NODE_ENV: 'production', INTROSPECTION: 'on' },
      databaseUrl: app.databaseUrl,
    });
    expect(await errorsOf({ query: '{ __schema { queryType { name } } }' }, open)).toEqual([]);
    expect((await errorsOf({ query: '{ unreadCont }' }, open))[0]?.message).toContain('Did you mean "unreadCount"?');
  });
});

describe('a server with trusted documents', () => {
  const hashOf = (text: string) => createHash('sha256').update(text).digest('hex');
  const OTHER = '{ unreadCount __typename }';

  test.each<[string, (text: string) => unknown]>([
    ['by their hash', (text) => ({ [hashOf(text)]: text })],
    [
      'in a manifest of Apollo',
      (body) => ({
        format: 'apollo-persisted-query-manifest',
        version: 1,
        operations: [{ id: 'x', name: 'Q', type: 'query', body }],
      }),
    ],
  ])('serves those %s, by hash or by text, and nothing else', async (_, manifest) => {
    using folder = mkdtempDisposableSync(join(tmpdir(), 'carillon-trusted-'));
    const file = join(folder.path, 'documents.json');
    writeFileSync(file, JSON.stringify(manifest(QUERY)));
    await using closed = await startApp({ env: { TRUSTED_DOCUMENTS: file }, databaseUrl: app.databaseUrl });
    expect(await errorsOf({ query: QUERY }, closed)).toEqual([]);
    expect(await errorsOf({ query: OTHER }, closed)).toMatchObject([{ code: 'FORBIDDEN' }]);
    const post = async (body: object) => {
      const response = await fetch(closed.graphqlUrl, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${ada.token}` },
        body: JSON.stringify(body),
      });
      return response.json();
    };
    const persistedQuery = (text: string) => ({
      extensions: { persistedQuery: { version: 1, sha256Hash: hashOf(text) } },
    });
    expect(await post(persistedQuery(QUERY))).toEqual({ data: { unreadCount: 1 } });
    expect(await post(persistedQuery(OTHER))).toMatchObject({
      errors: [{ extensions: { code: 'PERSISTED_QUERY_NOT_FOUND' } }],
    });
    expect(await post({ query: OTHER, ...persistedQuery(OTHER) })).toMatchObject({
      errors: [{ extensions: { code: 'FORBIDDEN' } }],
    });
    expect(await post(persistedQuery(OTHER))).toMatchObject({
      errors: [{ extensions: { code: 'PERSISTED_QUERY_NOT_FOUND' } }],
    });
  });
});
