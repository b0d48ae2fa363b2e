import { request as httpRequest } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type TestApp, person, startApp } from '../support/app.ts';
import { expectRefusal } from './expect-refusal.ts';
import { type RawAnswer, rawRequest } from './raw-request.ts';

const path = '/api/v1/notifications';
const me = person();
const authorized = [`Authorization: Bearer ${me.token}`, 'Content-Type: application/json'];

let app: TestApp;
beforeAll(async () => {
  app = await startApp();
});
afterAll(async () => app[Symbol.asyncDispose]());

const parsed = ({ status, headers, text: body }: RawAnswer) => ({
  status,
  headers: new Headers([...headers]),
  body: JSON.parse(body) as unknown,
});

test('a client that offers h2c, as some do with every request, is answered in HTTP/1.1', async () => {
  const headers = [
    ...authorized,
    'Connection: Upgrade, HTTP2-Settings',
    'Upgrade: h2c',
    'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA',
  ];
  expect(parsed(await rawRequest(app.url, { path: `${path}/unread-count`, headers }))).toMatchObject({
    status: 200,
    body: { count: 0 },
  });
});

describe('an unknown path is answered 404', () => {
  test.each(['/nothing', '/api', '/api/v1', '/api/v1/nothing', '/api/v1/notifications/a/b/c', '/health/', '/Health'])(
    '%s, with a token and without',
    async (unknown) => {
      expectRefusal(await app.rest('GET', unknown), [404, 'NOT_FOUND']);
      expectRefusal(await app.rest('POST', unknown, { token: me.token, body: '{' }), [404, 'NOT_FOUND']);
    },
  );
});

describe('a known path with another method is answered 405 with Allow, before anybody asks for a token', () => {
  test.each([
    [path, ['DELETE', 'PATCH', 'PUT'], 'GET, HEAD, POST'],
    [`${path}/read`, ['GET', 'POST', 'DELETE', 'PATCH'], 'PUT'],
    [`${path}/unread-count`, ['POST', 'PUT', 'DELETE'], 'GET, HEAD'],
    [`${path}/sent`, ['POST', 'PUT', 'DELETE'], 'GET, HEAD'],
    [`${path}/some-id`, ['POST', 'PUT', 'PATCH'], 'DELETE, GET, HEAD'],
    [`${path}/some-id/read`, ['GET', 'POST', 'DELETE'], 'PUT'],
    ['/api/v1/auth/login', ['GET', 'PUT', 'DELETE'], 'POST'],
    ['/api/v1/auth/refresh', ['GET', 'PUT'], 'POST'],
    ['/api/v1/openapi.json', ['POST', 'DELETE'], 'GET, HEAD'],
    ['/health', ['POST', 'PUT'], 'GET, HEAD'],
    ['/ready', ['POST'], 'GET, HEAD'],
  ])('%s', async (known, methods, allowed) => {
    for (const method of methods) {
      for (const token of [undefined, me.token]) {
        const answer = await app.rest(method, known, { token, headers: { 'content-type': 'text/plain' } });
        expectRefusal(answer, [405, 'METHOD_NOT_ALLOWED']);
        expect(answer.headers.get('allow')?.split(', ').toSorted().join(', ')).toBe(allowed);
      }
    }
  });

  test.each(['TRACE', 'PROPFIND', 'SEARCH', 'PURGE', 'M-SEARCH'])('%s', async (method) => {
    const answer = await rawRequest(app.url, { method, path });
    expectRefusal(parsed(answer), [405, 'METHOD_NOT_ALLOWED']);
    expect(answer.headers.get('allow')).toContain('GET');
  });
});

describe('HEAD', () => {
  test.each([path, `${path}/unread-count`, '/api/v1/openapi.json', '/health', '/ready'])(
    'is answered for %s as GET is, without a body',
    async (known) => {
      const get = await app.rest('GET', known, { token: me.token });
      const head = await app.rest('HEAD', known, { token: me.token });
      expect([head.status, head.body]).toEqual([200, undefined]);
      for (const name of ['content-type', 'content-length']) expect(head.headers.get(name)).toBe(get.headers.get(name));
    },
  );

  test('needs a token where GET does', async () => {
    expect((await app.rest('HEAD', path)).status).toBe(401);
  });
});

