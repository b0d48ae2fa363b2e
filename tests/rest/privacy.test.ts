import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Person, type TestApp, person, startApp } from '../support/app.ts';
import { expectRefusal } from './expect-refusal.ts';

const path = '/api/v1/notifications';
const owner = person();
const sameTenant = person();
const sameIdElsewhere = person({ tenantId: 'globex' });

let app: TestApp;
let id: string;
beforeAll(async () => {
  app = await startApp();
  const { body } = await app.rest('POST', path, { token: owner.token, body: { title: 'a', content: 'b' } });
  id = body.id;
});
afterAll(async () => app[Symbol.asyncDispose]());

const routes = [
  ['GET', (of: string) => `${path}/${of}`],
  ['PUT', (of: string) => `${path}/${of}/read`],
  ['DELETE', (of: string) => `${path}/${of}`],
] as const;

describe.each(routes)('%s of one that is not in the own inbox', (method, pathOf) => {
  test.each<[string, Person]>([
    ['another user', sameTenant],
    ['another tenant', sameIdElsewhere],
  ])('is answered to %s as if it did not exist', async (_, stranger) => {
    const missing = await app.rest(method, pathOf(randomUUID()), { token: stranger.token });
    expectRefusal(missing, [404, 'NOT_FOUND']);
    const ofEachAnswer = ['date', 'x-request-id'];
    const headersOf = (headers: Headers) => [...headers].filter(([name]) => !ofEachAnswer.includes(name));
    for (const other of [id, id.toUpperCase(), 'not-a-uuid', 'unread-counts', '1', `${id}a`]) {
      const answer = await app.rest(method, pathOf(other), { token: stranger.token });
      expect([answer.status, answer.body]).toEqual([missing.status, missing.body]);
      expect(headersOf(answer.headers)).toEqual(headersOf(missing.headers));
    }
    const untouched = await app.rest('GET', `${path}/${id}`, { token: owner.token });
    expect([untouched.status, untouched.body.is_read]).toEqual([200, false]);
  });
});

test('nobody counts, lists or reads what is not theirs', async () => {
  for (const { token } of [sameTenant, sameIdElsewhere]) {
    expect((await app.rest('GET', path, { token })).body).toMatchObject({ items: [], total: 0 });
    expect((await app.rest('GET', `${path}/unread-count`, { token })).body).toEqual({ count: 0 });
    const read = await app.rest('PUT', `${path}/read`, { token, body: { ids: [id] } });
    expect(read.body).toEqual({ count: 0, success: true });
  }
  expect((await app.rest('GET', `${path}/unread-count`, { token: owner.token })).body).toEqual({ count: 1 });
});

test('the sender of a notification does not see it in the recipient’s inbox', async () => {
  const [sender, recipient] = [person(), person()];
  const { body } = await app.rest('POST', path, {
    token: sender.token,
    body: { title: 'a', content: 'b', user_id: recipient.id },
  });
  expect((await app.rest('GET', `${path}/${body.id}`, { token: sender.token })).status).toBe(404);
  expect((await app.rest('DELETE', `${path}/${body.id}`, { token: sender.token })).status).toBe(404);
  expect((await app.rest('GET', `${path}/${body.id}`, { token: recipient.token })).status).toBe(200);
});

test('ids of users and tenants do not run into each other', async () => {
  const [ab, a] = [person({ tenantId: 'ab' }), person({ tenantId: 'a' })];
  await app.rest('POST', path, { token: ab.token, body: { title: 't', content: 'c', user_id: 'c' } });
  await app.rest('POST', path, { token: a.token, body: { title: 't', content: 'c', user_id: 'bc' } });
  expect((await app.rest('GET', path, { token: a.token })).body.total).toBe(0);
});
