import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import jwt from 'jsonwebtoken';
import { TENANT, TEST_SECRET, type TestApp, person, signToken, startApp } from '../support/app.ts';
import { expectRefusal } from './expect-refusal.ts';

const path = '/api/v1/notifications';
const claims = { user_id: 'u', tenant_id: TENANT };

let app: TestApp;
beforeAll(async () => {
  app = await startApp();
});
afterAll(async () => app[Symbol.asyncDispose]());

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const inAnHour = Math.floor(Date.now() / 1000) + 3600;
const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');

describe('every route that needs a token answers 401', () => {
  const routes: [method: string, path: string, body: unknown][] = [
    ['GET', path, undefined],
    ['POST', path, { title: 'a', content: 'b' }],
    ['GET', `${path}/unread-count`, undefined],
    ['PUT', `${path}/read`, { ids: ['x'] }],
    ['GET', `${path}/x`, undefined],
    ['PUT', `${path}/x/read`, undefined],
    ['DELETE', `${path}/x`, undefined],
    ['GET', `${path}/ws`, undefined],
  ];
  test.each(routes)('%s %s', async (method, to, body) => {
    for (const token of [undefined, 'garbage']) {
      const answer = await app.rest(method, to, { token, body });
      expectRefusal(answer, [401, 'UNAUTHENTICATED']);
      expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    }
  });

  test('before it reads a body', async () => {
    expectRefusal(await app.rest('POST', path, { body: '{' }), [401, 'UNAUTHENTICATED']);
    expectRefusal(await app.rest('POST', path, { body: 'x', headers: { 'content-type': 'text/plain' } }), [
      401,
      'UNAUTHENTICATED',
    ]);
  });
});

describe('a token is refused that', () => {
  test.each([
    ['is signed with another secret', signToken(claims, 'another secret, that is as long as the real one')],
    ['is signed with a foreign algorithm', jwt.sign({ ...claims, exp: inAnHour }, privateKey, { algorithm: 'RS256' })],
    ['is signed with a longer hash', signToken(claims, TEST_SECRET, { algorithm: 'HS512' })],
    ['is not signed', `${encode({ alg: 'none', typ: 'JWT' })}.${encode({ ...claims, exp: inAnHour })}.`],
    ['has no tenant', signToken({ user_id: 'u' })],
    [
      'has another payload than was signed',
      signToken(claims).replace(/\.[^.]+\./, `.${encode({ ...claims, user_id: 'v', exp: inAnHour })}.`),
    ],
  ])('%s', async (_, token) => {
    const answer = await app.rest('GET', path, { token });
    expectRefusal(answer, [401, 'UNAUTHENTICATED']);
    expect(answer.body.message).toBe('The token is not valid.');
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
  });

  test('has expired, and is told so', async () => {
    const answer = await app.rest('GET', path, { token: signToken({ ...claims, exp: inAnHour - 3601 }) });
    expectRefusal(answer, [401, 'UNAUTHENTICATED']);
    expect(answer.body.message).toBe('The token has expired.');
  });
});

describe('the Authorization header', () => {
  const { token } = person();
  test.each([`bearer ${token}`, `BEARER  ${token} `])('may be written differently', async (authorization) => {
    expect((await app.rest('GET', path, { headers: { authorization } })).status).toBe(200);
  });

  test.each(['Bearer', 'Bearer ', token, `Basic ${token}`, `Bearer ${token} x`, `Bearer ${token},${token}`])(
    'is refused as %.20s…',
    async (authorization) => {
      expectRefusal(await app.rest('GET', path, { headers: { authorization } }), [401, 'UNAUTHENTICATED']);
    },
  );

  test('is the only place for a token', async () => {
    expectRefusal(await app.rest('GET', `${path}?token=${token}`), [401, 'UNAUTHENTICATED']);
  });
});
