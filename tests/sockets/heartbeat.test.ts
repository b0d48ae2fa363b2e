import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type TestApp, person, startApp } from '../support/app.ts';
import { frame, openRaw } from '../support/socket-client.ts';
import { connectGraphQL, connectLegacy } from './connect.ts';

let app: TestApp;

beforeAll(async () => {
  app = await startApp({
    env: { LEGACY_PING_INTERVAL: '50ms', LEGACY_IDLE_TIMEOUT: '120ms', GRAPHQL_PING_INTERVAL: '50ms' },
  });
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

const protocol = { 'sec-websocket-protocol': 'graphql-transport-ws' };
const doors: Record<string, () => Promise<Socket>> = {
  'legacy socket': () => openRaw(app.legacySocketUrl(), person()),
  'GraphQL socket': () => openRaw(app.graphqlSocketUrl, { headers: protocol }),
};

const PING = Buffer.from([0x89, 0x00]);

describe.each(Object.entries(doors))('a %s', (_, open) => {
  test('that answers no ping is cut off, without a close frame', async () => {
    const socket = await open();
    const got: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => got.push(chunk));
    await once(socket, 'close');
    const bytes = Buffer.concat(got);
    expect(bytes.includes(PING)).toBe(true);
    expect(bytes.subarray(bytes.lastIndexOf(PING))).toEqual(PING);
  });

  test('from which anything comes in time is not', async () => {
    const socket = await open();
    let pings = 0;
    const enough = Promise.withResolvers<void>();
    socket.on('data', (chunk: Buffer) => {
      if (!chunk.includes(PING)) return;
      pings += 1;
      // A ping of its own is as good as an answer.
      socket.write(frame('', { first: 0x89 }));
      if (pings === 6) enough.resolve();
    });
    await Promise.race([enough.promise, once(socket, 'close')]);
    expect(pings).toBe(6);
    socket.destroy();
  });
});

test('sockets whose library answers pings stay', async () => {
  await using legacy = await connectLegacy(app, person());
  await using graphql = await connectGraphQL(app, person());
  for (let count = 0; count < 6; count++) {
    await Promise.all([once(legacy.socket, 'ping'), once(graphql.socket, 'ping')]);
  }
  expect([legacy.socket.readyState, graphql.socket.readyState]).toEqual([1, 1]);
});
