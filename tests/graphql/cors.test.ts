import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type TestApp, person, startApp } from '../support/app.ts';
import { subscribeByPost } from './event-stream.ts';

const ALLOWED = 'https://app.example.com';
const FOREIGN = ['https://evil.example.com', 'http://app.example.com', 'https://app.example.com:444', 'null'];

let app: TestApp;

beforeAll(async () => {
  app = await startApp({ env: { ALLOWED_ORIGINS: `${ALLOWED},http://localhost:3000` } });
});

afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

const ask = (origin: string, token = person().token): Promise<Response> =>
  fetch(app.graphqlUrl, {
    method: 'POST',
    headers: { origin, 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: '{"query":"{ unreadCount }"}',
  });

const preflight = (origin: string): Promise<Response> =>
  fetch(app.graphqlUrl, {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,content-type',
    },
  });

test.each([ALLOWED, 'http://localhost:3000'])('pages of the allowed origin %s may read answers', async (origin) => {
  const response = await ask(origin);
  expect(response.status).toBe(200);
  expect(response.headers.get('access-control-allow-origin')).toBe(origin);
  expect(response.headers.get('access-control-expose-headers')).toMatch(/retry-after/i);
  expect(response.headers.get('vary')).toMatch(/origin/i);
  expect(await response.json()).toEqual({ data: { unreadCount: 0 } });
});

test('pages of an allowed origin may read refusals', async () => {
  const response = await ask(ALLOWED, 'x');
  expect(response.status).toBe(401);
  expect(response.headers.get('access-control-allow-origin')).toBe(ALLOWED);
});

test('pages of an allowed origin may read event streams', async () => {
  const leave = new AbortController();
  const response = await subscribeByPost(app, person(), { signal: leave.signal, headers: { origin: ALLOWED } });
  expect(response.headers.get('access-control-allow-origin')).toBe(ALLOWED);
  leave.abort();
});

test('a preflight from an allowed origin lets the token and JSON through', async () => {
  const response = await preflight(ALLOWED);
  expect(response.status).toBe(204);
  expect(response.headers.get('access-control-allow-origin')).toBe(ALLOWED);
  expect(response.headers.get('access-control-allow-methods')).toContain('POST');
  expect(response.headers.get('access-control-allow-headers')).toBe('authorization,content-type');
});

test.each(FOREIGN)('pages of the origin %s get no leave to read, nor to ask', async (origin) => {
  for (const response of [await ask(origin), await preflight(origin)]) {
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
    expect(response.headers.get('access-control-allow-credentials')).toBeNull();
    expect(response.headers.get('vary')).toMatch(/origin/i);
  }
});
