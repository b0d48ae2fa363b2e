import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Person, type TestApp, person, startApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import type { Message, SocketClient } from '../support/socket-client.ts';
import { BEGINNING, connectGraphQL, connectLegacy, sendTo, subscribe } from './connect.ts';

const SENDS = 350;
/** About 26 KB each: far more in all than the kernel keeps for a reader that stalls. */
const LARGE = { content: 'x'.repeat(10_000), data: 'y'.repeat(16_000) };

let app: TestApp;

beforeAll(async () => {
  app = await startApp({ env: { MAX_WAITING_EVENTS: '16', RATE_LIMITS: 'off' } });
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

async function sendMany(who: Person): Promise<string[]> {
  const sent: string[] = [];
  while (sent.length < SENDS) {
    const batch = await Promise.all(Array.from({ length: 50 }, () => sendTo(app, who, LARGE)));
    sent.push(...batch.map(({ id }) => id as string));
  }
  return sent;
}

/** Waits until the stalled socket, the only one left, is given up; then lets it read, to its end. */
async function readToTheEnd(socket: SocketClient): Promise<Message[]> {
  await eventually(() => app.app.context.hub.feedCount === 0);
  socket.socket.resume();
  expect(await socket.closed).toEqual({ code: 1013, reason: 'slow consumer' });
  return socket.rest();
}

test('a legacy socket that stalls is closed with 1013, and misses nothing when it comes back with since', async () => {
  const ada = person();
  await using stalled = await connectLegacy(app, ada);
  const brisk = await connectLegacy(app, ada);
  stalled.socket.pause();
  const sent = await sendMany(ada);
  const inOrder = (await brisk.take(SENDS)).map((message) => message['notification'].id as string);
  expect(new Set(inOrder)).toEqual(new Set(sent));
  await brisk[Symbol.asyncDispose]();
  const before = await readToTheEnd(stalled);
  expect(before.length).toBeGreaterThan(0);
  expect(before.length).toBeLessThan(SENDS);
  await using back = await connectLegacy(app, ada, { since: before.at(-1)?.['notification'].cursor });
  const after = await back.take(SENDS - before.length);
  expect([...before, ...after].map((message) => message['notification'].id)).toEqual(inOrder);
});

test('a GraphQL socket that stalls is closed with 1013, and misses nothing when it comes back with after', async () => {
  const ada = person();
  const query = 'subscription ($after: String) { notificationAdded(after: $after) { id cursor content data } }';
  const begin = (socket: SocketClient, after: string) =>
    socket.send({ id: '1', type: 'subscribe', payload: { query, variables: { after } } });
  const added = ({ payload }: Message) => payload.data.notificationAdded as Message;
  await using stalled = await connectGraphQL(app, ada);
  begin(stalled, BEGINNING);
  await sendTo(app, ada, LARGE);
  await stalled.next();
  stalled.socket.pause();
  const sent = await sendMany(ada);
  const before = await readToTheEnd(stalled);
  expect(before.length).toBeLessThan(SENDS);
  await using back = await connectGraphQL(app, ada);
  begin(back, added(before.at(-1) as Message)['cursor']);
  const after = await back.take(SENDS - before.length);
  const told = [...before, ...after].map((message) => added(message)['id'] as string);
  expect(told).toHaveLength(SENDS);
  expect(new Set(told)).toEqual(new Set(sent));
});

test('a reader that goes on reading is not ended, however much comes at once', async () => {
  const ada = person();
  await using socket = await connectGraphQL(app, ada);
  for (const id of ['a', 'b', 'c']) subscribe(socket, id);
  const sent = await sendMany(ada);
  const told = await socket.take(SENDS * 3);
  for (const id of ['a', 'b', 'c']) {
    const own = told.filter((message) => message['id'] === id);
    expect(new Set(own.map(({ payload }) => payload.data.notificationAdded.id))).toEqual(new Set(sent));
  }
});

test('a peer that asks without reading the answers is made to wait, and served when it reads', async () => {
  const ada = person();
  await Promise.all(Array.from({ length: 50 }, () => sendTo(app, ada, LARGE)));
  await using socket = await connectGraphQL(app, ada);
  socket.socket.pause();
  const query = '{ notifications(first: 50) { nodes { content data } } }';
  for (let id = 0; id < 60; id++) socket.send({ id: `${id}`, type: 'subscribe', payload: { query } });
  for (let count = 0; count < 1000; count++) socket.send({ type: 'ping' });
  socket.socket.resume();
  const messages = await socket.take(60 * 2 + 1000);
  expect(messages.filter(({ type }) => type === 'pong')).toHaveLength(1000);
  expect(messages.filter(({ type }) => type === 'complete')).toHaveLength(60);
});
