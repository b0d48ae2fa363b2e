import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { type TestApp, person, startApp } from '../support/app.ts';
import { frame, openRaw } from '../support/socket-client.ts';
import { connectGraphQL, connectLegacy } from './connect.ts';

const IDLE_TIMEOUT_MS = 120;
let app: TestApp;

beforeAll(async () => {
  app = await startApp({
    env: {
      LEGACY_PING_INTERVAL: '50ms',
      LEGACY_IDLE_TIMEOUT: `${IDLE_TIMEOUT_MS}ms`,
      GRAPHQL_PING_INTERVAL: '50ms',
    },
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

describe('sockets whose library answers pings', () => {
  /** Fails, not waits, when a socket is cut off. */
  async function expectPings(sockets: WebSocket[], count: number): Promise<void> {
    const cutOff = Promise.race(sockets.map((socket) => once(socket, 'close')));
    for (let seen = 0; seen < count; seen++) {
      await Promise.race([Promise.all(sockets.map((socket) => once(socket, 'ping'))), cutOff]);
    }
    expect(sockets.map(({ readyState }) => readyState)).toEqual(sockets.map(() => WebSocket.OPEN));
  }

  test('stay', async () => {
    await using legacy = await connectLegacy(app, person());
    await using graphql = await connectGraphQL(app, person());
    await expectPings([legacy.socket, graphql.socket], 6);
  });

  test('stay when the process stood still for longer than the time-out', async () => {
    await using legacy = await connectLegacy(app, person());
    await using graphql = await connectGraphQL(app, person());
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3 * IDLE_TIMEOUT_MS);
    await expectPings([legacy.socket, graphql.socket], 2);
  });
});
