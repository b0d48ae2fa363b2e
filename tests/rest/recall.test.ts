import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { connectLegacy } from '../sockets/connect.ts';
import { type Person, type TestApp, person, startApp } from '../support/app.ts';
import { withClient } from '../support/postgres.ts';
import { expectRefusal } from './expect-refusal.ts';

const path = '/api/v1/notifications';
const HOUR_MS = 3_600_000;
const SOON_MS = 1000;
const RFC_3339_UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

let app: TestApp;
beforeAll(async () => {
  app = await startApp();
});
afterAll(async () => app[Symbol.asyncDispose]());

const at = (ms: number) => new Date(Date.now() + ms).toISOString();
const trySend = ({ token }: Person, body: object, headers: Record<string, string> = {}) =>
  app.rest('POST', path, { token, headers, body: { title: 'Title', content: 'Content', ...body } });
const recall = ({ token }: Person, id: string) => app.rest('POST', `${path}/${id}/recall`, { token });
const total = async ({ token }: Person) => (await app.rest('GET', path, { token })).body.total as number;

describe('recalling', () => {
  test('answers with the notification as recalled, and it is gone from the list, the counts and its address', async () => {
    const [sender, recipient] = [person(), person()];
    const { body: sent } = await trySend(sender, { user_id: recipient.id });
    const first = await recall(sender, sent.id);
    expect([first.status, first.body]).toEqual([200, { ...sent, status: 'recalled' }]);
    expect((await recall(sender, sent.id)).body).toEqual(first.body);
    expect(await total(recipient)).toBe(0);
    const { token } = recipient;
    expect((await app.rest('GET', `${path}/unread-count`, { token })).body).toEqual({ count: 0 });
    for (const [method, part] of [
      ['GET', ''],
      ['PUT', '/read'],
      ['DELETE', ''],
    ] as const) {
      expectRefusal(await app.rest(method, `${path}/${sent.id}${part}`, { token }), [404, 'NOT_FOUND']);
    }
  });

  test('is refused to the recipient, to strangers, without a token, and for what is not there', async () => {
    const [sender, recipient] = [person(), person()];
    const { id } = (await trySend(sender, { user_id: recipient.id })).body;
    for (const who of [recipient, person(), person({ tenantId: 'globex', roles: ['admin'] })]) {
      expectRefusal(await recall(who, id), [404, 'NOT_FOUND']);
    }
    expectRefusal(await recall(sender, 'no-id'), [404, 'NOT_FOUND']);
    expectRefusal(await app.rest('POST', `${path}/${id}/recall`), [401, 'UNAUTHENTICATED']);
    expectRefusal(await app.rest('GET', `${path}/${id}/recall`, sender), [405, 'METHOD_NOT_ALLOWED']);
    expect(await total(recipient)).toBe(1);
    expect((await recall(person({ roles: ['admin'] }), id)).body.status).toBe('recalled');
  });

  test('after the window is a conflict', async () => {
    const me = person();
    const { id } = (await trySend(me, {})).body;
    await withClient(app.databaseUrl, (client) =>
      client.query("update notification set created_at = now() - interval '25 hours' where id = $1", [id]),
    );
    expectRefusal(await recall(me, id), [409, 'CONFLICT']);
    expect(await total(me)).toBe(1);
  });
});

describe('send_at', () => {
  test('is answered with status pending and the time, in either spelling, and comes at its time', async () => {
    const me = person();
    await using socket = await connectLegacy(app, me);
    for (const key of ['send_at', 'sendAt']) {
      const time = at(SOON_MS);
      const { status, body } = await trySend(me, { [key]: time });
      expect([status, body.status, body.send_at]).toEqual([200, 'pending', time]);
      const { notification } = await socket.next();
      expect(notification).toMatchObject({
        id: body.id,
        is_read: false,
        created_at: expect.stringMatching(RFC_3339_UTC),
      });
      const seen = (await app.rest('GET', `${path}/${body.id}`, { token: me.token })).body;
      expect(seen).toMatchObject({ status: 'sent', created_at: notification.created_at });
      expect('send_at' in seen).toBe(false);
    }
  });

  test('with an Idempotency-Key answers repetitions with the same pending notification', async () => {
    const me = person();
    const body = { send_at: at(HOUR_MS) };
    const first = await trySend(me, body, { 'Idempotency-Key': 'k' });
    expect((await trySend(me, body, { 'Idempotency-Key': 'k' })).body).toEqual(first.body);
    const other = await trySend(me, { send_at: at(2 * HOUR_MS) }, { 'Idempotency-Key': 'k' });
    expect([other.status, other.body.reason]).toEqual([409, 'CONFLICT']);
  });
});

test('expires_at with an offset is shown in UTC, and absent ones, also as "" and null, are not shown', async () => {
  const me = person();
  const { body } = await trySend(me, { expires_at: '2999-12-31T23:30:00-01:00' });
  expect(body).toMatchObject({ status: 'sent', expires_at: '3000-01-01T00:30:00.000Z' });
  expect((await app.rest('GET', `${path}/${body.id}`, { token: me.token })).body).toEqual(body);
  for (const none of ['', null]) {
    const plain = (await trySend(me, { expires_at: none, send_at: none })).body;
    expect('expires_at' in plain || 'send_at' in plain).toBe(false);
    expect(plain.status).toBe('sent');
  }
});

test.each<[string, unknown]>([
  ['expires_at', 'tomorrow'],
  ['expires_at', '2999-01-01'],
  ['expires_at', '2999-01-01T00:00:00'],
  ['expires_at', '2999-02-30T00:00:00Z'],
  ['expires_at', '1999-01-01T00:00:00Z'],
  ['expires_at', 4_102_444_800],
  ['send_at', '1999-01-01T00:00:00Z'],
  ['send_at', '2999-01-01T00:00:00Z'],
  ['send_at', ['2999-01-01T00:00:00Z']],
  ['send_at', 'soon'],
])('%s as %j is refused, and nothing is stored', async (field, value) => {
  const me = person();
  expectRefusal(await trySend(me, { [field]: value }), [400, 'BAD_USER_INPUT', field]);
  expect(await total(me)).toBe(0);
});

test('send_at after expires_at is refused', async () => {
  const body = { send_at: at(2 * HOUR_MS), expires_at: at(HOUR_MS) };
  expectRefusal(await trySend(person(), body), [400, 'BAD_USER_INPUT', 'send_at']);
});
