import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { connectGraphQL, connectLegacy } from '../sockets/connect.ts';
import { type Person, type TestApp, person, startApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { type TestRedis, startRedis } from '../support/redis.ts';
import type { Message, SocketClient } from '../support/socket-client.ts';

let resources: AsyncDisposableStack;
let directory: string;
let redis: TestRedis;
let one: TestApp;
let other: TestApp;

beforeEach(async () => {
  resources = new AsyncDisposableStack();
  directory = await mkdtemp(join(tmpdir(), 'carillon-presence-'));
  resources.defer(() => rm(directory, { recursive: true, force: true }));
  redis = await startRedis(directory);
  resources.defer(() => redis[Symbol.asyncDispose]());
  const { url: databaseUrl } = resources.use(await createTestDatabase());
  // The sweep must not be what tells here.
  const env = { REDIS_URL: redis.url, SWEEP_INTERVAL: '1h' };
  one = resources.use(await startApp({ databaseUrl, env }));
  other = resources.use(await startApp({ databaseUrl, env }));
});
afterEach(async () => {
  await resources.disposeAsync();
});

const SUBSCRIPTION = 'subscription ($ids: [ID!]!) { presence(userIds: $ids) { userId online connections } }';
const stateIn = (message: Message): Message => message['payload'].data.presence;

async function watch(app: TestApp, watcher: Person, users: readonly Person[]): Promise<SocketClient> {
  const socket = resources.use(await connectGraphQL(app, watcher));
  const variables = { ids: users.map(({ id }) => id) };
  socket.send({ id: '1', type: 'subscribe', payload: { query: SUBSCRIPTION, variables } });
  return socket;
}

const isReady = async (app: TestApp): Promise<boolean> => (await fetch(`${app.url}/ready`)).status === 200;

test('who comes to and goes from one instance is told on the other, with the connections to both', async () => {
  const ada = person();
  const watcher = await watch(other, person(), [ada]);
  expect(stateIn(await watcher.next())).toEqual({ userId: ada.id, online: false, connections: 0 });
  const here = await connectLegacy(one, ada);
  expect(stateIn(await watcher.next())).toEqual({ userId: ada.id, online: true, connections: 1 });
  const there = await connectGraphQL(other, ada);
  expect(stateIn(await watcher.next())).toEqual({ userId: ada.id, online: true, connections: 2 });
  await here[Symbol.asyncDispose]();
  expect(stateIn(await watcher.next())).toEqual({ userId: ada.id, online: true, connections: 1 });
  await there[Symbol.asyncDispose]();
  expect(stateIn(await watcher.next())).toEqual({ userId: ada.id, online: false, connections: 0 });
});

test('an instance that is shut down takes its users offline at once, and the other one tells', async () => {
  const ada = person();
  await using socket = await connectLegacy(one, ada);
  const watcher = await watch(other, person(), [ada]);
  while (!stateIn(await watcher.next())['online']);
  await one.app[Symbol.asyncDispose]();
  expect(await socket.closed).toMatchObject({ code: 1001 });
  expect(stateIn(await watcher.next())).toEqual({ userId: ada.id, online: false, connections: 0 });
});

test('who came while Redis was away is told when it is back', async () => {
  const ada = person();
  const watcher = await watch(other, person(), [ada]);
  expect(stateIn(await watcher.next())).toMatchObject({ online: false });
  await redis[Symbol.asyncDispose]();
  await eventually(async () => !(await isReady(one)) && !(await isReady(other)));
  await using socket = await connectLegacy(one, ada);
  const query = `{ isOnline(userIds: ["${ada.id}"]) { online } }`;
  await eventually(async () => (await other.graphql(query, person())).data.isOnline[0].online);
  redis = await startRedis(directory, redis.port);
  expect(stateIn(await watcher.next())).toEqual({ userId: ada.id, online: true, connections: 1 });
  expect(socket.rest()).toEqual([]);
});

test('typing crosses from one instance to the other, and ends by itself when its instance is gone', async () => {
  const [ada, bob] = [person(), person()];
  await using typing = await connectLegacy(one, ada);
  await using hearing = await connectLegacy(other, bob);
  typing.send({ type: 'typing', to: bob.id, conversation_id: 'c', typing: true });
  const told = { type: 'typing', user_id: ada.id, conversation_id: 'c' };
  expect(await hearing.next()).toMatchObject({ ...told, typing: true });
  await one.app[Symbol.asyncDispose]();
  expect(await hearing.next()).toMatchObject({ ...told, typing: false });
});
