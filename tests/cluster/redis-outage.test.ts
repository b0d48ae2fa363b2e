import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type Person, type TestApp, person, startApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { type TestRedis, startRedis } from '../support/redis.ts';
import { graphqlSocketDevice, legacyDevice } from './devices.ts';

let resources: AsyncDisposableStack;
let directory: string;
let redis: TestRedis;
let one: TestApp;
let other: TestApp;

beforeEach(async () => {
  resources = new AsyncDisposableStack();
  directory = await mkdtemp(join(tmpdir(), 'carillon-outage-'));
  resources.defer(() => rm(directory, { recursive: true, force: true }));
  redis = await startRedis(directory);
  resources.defer(() => redis[Symbol.asyncDispose]());
  const { url: databaseUrl } = resources.use(await createTestDatabase());
  // The comparison by timer must not be what heals here.
  const env = { REDIS_URL: redis.url, SWEEP_INTERVAL: '1h' };
  one = resources.use(await startApp({ databaseUrl, env }));
  other = resources.use(await startApp({ databaseUrl, env }));
});
afterEach(async () => {
  await resources.disposeAsync();
});

async function send(app: TestApp, { id, token }: Person): Promise<{ id: string; cursor: string }> {
  const query = 'mutation ($input: SendInput!) { send(input: $input) { id cursor } }';
  const { data } = await app.graphql(query, {
    token,
    variables: { input: { recipientId: id, title: 'Title', content: 'Content' } },
  });
  return data.send;
}

const isReady = async (app: TestApp): Promise<boolean> => (await fetch(`${app.url}/ready`)).status === 200;

async function loseRedis(): Promise<void> {
  await redis[Symbol.asyncDispose]();
  await eventually(async () => !(await isReady(one)) && !(await isReady(other)));
}

async function regainRedis(): Promise<void> {
  redis = await startRedis(directory, redis.port);
}

test('what was sent while Redis was away arrives after it is back, exactly once and in order, on both instances', async () => {
  const owner = person();
  const first = await send(one, owner);
  await using here = await legacyDevice(one, owner, first.cursor);
  await using there = await legacyDevice(other, owner, first.cursor);
  await using socket = await graphqlSocketDevice(other, owner, first.cursor);
  const before = await send(one, owner);
  for (const { added } of [here, there, socket]) expect(await added.count(1)).toEqual([before.id]);

  await loseRedis();
  const meanwhile = [await send(one, owner), await send(other, owner), await send(one, owner)].map(({ id }) => id);
  expect(await here.added.count(4)).toEqual([before.id, ...meanwhile]);
  await regainRedis();
  for (const { added } of [there, socket]) expect(await added.count(4)).toEqual([before.id, ...meanwhile]);

  await eventually(async () => (await isReady(one)) && (await isReady(other)));
  const after = [(await send(one, owner)).id, (await send(other, owner)).id];
  for (const { added } of [here, there, socket]) {
    expect(await added.count(6)).toEqual([before.id, ...meanwhile, ...after]);
  }
});

test('whoever connects while Redis is away is welcomed, gets what was missed, and goes on live when it is back', async () => {
  const owner = person();
  const first = await send(one, owner);
  await loseRedis();
  const meanwhile = await send(one, owner);
  await using device = await legacyDevice(other, owner, first.cursor);
  expect(await device.added.count(1)).toEqual([meanwhile.id]);
  const unheard = await send(one, owner);
  await regainRedis();
  expect(await device.added.count(2)).toEqual([meanwhile.id, unheard.id]);
  await eventually(async () => (await isReady(one)) && (await isReady(other)));
  const live = await send(one, owner);
  expect(await device.added.count(3)).toEqual([meanwhile.id, unheard.id, live.id]);
});
