import { once } from 'node:events';
import { type IncomingMessage, request as httpRequest } from 'node:http';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { TEST_SECRET, person } from '../support/app.ts';
import { type TestDatabase, createTestDatabase } from '../support/postgres.ts';
import { SocketClient, openRaw } from '../support/socket-client.ts';
import { type ServerProcess, startServer } from './server.ts';

let database: TestDatabase;
let running: AsyncDisposableStack;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(async () => {
  await database[Symbol.asyncDispose]();
});
beforeEach(() => {
  running = new AsyncDisposableStack();
});
afterEach(async () => {
  await running.disposeAsync();
});

const start = (env: Record<string, string> = {}): ServerProcess =>
  running.use(startServer({ DATABASE_URL: database.url, JWT_SECRET: TEST_SECRET, ...env }));

const legacyUrl = (url: string, token: string) => `${url.replace('http', 'ws')}/api/v1/notifications/ws?token=${token}`;

async function openSockets(url: string): Promise<SocketClient[]> {
  const { token } = person();
  const legacy = await SocketClient.connect(legacyUrl(url, token));
  const graphql = await SocketClient.connect(`${url.replace('http', 'ws')}/graphql`, {
    protocol: 'graphql-transport-ws',
  });
  graphql.send({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } });
  await Promise.all([legacy.next(), graphql.next()]);
  graphql.send({ type: 'subscribe', id: '1', payload: { query: 'subscription { notificationAdded { id } }' } });
  return [legacy, graphql];
}

test('with DATABASE_URL the last line of the start says where it listens, and there are no demo users', async () => {
  const server = start();
  const url = await server.ready;
  expect(server.lines.at(-1)).toMatch(/listening on http:\/\/127\.0\.0\.1:[1-9]\d*$/);
  expect(server.output()).not.toMatch(/demo|password/);
  const answer = await fetch(`${url}/api/v1/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username: 'ada', password: 'carillon-demo' }),
  });
  expect(answer.status).toBe(401);
  expect((await fetch(`${url}/ready`)).status).toBe(200);
});

test.each(['SIGTERM', 'SIGINT'] as const)('%s tells sockets 1001 and exits 0', async (signal) => {
  const server = start();
  const sockets = await openSockets(await server.ready);
  server.child.kill(signal);
  for (const socket of sockets) expect(await socket.closed).toMatchObject({ code: 1001 });
  expect(await server.exited).toEqual({ code: 0, signal: null });
  expect(server.lines.at(-1)).toMatch(/stopped$/);
});

test('a signal during the start stops the server as soon as it has started', async () => {
  const server = start({ LOG_FORMAT: 'json' });
  await once(server.child.stdout!, 'data').catch(() => {});
  server.child.kill('SIGTERM');
  expect(await server.exited).toEqual({ code: 0, signal: null });
});

test('a request under way is answered before the exit', async () => {
  const server = start();
  const url = await server.ready;
  const { token } = person();
  const request = httpRequest(`${url}/api/v1/notifications`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
  });
  const answer = once(request, 'response') as Promise<[IncomingMessage]>;
  request.write('{"type":"task","title":"Title",');
  // A second connection that has been answered shows that the first one has been accepted.
  await fetch(`${url}/health`);
  await openSockets(url);
  server.child.kill('SIGTERM');
  await server.line('draining');
  request.end('"content":"Content"}');
  const [response] = await answer;
  response.resume();
  expect(response.statusCode).toBe(200);
  expect(await server.exited).toEqual({ code: 0, signal: null });
});

describe('with a peer that does not go', () => {
  async function startWithSilentPeer(env: Record<string, string>): Promise<ServerProcess> {
    const server = start(env);
    const url = await server.ready;
    const silent = await openRaw(legacyUrl(url, person().token).replace('?', '?x=1&'));
    running.defer(() => void silent.destroy());
    silent.pause();
    return server;
  }

  test('SHUTDOWN_TIMEOUT holds, and the exit is 0', async () => {
    const server = await startWithSilentPeer({ SHUTDOWN_TIMEOUT: '1s' });
    const started = performance.now();
    server.child.kill('SIGTERM');
    expect(await server.exited).toEqual({ code: 0, signal: null });
    expect(performance.now() - started).toBeLessThan(1800);
    expect(server.output()).toMatch(/1 connections? .*cut off/);
  });

  test('a second signal exits at once', async () => {
    const server = await startWithSilentPeer({ SHUTDOWN_TIMEOUT: '1h' });
    server.child.kill('SIGTERM');
    await server.line('draining');
    // Within a tenth of a second it would be taken for the terminal's own echo.
    await delay(150);
    server.child.kill('SIGTERM');
    expect(await server.exited).toEqual({ code: 1, signal: null });
  });
});

describe('what cannot work', () => {
  test('all faults of the settings are told at once, one line each that names the variable', async () => {
    const server = start({
      PORT: '70000',
      JWT_SECRET: 'short',
      REDIS_URL: 'http://localhost',
      LOG_LEVEL: 'loud',
      SHUTDOWN_TIMEOUT: '10',
    });
    expect(await server.exited).toEqual({ code: 1, signal: null });
    const lines = server.output().trim().split('\n');
    expect(lines.map((line) => line.split(' ')[0] as string).toSorted()).toEqual([
      'JWT_SECRET',
      'LOG_LEVEL',
      'PORT',
      'REDIS_URL',
      'SHUTDOWN_TIMEOUT',
    ]);
  });

  test.each<[string, Record<string, string>, RegExp]>([
    ['a Redis that is not there', { REDIS_URL: 'redis://127.0.0.1:1' }, /Redis \(REDIS_URL\) cannot be reached/],
    ['a database that is not there', { DATABASE_URL: 'postgres://127.0.0.1:1/x' }, /ECONNREFUSED/],
    ['an address of another machine', { HOST: '192.0.2.1' }, /EADDRNOTAVAIL.*192\.0\.2\.1/],
  ])('%s is a clear error and exit 1', async (_what, env, words) => {
    const server = start({ ...env, LOG_FORMAT: 'json' });
    expect(await server.exited).toEqual({ code: 1, signal: null });
    expect(server.output()).toMatch(words);
    const messages = server.lines.map((line) => JSON.parse(line).msg as string);
    expect(messages.at(-1)).toMatch(/^Carillon could not start: ./);
  });

  test('a port that is taken is a clear error and exit 1', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    running.defer(() => void taken.close());
    const { port } = taken.address() as { port: number };
    const server = start({ PORT: String(port) });
    expect(await server.exited).toEqual({ code: 1, signal: null });
    expect(server.output()).toMatch(new RegExp(`could not start: .*EADDRINUSE.*${port}`));
  });
});

test('with LOG_FORMAT=json every line of a whole life is JSON', async () => {
  const server = start({ LOG_FORMAT: 'json', LOG_LEVEL: 'trace' });
  await openSockets(await server.ready);
  server.child.kill('SIGTERM');
  await server.exited;
  const messages = server
    .output()
    .split('\n')
    .map((line) => JSON.parse(line).msg as string);
  expect(messages.at(-1)).toBe('stopped');
});
