import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type TestApp, person, startApp } from '../support/app.ts';

const TWO = 'query A { a: __typename } query B { b: __typename }';

let app: TestApp;

beforeAll(async () => {
  app = await startApp();
});

afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

async function post(body: object, accept = 'application/json') {
  const response = await fetch(app.graphqlUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept, authorization: `Bearer ${person().token}` },
    body: JSON.stringify(body),
  });
  const answer = (await response.json()) as { data?: unknown; errors?: { extensions: { code: string } }[] };
  const codes = [...new Set(answer.errors?.map(({ extensions }) => extensions.code))];
  return { status: response.status, ...answer, codes };
}

/** By its status for each of the two media types that the specification knows. */
const refused = async (body: object): Promise<unknown[]> => {
  const plain = await post(body);
  const strict = await post(body, 'application/graphql-response+json');
  expect(strict.codes).toEqual(plain.codes);
  expect(plain.data).toBeUndefined();
  return [plain.status, strict.status, ...plain.codes];
};

test.each<[string, object]>([
  ['with a syntax error', { query: '{ unreadCount' }],
  ['that is empty', { query: '' }],
  ['of nothing but a comment', { query: '# nothing' }],
  ['of a fragment only', { query: 'fragment A on Query { __typename }' }],
  ['with an unknown field', { query: '{ secrets }' }],
  ['with an unknown argument', { query: '{ unreadCount(of: 1) }' }],
  ['with an undeclared variable', { query: '{ notification(id: $id) { id } }' }],
  ['with fragments that contain each other', { query: '{...A} fragment A on Query {...B} fragment B on Query {...A}' }],
  ['with several operations and no name', { query: TWO }],
  ['with several operations and an unknown name', { query: TWO, operationName: 'C' }],
  ['of too many tokens', { query: `{ ${'a '.repeat(5000)} }` }],
  ['of 100,000 opening brackets', { query: `{ a(b: ${'['.repeat(100_000)}` }],
  ['of 100,000 opening braces', { query: '{a'.repeat(100_000) }],
  ['of 2,400 nested selections', { query: `${'{a'.repeat(2400)}${'}'.repeat(2400)}` }],
  [
    'of a type that is deep within itself',
    { query: `{__schema{types{${'fields{type{'.repeat(20)}name${'}'.repeat(42)}}` },
  ],
  ['that repeats one field thousands of times', { query: `{ ${'unreadCount(filter: {}) '.repeat(800)} secrets }` }],
])('a document %s is the fault of the caller', async (_what, body) => {
  expect(await refused(body)).toEqual([200, 400, 'BAD_USER_INPUT']);
});

test('a document that is wrong says where', async () => {
  const { errors } = await post({ query: '{\n  secrets\n}' });
  expect(errors).toMatchObject([{ locations: [{ line: 2, column: 3 }] }]);
});

test('a document of several operations runs the one that is named', async () => {
  expect(await post({ query: TWO, operationName: 'B' })).toMatchObject({ data: { b: 'Query' } });
});