describe('the id in a path', () => {
  test.each([
    '%00',
    '%ED%A0%80',
    'a'.repeat(5000),
    "'; drop table inbox; --",
    '%2e%2e',
    'a%2Fb',
    '..%2f..',
    '%F0%9F%9A%80',
    '%25',
  ])('%s is answered like one that is missing', async (id) => {
    for (const [method, to] of [
      ['GET', `${path}/${id}`],
      ['PUT', `${path}/${id}/read`],
      ['DELETE', `${path}/${id}`],
    ] as const) {
      const answer = parsed(
        await rawRequest(app.url, { method, path: to.replaceAll(' ', '%20'), headers: authorized }),
      );
      if (id === '%ED%A0%80') expectRefusal(answer, [400, 'BAD_USER_INPUT']);
      else expectRefusal(answer, [404, 'NOT_FOUND']);
    }
  });

  test.each(['%', '%zz', '%E0%A4%A', '%c0%af'])('%s, which no URL may hold, is bad input', async (id) => {
    const answer = parsed(await rawRequest(app.url, { path: `${path}/${id}`, headers: authorized }));
    expectRefusal(answer, [400, 'BAD_USER_INPUT']);
  });

  test('may not be longer than a request line', async () => {
    const answer = parsed(await rawRequest(app.url, { path: `${path}/${'a'.repeat(20_000)}`, headers: authorized }));
    expectRefusal(answer, [431, 'BAD_USER_INPUT']);
  });
});

describe('a body of 10 MB is too large', () => {
  test.each([
    ['with its length announced', true],
    ['in chunks', false],
  ])('%s', async (_, announced) => {
    const body = Buffer.from(JSON.stringify({ title: 'a', content: 'x'.repeat(10 * 2 ** 20) }));
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number; headers: Headers; body: unknown }>();
    const request = httpRequest(`${app.url}${path}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${me.token}`,
        'content-type': 'application/json',
        ...(announced ? { 'content-length': body.length } : {}),
      },
    });
    request.on('error', reject).on('response', (response) => {
      const headers = new Headers({ 'content-type': response.headers['content-type'] ?? '' });
      text(response).then(
        (answer) => resolve({ status: response.statusCode ?? 0, headers, body: JSON.parse(answer) }),
        reject,
      );
    });
    for (let at = 0; at < body.length; at += 65_536) request.write(body.subarray(at, at + 65_536));
    request.end();
    expectRefusal(await promise, [413, 'PAYLOAD_TOO_LARGE']);
  });

  test('and the server goes on', async () => {
    expect((await app.rest('GET', path, { token: me.token })).body.total).toBe(0);
  });
});

describe('what is not proper HTTP gets the same kind of answer', () => {
  const body = JSON.stringify({ title: 'a', content: 'b' });
  test.each<[string, { headers?: string[]; body?: string; end?: boolean }]>([
    ['a body shorter than its announced length', { headers: [`Content-Length: ${body.length + 5}`], body, end: true }],
    ['a body longer than its announced length', { headers: [`Content-Length: ${body.length - 5}`], body }],
    ['two lengths', { headers: ['Content-Length: 1', 'Content-Length: 2'], body }],
    ['a length and chunks', { headers: ['Content-Length: 5', 'Transfer-Encoding: chunked'], body: '0\r\n\r\n' }],
    ['a length that is no number', { headers: ['Content-Length: x'], body }],
    ['NUL in a header', { headers: ['Idempotency-Key: a\0b', 'Content-Length: 0'] }],
    ['chunks that are none', { headers: ['Transfer-Encoding: chunked'], body: 'zz\r\n' }],
  ])('%s', async (_, broken) => {
    const answer = await rawRequest(app.url, {
      method: 'POST',
      path,
      body: broken.body ?? '',
      end: broken.end ?? false,
      headers: [...authorized, ...(broken.headers ?? [])],
    });
    expect(answer.status).toBe(400);
    expect(answer.text.startsWith('{"code":400,"reason":"BAD_USER_INPUT",')).toBe(true);
  });
});
