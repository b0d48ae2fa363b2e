import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { type Person, TEST_SECRET, person } from '../support/app.ts';
import { type TestDatabase, createTestDatabase } from '../support/postgres.ts';
import { SocketClient } from '../support/socket-client.ts';
import { type ServerProcess, startServer } from './server.ts';

const BEGINNING = '-----------0';
const SOON_MS = 1500;

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

const start = (): ServerProcess => running.use(startServer({ DATABASE_URL: database.url, JWT_SECRET: TEST_SECRET }));

async function schedule(url: string, { token }: Person, sendAt: Date): Promise<string> {
  const response = await fetch(`${url}/api/v1/notifications`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ title: 'Later', content: 'c', send_at: sendAt.toISOString() }),
  });
  const { id, status } = (await response.json()) as { id: string; status: string };
  expect([response.status, status]).toEqual([200, 'pending']);
  return id;
}

const connect = (url: string, token: string) =>
  SocketClient.connect(`${url.replace('http', 'ws')}/api/v1/notifications/ws?since=${BEGINNING}`, { token });

async function kill({ child, exited }: ServerProcess): Promise<void> {
  child.kill('SIGKILL');
  await exited;
}

test('what was scheduled before the server was killed is sent once by the next one, also when its time passed meanwhile', async () => {
  const ada = person();
  const first = start();
  const url = await first.ready;
  const due = new Date(Date.now() + SOON_MS);
  const ids = [await schedule(url, ada, due), await schedule(url, ada, new Date(due.getTime() + 1))];
  await kill(first);
  const second = start();
  const { token } = ada;
  const socket = running.use(await connect(await second.ready, token));
  expect((await socket.next())['type']).toBe('welcome');
  const told = [await socket.next(), await socket.next()];
  expect(told.map(({ notification }) => notification.id)).toEqual(ids);
  expect(told.map(({ unread_count: count }) => count).at(-1)).toBe(2);
});

test('of two servers, one of which is killed as the time comes, one sends each, once', async () => {
  const ada = person();
  const servers = [start(), start()] as const;
  const [url, otherUrl] = await Promise.all([servers[0].ready, servers[1].ready]);
  const due = Date.now() + SOON_MS;
  const ids = await Promise.all(Array.from({ length: 60 }, (_, nth) => schedule(url, ada, new Date(due + nth * 20))));
  const doomed = running.use(await connect(url, ada.token));
  // As soon as the first one has come, whoever sent it, in the midst of the others.
  await doomed.next();
  await doomed.next();
  const gone = once(doomed.socket, 'close');
  await kill(servers[0]);
  await gone;
  const socket = running.use(await connect(otherUrl, ada.token));
  await socket.next();
  const told = await socket.take(60);
  expect(told.map(({ notification }) => notification.id as string).toSorted()).toEqual(ids.toSorted());
});
