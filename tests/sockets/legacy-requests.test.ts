import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type TestApp, person, startApp } from '../support/app.ts';
import { frame, openRaw } from '../support/socket-client.ts';
import { connectLegacy, sendTo } from './connect.ts';

let app: TestApp;

beforeAll(async () => {
  app = await startApp();
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT/);
const PONG = { type: 'pong', timestamp: TIME };
const refusal = (message: unknown) => ({ type: 'error', code: 'BAD_USER_INPUT', message, timestamp: TIME });

test('ping is answered with pong, and nothing else', async () => {
  await using socket = await connectLegacy(app, person());
  socket.send({ type: 'ping' });
  expect(await socket.next()).toEqual(PONG);
});

test('messages that come with the handshake are answered after the welcome, in their order', async () => {
  const { token } = person();
  const early = [frame('x', { first: 0x82 }), frame('{"type":"ping"}'), frame('no JSON'), frame('{"type":"ping"}')];
  const socket = await openRaw(app.legacySocketUrl(), { token, early: Buffer.concat(early) });
  const types: string[] = [];
  for await (const chunk of socket) {
    types.push(...[...String(chunk).matchAll(/\{"type":"(\w+)"/g)].map(([, type]) => type as string));
    if (types.length >= 5) break;
  }
  expect(types).toEqual(['welcome', 'error', 'pong', 'error', 'pong']);
});

test('a burst of a thousand messages is answered in full', async () => {
  await using socket = await connectLegacy(app, person());
  for (let count = 0; count < 1000; count++) socket.send({ type: 'ping' });
  expect(await socket.take(1000)).toEqual(Array.from({ length: 1000 }, () => PONG));
});

describe('mark_read', () => {
  test('changes what every other door answers', async () => {
    const ada = person();
    const { id } = await sendTo(app, ada);
    await using socket = await connectLegacy(app, ada);
    socket.send({ type: 'mark_read', notification_ids: [id] });
    expect(await socket.next()).toMatchObject({ type: 'read', notification_ids: [id], unread_count: 0 });
    const { body } = await app.rest('GET', `/api/v1/notifications/${id}`, { token: ada.token });
    expect(body).toMatchObject({ is_read: true, status: 'read', read_at: TIME });
  });

  test('tells only the ids that were unread and are the caller’s own, each once', async () => {
    const [ada, bob] = [person(), person()];
    const mine = await sendTo(app, ada);
    const read = await sendTo(app, ada);
    const foreign = await sendTo(app, bob);
    await app.rest('PUT', `/api/v1/notifications/${read['id']}/read`, { token: ada.token });
    await using socket = await connectLegacy(app, ada);
    const ids = [randomUUID(), 'no uuid', foreign['id'], read['id'], mine['id'], mine['id'].toUpperCase(), mine['id']];
    socket.send({ type: 'mark_read', notification_ids: ids });
    expect(await socket.next()).toMatchObject({ type: 'read', notification_ids: [mine['id']], unread_count: 0 });
    const { body } = await app.rest('GET', `/api/v1/notifications/${foreign['id']}`, { token: bob.token });
    expect(body.is_read).toBe(false);
  });

  test('that changes nothing is told to nobody', async () => {
    const ada = person();
    await using socket = await connectLegacy(app, ada);
    socket.send({ type: 'mark_read', notification_ids: [randomUUID()] });
    socket.send({ type: 'ping' });
    expect(await socket.next()).toEqual(PONG);
  });

  test('after mark_read is served in the order in which they came', async () => {
    const ada = person();
    const ids = await Promise.all(Array.from({ length: 5 }, async () => (await sendTo(app, ada))['id'] as string));
    await using socket = await connectLegacy(app, ada);
    for (const id of ids) socket.send({ type: 'mark_read', notification_ids: [id] });
    const messages = await socket.take(5);
    expect(messages.map((message) => message['notification_ids'])).toEqual(ids.map((id) => [id]));
    expect(messages.map((message) => message['unread_count'])).toEqual([4, 3, 2, 1, 0]);
  });

  test.each([
    ['no ids', { type: 'mark_read', notification_ids: [] }, /^notification_ids must not be empty\.$/],
    ['ids that are no list', { type: 'mark_read', notification_ids: 'x' }, /^notification_ids /],
    ['ids that are no text', { type: 'mark_read', notification_ids: [1] }, /^notification_ids /],
    ['the ids left out', { type: 'mark_read' }, /^notification_ids /],
  ])('with %s is refused, and says what is wrong', async (_, message, words) => {
    await using socket = await connectLegacy(app, person());
    socket.send(message);
    expect(await socket.next()).toEqual(refusal(expect.stringMatching(words)));
  });

  test('with more ids than a batch may hold is refused', async () => {
    await using small = await startApp({ env: { MAX_BATCH_IDS: '2' } });
    await using socket = await connectLegacy(small, person());
    socket.send({ type: 'mark_read', notification_ids: ['a', 'b', 'c'] });
    expect(await socket.next()).toEqual(refusal('notification_ids must be at most 2 ids.'));
  });
});

describe('a message that cannot be served is answered with an error, and the socket stays open:', () => {
  test.each([
    ['an unknown type', '{"type":"subscribe"}', /"ping" or "mark_read"/],
    ['no type', '{}', /"ping" or "mark_read"/],
    ['a type that is no text', '{"type":7}', /"ping" or "mark_read"/],
    ['a type inherited by every object', '{"type":"constructor"}', /"ping" or "mark_read"/],
    ['no JSON', 'ping', /not JSON/],
    ['an empty message', '', /not JSON/],
    ['a JSON array', '[{"type":"ping"}]', /JSON object/],
    ['a JSON string', '"ping"', /JSON object/],
    ['null', 'null', /JSON object/],
    ['JSON nested beyond all bounds', `${'['.repeat(8000)}${']'.repeat(8000)}`, /./],
  ])('%s', async (_, text, words) => {
    await using socket = await connectLegacy(app, person());
    socket.send(text);
    socket.send({ type: 'ping' });
    expect(await socket.take(2)).toEqual([refusal(expect.stringMatching(words)), PONG]);
  });

  test('a binary message', async () => {
    await using socket = await connectLegacy(app, person());
    socket.socket.send(Buffer.from('{"type":"ping"}'));
    socket.send({ type: 'ping' });
    expect(await socket.take(2)).toEqual([refusal(expect.stringMatching(/text frame/)), PONG]);
  });
});

test('unknown fields of a message are passed over', async () => {
  await using socket = await connectLegacy(app, person());
  socket.send({ type: 'ping', id: 7 });
  expect(await socket.next()).toEqual(PONG);
});

test('a message of exactly 16 KiB is served', async () => {
  await using socket = await connectLegacy(app, person());
  const bare = JSON.stringify({ type: 'ping', pad: '' });
  socket.send({ type: 'ping', pad: 'x'.repeat(16_384 - bare.length) });
  expect(await socket.next()).toEqual(PONG);
});

test('a message beyond 16 KiB, in one frame or in many, closes with 1009', async () => {
  await using one = await connectLegacy(app, person());
  one.send('x'.repeat(16_385));
  expect((await one.closed).code).toBe(1009);
  await using many = await connectLegacy(app, person());
  for (let part = 0; part < 17; part++) many.socket.send('x'.repeat(1000), { fin: part === 16 });
  expect((await many.closed).code).toBe(1009);
});
