import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Person, type TestApp, person, signToken, startApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { type Device, eventStreamDevice, graphqlSocketDevice, legacyDevice } from './devices.ts';

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

async function sendByGraphQL(app: TestApp, { token }: Person, recipientId: string) {
  const query = 'mutation ($input: SendInput!) { send(input: $input) { id cursor } }';
  const variables = { input: { recipientId, title: 'By GraphQL', content: 'Content' } };
  const { data, errors } = await app.graphql(query, { token, variables });
  if (errors) throw new Error(errors[0]?.message);
  return data.send as { id: string; cursor: string };
}

async function sendByRest(app: TestApp, { token }: Person, recipientId: string): Promise<string> {
  const body = { user_id: recipientId, type: 'task', title: 'By REST', content: 'Content' };
  const answer = await app.rest('POST', '/api/v1/notifications', { token, body });
  expect(answer.status).toBe(200);
  return answer.body.id;
}

/** Six devices of one person, five on the first instance and one on the second. */
async function sixDevices(stack: AsyncDisposableStack, owner: Person, after: string): Promise<Device[]> {
  const devices = await Promise.all([
    graphqlSocketDevice(one, owner, after),
    graphqlSocketDevice(one, owner, after),
    eventStreamDevice(one, owner, after),
    legacyDevice(one, owner, after),
    legacyDevice(one, owner, after),
    graphqlSocketDevice(other, owner, after),
  ]);
  for (const device of devices) stack.use(device);
  return devices;
}

test('one send through each of GraphQL and REST arrives exactly once on six devices of the recipient, and nowhere else', async () => {
  await using stack = new AsyncDisposableStack();
  const [recipient, sender, neighbour] = [person(), person(), person()];
  const foreigner = person({ tenantId: 'other' });
  const begin = await Promise.all([recipient, neighbour, foreigner].map((who) => sendByGraphQL(one, who, who.id)));
  const devices = await sixDevices(stack, recipient, begin[0]!.cursor);
  const strangers = (
    await Promise.all([
      sixDevices(stack, neighbour, begin[1]!.cursor),
      sixDevices(stack, foreigner, begin[2]!.cursor),
      sixDevices(stack, sender, '-----------0'),
    ])
  ).flat();

  const sent = [(await sendByGraphQL(one, sender, recipient.id)).id, await sendByRest(one, sender, recipient.id)];
  for (const { added } of devices) expect(await added.count(2)).toEqual(sent);

  // What comes after everything else shows that nothing came in between.
  const last = await sendByRest(other, sender, recipient.id);
  for (const { added } of devices) expect(await added.count(3)).toEqual([...sent, last]);
  const own = new Map<Person, string>();
  for (const who of [neighbour, foreigner, sender]) own.set(who, (await sendByGraphQL(other, who, who.id)).id);
  const lasts = [...own.values()];
  for (const [index, { added }] of strangers.entries())
    expect(await added.count(1)).toEqual([lasts[Math.floor(index / 6)]]);
});

test('a person of the same id in another tenant hears nothing', async () => {
  const owner = person();
  const namesake = { ...owner, tenantId: 'other', token: signToken({ user_id: owner.id, tenant_id: 'other' }) };
  await using mine = await legacyDevice(other, owner);
  await using theirs = await legacyDevice(other, namesake);
  const [first, second] = [await sendByRest(one, owner, owner.id), await sendByRest(one, namesake, owner.id)];
  expect(await mine.added.count(1)).toEqual([first]);
  expect(await theirs.added.count(1)).toEqual([second]);
});

test('reads and deletions of one instance are told on the other, with the counts of their moment', async () => {
  const owner = person();
  await using here = await legacyDevice(one, owner);
  await using there = await legacyDevice(other, owner);
  const devices = [here, there];
  // Each step waits until all have heard the one before: a doorbell that is overtaken by more than 25 ms is made up for
  // from the log, which leaves out what came and went, and counts as of now.
  const ids = [await sendByRest(one, owner, owner.id), await sendByRest(other, owner, owner.id)];
  for (const { added } of devices) expect(await added.count(2)).toEqual(ids);
  const read = { type: 'read', notification_ids: [ids[0]], unread_count: 1, timestamp: expect.any(String) };
  await one.rest('PUT', `/api/v1/notifications/${ids[0]}/read`, { token: owner.token });
  for (const { changes } of devices) expect(await changes.count(1)).toEqual([read]);
  const deleted = { type: 'deleted', notification_ids: [ids[1]], unread_count: 0, timestamp: expect.any(String) };
  await other.graphql('mutation ($id: ID!) { delete(id: $id) { id } }', {
    token: owner.token,
    variables: { id: ids[1] },
  });
  for (const { changes } of devices) expect(await changes.count(2)).toEqual([read, deleted]);
  for (const { added } of devices) expect(added.all).toEqual(ids);
});

test('200 concurrent sends through both instances arrive in one order, exactly once, on both', async () => {
  await using stack = new AsyncDisposableStack();
  const owner = person();
  const begin = await sendByGraphQL(one, owner, owner.id);
  const devices = [...(await sixDevices(stack, owner, begin.cursor)), stack.use(await legacyDevice(other, owner))];
  await Promise.all(
    Array.from({ length: 200 }, (_, nth) =>
      nth % 3
        ? sendByGraphQL(nth % 2 ? one : other, owner, owner.id)
        : sendByRest(nth % 2 ? one : other, owner, owner.id),
    ),
  );
  const order: string[] = [];
  for (const page of [3, 2, 1]) {
    const answer = await one.rest('GET', `/api/v1/notifications?page=${page}&page_size=100`, { token: owner.token });
    order.push(...answer.body.items.map(({ id }: { id: string }) => id).toReversed());
  }
  expect(new Set(order).size).toBe(201);
  const last = await sendByRest(one, owner, owner.id);
  for (const { added } of devices) expect(await added.count(201)).toEqual([...order.slice(1), last]);
});

test('nothing is left in Redis and in the hubs when the last device has gone', async () => {
  const owner = person();
  const devices = await Promise.all([legacyDevice(one, owner), legacyDevice(other, owner)]);
  await Promise.all(devices.map((device) => device[Symbol.asyncDispose]()));
  await eventually(() => one.app.context.hub.feedCount === 0 && other.app.context.hub.feedCount === 0);
});
