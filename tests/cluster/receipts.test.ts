import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { send } from '../graphql/operations.ts';
import { BEGINNING, RECEIPTS, type Told, mark } from '../graphql/receipts.ts';
import { type Person, type TestApp, person, startApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { Messages } from '../support/messages.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { type TestRedis, startRedis } from '../support/redis.ts';

let resources: AsyncDisposableStack;
let directory: string;
let redis: TestRedis;
let one: TestApp;
let other: TestApp;

beforeAll(async () => {
  resources = new AsyncDisposableStack();
  directory = await mkdtemp(join(tmpdir(), 'carillon-receipts-'));
  resources.defer(() => rm(directory, { recursive: true, force: true }));
  redis = await startRedis(directory);
  resources.defer(() => redis[Symbol.asyncDispose]());
  const { url: databaseUrl } = resources.use(await createTestDatabase());
  // The look into the log by timer must not be what heals here.
  const env = { REDIS_URL: redis.url, SWEEP_INTERVAL: '1h' };
  one = resources.use(await startApp({ databaseUrl, env }));
  other = resources.use(await startApp({ databaseUrl, env }));
});
afterAll(async () => {
  await resources.disposeAsync();
});

/** A device of the sender, from the very beginning. */
function device(app: TestApp, { token }: Person) {
  const told = new Messages<Told>();
  const client = createClient({
    url: app.graphqlSocketUrl,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${token}` },
    retryAttempts: 0,
  });
  client.subscribe<{ receipts: Told }>(
    { query: RECEIPTS, variables: { after: BEGINNING } },
    { next: ({ data }) => told.add(data!.receipts), error: () => {}, complete: () => {} },
  );
  return { told, [Symbol.asyncDispose]: async () => client.dispose() };
}

async function sendMany(sender: Person, count: number): Promise<{ reader: Person; id: string }[]> {
  const readers = Array.from({ length: count }, () => person());
  return Promise.all(
    readers.map(async (reader, nth) => ({
      reader,
      id: (await send(nth % 2 ? one : other, sender, { recipientId: reader.id })).id,
    })),
  );
}

const idsOf = (told: readonly Told[]) => told.map(({ notificationId }) => notificationId);
const isReady = async (app: TestApp): Promise<boolean> => (await fetch(`${app.url}/ready`)).status === 200;
const listeners = (app: TestApp): number => app.app.context.services.receipts.listenerCount;

test('readers on both instances make one order, which a sender hears on both, each receipt once', async () => {
  const sender = person();
  const sent = await sendMany(sender, 60);
  await using here = device(one, sender);
  await using there = device(other, sender);
  await Promise.all(sent.map(({ reader, id }, nth) => mark(nth % 3 ? one : other, reader, id)));
  const [ofOne, ofOther] = [await here.told.count(60), await there.told.count(60)];
  expect(ofOther).toEqual(ofOne);
  expect(idsOf(ofOne).toSorted()).toEqual(sent.map(({ id }) => id).toSorted());
  await using late = device(other, sender);
  expect(await late.told.count(60)).toEqual(ofOne);
});

test('what was read while Redis was away is told when it is back, on both instances, each once', async () => {
  const sender = person();
  const sent = await sendMany(sender, 4);
  await using here = device(one, sender);
  await using there = device(other, sender);
  await mark(one, sent[0]!.reader, sent[0]!.id);
  const devices = [here, there];
  for (const { told } of devices) await told.count(1);

  await redis[Symbol.asyncDispose]();
  await eventually(async () => !(await isReady(one)) && !(await isReady(other)));
  await mark(one, sent[1]!.reader, sent[1]!.id);
  expect(idsOf(await here.told.count(2))).toEqual([sent[0]!.id, sent[1]!.id]);
  await mark(other, sent[2]!.reader, sent[2]!.id);
  redis = await startRedis(directory, redis.port);
  for (const { told } of devices) expect(idsOf(await told.count(3))).toEqual(sent.slice(0, 3).map(({ id }) => id));

  await eventually(async () => (await isReady(one)) && (await isReady(other)));
  await mark(other, sent[3]!.reader, sent[3]!.id);
  for (const { told } of devices) expect(idsOf(await told.count(4))).toEqual(sent.map(({ id }) => id));
});

test('nothing is left when the last device has gone', async () => {
  await eventually(() => listeners(one) === 0 && listeners(other) === 0);
});
