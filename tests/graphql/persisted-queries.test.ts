import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type TestApp, person, startApp } from '../support/app.ts';

let app: TestApp;
const me = person();

beforeAll(async () => {
  app = await startApp();
});
afterAll(async () => app[Symbol.asyncDispose]());

const extensionsFor = (query: string) => ({
  persistedQuery: { version: 1, sha256Hash: createHash('sha256').update(query).digest('hex') },
});

async function ask(body: object | string) {
  const isGet = typeof body === 'string';
  const response = await fetch(isGet ? `${app.graphqlUrl}?${body}` : app.graphqlUrl, {
    method: isGet ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${me.token}`, ...(isGet ? {} : { 'content-type': 'application/json' }) },
    ...(isGet ? {} : { body: JSON.stringify(body) }),
  });
  const { data, errors } = (await response.json()) as {
    data?: unknown;
    errors?: { message: string; extensions: object }[];
  };
  return { status: response.status, data, error: errors?.[0] };
}

test('a query is asked for by its hash once its text has come with it', async () => {
  const query = 'query Registered { unreadCount }';
  const extensions = extensionsFor(query);
  expect(await ask({ extensions })).toMatchObject({
    status: 200,
    error: { message: 'PersistedQueryNotFound', extensions: { code: 'PERSISTED_QUERY_NOT_FOUND' } },
  });
  expect(await ask({ query, extensions })).toMatchObject({ status: 200, data: { unreadCount: 0 } });
  expect(await ask({ extensions })).toMatchObject({ status: 200, data: { unreadCount: 0 } });
  const parameters = new URLSearchParams({ extensions: JSON.stringify(extensions) });
  expect(await ask(parameters.toString())).toMatchObject({ status: 200, data: { unreadCount: 0 } });
});

test('a hash that is not that of the text is refused, and registers nothing', async () => {
  const extensions = extensionsFor('{ unreadCount }');
  expect(await ask({ query: '{ inboxState { cursor } }', extensions })).toMatchObject({
    error: { extensions: { code: 'BAD_USER_INPUT' } },
  });
  expect((await ask({ extensions })).error?.message).toBe('PersistedQueryNotFound');
});

test('a document that is not valid is not registered', async () => {
  const query = '{ nothing }';
  const extensions = extensionsFor(query);
  expect(await ask({ query, extensions })).toMatchObject({ error: { extensions: { code: 'BAD_USER_INPUT' } } });
  expect((await ask({ extensions })).error?.message).toBe('PersistedQueryNotFound');
});

test.each([
  ['another version', { persistedQuery: { version: 2, sha256Hash: 'a'.repeat(64) } }],
  ['a hash that is none', { persistedQuery: { version: 1, sha256Hash: 'x' } }],
  ['no hash', { persistedQuery: { version: 1 } }],
])('%s is refused', async (_, extensions) => {
  expect(await ask({ extensions })).toMatchObject({ error: { extensions: { code: 'BAD_USER_INPUT' } } });
});
