import { once } from 'node:events';
import type { Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Person, type TestApp, person, startApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { frame, openRaw } from '../support/socket-client.ts';
import { connectGraphQL, connectLegacy, sendTo } from './connect.ts';

let app: TestApp;
let ada: Person;

beforeAll(async () => {
  app = await startApp();
  ada = person();
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

const doors: Record<string, () => Promise<Socket>> = {
  'legacy socket': () => openRaw(app.legacySocketUrl(), ada),
  'GraphQL socket': () =>
    openRaw(app.graphqlSocketUrl, { headers: { 'sec-websocket-protocol': 'graphql-transport-ws' } }),
};

/** The code in the close frame that is the last thing to come. */
async function closeCodeOf(socket: Socket): Promise<number | undefined> {
  const bytes = await buffer(socket);
  const at = bytes.lastIndexOf(0x88);
  return at < 0 ? undefined : bytes.readUInt16BE(at + 2);
}

const broken: [string, Buffer, number][] = [
  ['an unmasked frame', frame('{"type":"ping"}', { masked: false }), 1002],
  ['a reserved bit', frame('{"type":"ping"}', { first: 0xc1 }), 1002],
  ['an unknown opcode', frame('x', { first: 0x83 }), 1002],
  ['a continuation of nothing', frame('x', { first: 0x80 }), 1002],
  ['a ping in parts', frame('x', { first: 0x09 }), 1002],
  ['a close code that nobody may send', frame(Buffer.from([0x03, 0xed]), { first: 0x88 }), 1002],
  ['a close frame of one byte', frame('x', { first: 0x88 }), 1002],
  ['invalid UTF-8', frame(Buffer.from([0x22, 0xff, 0xfe, 0x22])), 1007],
  ['a lone surrogate in UTF-8', frame(Buffer.from([0xed, 0xa0, 0x80])), 1007],
  ['a length beyond all bounds', Buffer.from([0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), 1009],
];

describe.each(Object.entries(doors))('on a %s', (_, open) => {
  test.each(broken)('%s ends that socket, and no other', async (__, bytes, code) => {
    await using other = await connectLegacy(app, ada);
    const socket = await open();
    socket.write(bytes);
    expect(await closeCodeOf(socket)).toBe(code);
    const { id } = await sendTo(app, ada);
    expect((await other.next())['notification'].id).toBe(id);
  });

  test('random bytes end that socket', async () => {
    const socket = await open();
    socket.write(Buffer.alloc(100_000, 0xff));
    await buffer(socket).catch(() => {});
    expect(socket.destroyed).toBe(true);
  });

  test('a connection that is reset frees its place', async () => {
    await eventually(() => app.app.doors.connections.size === 0);
    const socket = await open();
    socket.resetAndDestroy();
    await once(socket, 'close');
    await eventually(() => app.app.doors.connections.size === 0 && app.app.context.hub.feedCount === 0);
  });

  test('a text in many frames is one message', async () => {
    const socket = await open();
    const parts = [frame('{"ty', { first: 0x01 }), frame('pe":"pi', { first: 0x00 }), frame('ng"}', { first: 0x80 })];
    socket.write(Buffer.concat([...parts, frame('bye', { first: 0x89 })]));
    const seen: string[] = [];
    for await (const chunk of socket) {
      seen.push(String(chunk));
      if (seen.join('').includes('"pong"') && seen.join('').includes('bye')) break;
    }
    expect(seen.join('')).toContain('"type":"pong"');
  });
});

test('a socket of another person goes on while one is flooded with broken ones', async () => {
  await using live = await connectGraphQL(app, ada);
  await Promise.all(
    Array.from({ length: 20 }, async () => {
      const socket = await openRaw(app.legacySocketUrl(), person());
      socket.write(Buffer.alloc(1000, 0x5a));
      await buffer(socket).catch(() => {});
    }),
  );
  live.send({ type: 'ping' });
  expect(await live.next()).toEqual({ type: 'pong' });
});
