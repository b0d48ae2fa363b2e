import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Person, type TestApp, person, startApp } from '../support/app.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { legacyDevice } from './devices.ts';

const BEGINNING = '-----------0';
const SOON_MS = 1500;

let resources: AsyncDisposableStack;
let one: TestApp;
let other: TestApp;

beforeAll(async () => {
  resources = new AsyncDisposableStack();
  const { url: databaseUrl } = resources.use(await createTestDatabase());
  const env = { REDIS_URL: process.env['TEST_REDIS_URL'] as string, SWEEP_INTERVAL: '1h' };
  one = resources.use(await startApp({ databaseUrl, env }));
  other = resources.use(await startApp({ databaseUrl, env }));
});
afterAll(async () => {
  await resources.disposeAsync();
});

async function send(app: TestApp, { token }: Person, input: object): Promise<string> {
  const query = 'mutation ($input: SendInput!) { send(input: $input) { id } }';
  const variables = { input: { title: 'Title', content: 'Content', ...input } };
  const { data, errors } = await app.graphql(query, { token, variables });
  if (errors) throw new Error(errors[0]?.message);
  return data.send.id;
}

test('a recall through one instance is told on both, and is seen from both', async () => {
  const [sender, owner] = [person(), person()];
  await using here = await legacyDevice(one, owner);
  await using there = await legacyDevice(other, owner);
  const ids = [
    await send(one, sender, { recipientId: owner.id }),
    await send(other, sender, { recipientId: owner.id }),
  ];
  for (const { added } of [here, there]) await added.count(2);
  const query = 'mutation ($ids: [ID!]!) { recallMany(ids: $ids) { count } }';
  const both = await Promise.all(
    [one, other].map((app) => app.graphql(query, { token: sender.token, variables: { ids } })),
  );
  expect(both.map(({ data }) => data.recallMany.count as number).toSorted((a, b) => a - b)).toEqual([0, 2]);
  for (const { changes } of [here, there]) {
    expect(await changes.count(1)).toMatchObject([{ type: 'recalled', notification_ids: ids, unread_count: 0 }]);
  }
  for (const app of [one, other]) {
    expect((await app.rest('GET', '/api/v1/notifications', { token: owner.token })).body.total).toBe(0);
  }
});

test('what is scheduled and what expires comes and goes once on both instances, whichever of them does it', async () => {
  const [sender, owner] = [person(), person()];
  await using here = await legacyDevice(one, owner, BEGINNING);
  await using there = await legacyDevice(other, owner, BEGINNING);
  const sendAt = new Date(Date.now() + SOON_MS).toISOString();
  const expiresAt = new Date(Date.now() + SOON_MS + 1500).toISOString();
  const input = { recipientId: owner.id, sendAt, expiresAt };
  const ids = await Promise.all(Array.from({ length: 40 }, (_, nth) => send(nth % 2 ? one : other, sender, input)));
  for (const { added, changes } of [here, there]) {
    expect((await added.count(40)).toSorted()).toEqual(ids.toSorted());
    for (let count = 1; gone(changes.all).length < 40; count += 1) await changes.count(count);
    expect(gone(changes.all).toSorted()).toEqual(ids.toSorted());
  }
  const last = await send(one, sender, { recipientId: owner.id });
  for (const { added } of [here, there]) expect((await added.count(41)).at(-1)).toBe(last);
});

const gone = (changes: readonly Record<string, unknown>[]): string[] =>
  changes.flatMap(({ type, notification_ids: ids }) => (type === 'deleted' ? (ids as string[]) : []));
