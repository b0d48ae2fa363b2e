import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Person, type TestApp, person, startApp } from '../support/app.ts';
import { rawRequest } from './raw-request.ts';

const path = '/api/v1/notifications';

let app: TestApp;
beforeAll(async () => {
  app = await startApp();
});
afterAll(async () => app[Symbol.asyncDispose]());

const send = (me: Person, key: string, body: object = {}) =>
  app.rest('POST', path, {
    token: me.token,
    headers: { 'Idempotency-Key': key },
    body: { title: 'a', content: 'b', ...body },
  });

test('the same key and content is answered with the first notification, and nothing new is sent', async () => {
  const me = person();
  const first = await send(me, 'key');
  const again = await send(me, 'key');
  expect([again.status, again.body]).toEqual([200, first.body]);
  expect((await app.rest('GET', path, { token: me.token })).body.total).toBe(1);
});

test('of many at once with one key, one is sent and all are answered with it', async () => {
  const me = person();
  const answers = await Promise.all(Array.from({ length: 20 }, () => send(me, 'key')));
  expect(new Set(answers.map(({ status, body }) => `${status} ${body.id}`)).size).toBe(1);
  expect((await app.rest('GET', path, { token: me.token })).body.total).toBe(1);
});

test('the same key with other content is a conflict', async () => {
  const me = person();
  await send(me, 'key');
  for (const other of [{ title: 'c' }, { user_id: 'somebody' }, { data: { a: 1 } }]) {
    const { status, body } = await send(me, 'key', other);
    expect(status).toBe(409);
    expect(body).toEqual({
      code: 409,
      reason: 'CONFLICT',
      message: expect.any(String),
      metadata: { field: 'idempotency-key' },
    });
  }
});

test('a key is its sender’s own', async () => {
  const [me, other] = [person(), person()];
  const namesake = person({ tenantId: 'globex' });
  const ids = await Promise.all([me, other, namesake].map(async (one) => (await send(one, 'key')).body.id));
  expect(new Set(ids).size).toBe(3);
});

test('a key may hold a comma', async () => {
  const me = person();
  expect((await send(me, 'a, b')).status).toBe(200);
});

test.each([
  ['given twice', ['Idempotency-Key: a', 'Idempotency-Key: b']],
  ['given twice alike', ['Idempotency-Key: a', 'idempotency-key: a']],
  ['that is empty', ['Idempotency-Key:']],
  ['that is too long', [`Idempotency-Key: ${'k'.repeat(129)}`]],
])('a key %s is refused', async (_, headers) => {
  const me = person();
  const body = JSON.stringify({ title: 'a', content: 'b' });
  const answer = await rawRequest(app.url, {
    method: 'POST',
    path,
    headers: [
      `Authorization: Bearer ${me.token}`,
      'Content-Type: application/json',
      `Content-Length: ${body.length}`,
      ...headers,
    ],
    body,
  });
  expect(answer.status).toBe(400);
  expect(JSON.parse(answer.text)).toMatchObject({
    reason: 'BAD_USER_INPUT',
    metadata: { field: 'idempotency-key' },
  });
  expect((await app.rest('GET', path, { token: me.token })).body.total).toBe(0);
});
