import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { GRAPHQL_TRANSPORT_WS_PROTOCOL } from 'graphql-ws';
import { type Person, TEST_SECRET, person } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { type TestDatabase, createTestDatabase, withClient } from '../support/postgres.ts';
import { type Message, SocketClient } from '../support/socket-client.ts';
import { type ServerProcess, startServer } from './server.ts';

jest.setTimeout(240_000); // ms
const PATIENCE_MS = 30_000;
const OFFLINE_WITHIN_MS = 30_000;

let running: AsyncDisposableStack;

beforeEach(() => {
  running = new AsyncDisposableStack();
});
afterEach(async () => {
  await running.disposeAsync();
});

const createDatabase = async (): Promise<TestDatabase> => running.use(await createTestDatabase());
const start = ({ url }: TestDatabase, env: Record<string, string>): ServerProcess =>
  running.use(startServer({ DATABASE_URL: url, JWT_SECRET: TEST_SECRET, ...env }));

const socketUrl = (url: string): string => url.replace('http', 'ws');

async function openLegacy(url: string, { token }: Person): Promise<SocketClient> {
  const socket = await SocketClient.connect(`${socketUrl(url)}/api/v1/notifications/ws?token=${token}`);
  expect(await socket.next()).toMatchObject({ type: 'welcome' });
  return socket;
}

async function watch(url: string, user: Person): Promise<SocketClient> {
  const socket = await SocketClient.connect(`${socketUrl(url)}/graphql`, { protocol: GRAPHQL_TRANSPORT_WS_PROTOCOL });
  socket.send({ type: 'connection_init', payload: { token: person().token } });
  await socket.next();
  const query = `subscription { presence(userIds: ["${user.id}"]) { online lastSeenAt connections } }`;
  socket.send({ id: '1', type: 'subscribe', payload: { query } });
  return socket;
}

const stateIn = (message: Message): Message => message['payload'].data.presence;

/** Resolves with the first state that is told with so many connections. */
async function told(watcher: SocketClient, connections: number): Promise<Message> {
  for (;;) {
    const state = stateIn(await watcher.next());
    if (state['connections'] === connections) return state;
  }
}

/** Starts two instances and kills one to which somebody is connected. */
async function expectOfflineAfterKill(env: Record<string, string>): Promise<void> {
  const database = await createDatabase();
  const [killed, other] = [start(database, env), start(database, env)];
  const ada = person();
  await openLegacy(await killed.ready, ada);
  const watcher = await watch(await other.ready, ada);
  expect(await told(watcher, 1)).toMatchObject({ online: true });
  const before = Date.now();
  killed.child.kill('SIGKILL');
  await killed.exited;
  const state = await told(watcher, 0);
  expect(Date.now() - before).toBeLessThan(OFFLINE_WITHIN_MS);
  expect(state).toMatchObject({ online: false, lastSeenAt: expect.any(String) });
  // When it last said that it lives, and that was while she was connected or a moment before.
  expect(Math.abs(Date.parse(state['lastSeenAt']) - before)).toBeLessThan(PATIENCE_MS);
  await eventually(
    () => withClient(database.url, async (client) => (await client.query('select from instance')).rowCount === 1),
    PATIENCE_MS,
  );
}

test('an instance that is killed takes its users offline within thirty seconds, and watchers of another one are told, with Redis and without', async () => {
  // Beside each other, as they mostly wait.
  await Promise.all([
    expectOfflineAfterKill({ REDIS_URL: process.env['TEST_REDIS_URL'] as string, SWEEP_INTERVAL: '1h' }),
    expectOfflineAfterKill({ SWEEP_INTERVAL: '1s' }),
  ]);
});

describe('workers of one server, without Redis,', () => {
  test('tell each other who is online and who is typing, and leave nobody online when they are stopped', async () => {
    const database = await createDatabase();
    const server = start(database, { WORKERS: '2', SWEEP_INTERVAL: '1h' });
    const url = await server.ready;
    const [ada, bob] = [person(), person()];
    // Connections that come one after the other go to the workers in turn.
    const watchers = [await watch(url, ada), await watch(url, ada)];
    for (const watcher of watchers) await told(watcher, 0);
    const sockets = [await openLegacy(url, ada), await openLegacy(url, ada)];
    for (const watcher of watchers) await told(watcher, 2);
    const writing = await openLegacy(url, bob);
    writing.send({ type: 'typing', to: ada.id, conversation_id: 'c', typing: true });
    for (const socket of sockets) expect(await socket.next()).toMatchObject({ type: 'typing', user_id: bob.id });
    server.child.kill('SIGTERM');
    expect(await server.exited).toEqual({ code: 0, signal: null });
    const left = await withClient(database.url, async (client) => [
      (await client.query('select from instance')).rowCount,
      (await client.query('select from presence')).rowCount,
      (await client.query('select user_id from last_seen where user_id = $1', [ada.id])).rowCount,
    ]);
    expect(left).toEqual([0, 0, 1]);
  });
});
