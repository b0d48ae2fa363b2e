import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { counts, send } from '../graphql/operations.ts';
import { RECEIPTS, type Told, mark, receiptsCursor } from '../graphql/receipts.ts';
import { connectLegacy } from '../sockets/connect.ts';
import { type Person, type TestApp, person, signToken, startApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { CHANGES, type Change } from '../support/follow.ts';
import { createTestDatabase } from '../support/postgres.ts';
import type { Message } from '../support/socket-client.ts';
import { apollo } from './apollo.ts';
import { legacyDevice } from './devices.ts';

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/);
const RECALL = 'mutation ($id: ID!) { recall(id: $id) { id status } }';
const RECALL_MANY = 'mutation ($ids: [ID!]!) { recallMany(ids: $ids) { count ids } }';
const SET_TYPING = 'mutation ($to: ID!, $typing: Boolean!) { setTyping(to: $to, conversation: "c", typing: $typing) }';
const TYPING = 'subscription { typing(conversation: "c") { userId conversation typing at } }';

let resources: AsyncDisposableStack;
let one: TestApp;
let other: TestApp;

beforeAll(async () => {
  resources = new AsyncDisposableStack();
  const { url: databaseUrl } = resources.use(await createTestDatabase());
  // The look into the log by timer must not be what tells here.
  const env = { REDIS_URL: process.env['TEST_REDIS_URL'] as string, SWEEP_INTERVAL: '1h' };
  one = resources.use(await startApp({ databaseUrl, env }));
  other = resources.use(await startApp({ databaseUrl, env }));
});
afterEach(async () => {
  for (const { app } of [one, other]) {
    const { hub, services } = app.context;
    await eventually(() => app.doors.connections.size + hub.feedCount === 0);
    await eventually(() => services.receipts.listenerCount + services.typing.listenedTo === 0);
  }
});
afterAll(async () => {
  await resources.disposeAsync();
});

async function sendThree(sender: Person, { id: recipientId }: Person): Promise<[string, string, string]> {
  const next = async (app: TestApp) => (await send(app, sender, { recipientId })).id;
  return [await next(one), await next(other), await next(one)];
}

test('what is read through the legacy socket or REST of one instance is told once, with its time, to Apollo Clients of the sender on both', async () => {
  const [sender, reader] = [person(), person()];
  await using here = apollo(one, sender);
  await using there = apollo(other, sender);
  const ids = await sendThree(sender, reader);
  const after = await receiptsCursor(one, sender);
  const devices = [here, there].map((device) => device.hear<Told>(RECEIPTS, 'receipts', { after }));
  await using raw = await connectLegacy(other, reader);
  raw.send({ type: 'mark_read', notification_ids: [ids[0]] });
  for (const { told } of devices) await told.count(1);
  await other.rest('PUT', `/api/v1/notifications/${ids[1]}/read`, { token: reader.token });
  for (const { told } of devices) await told.count(2);
  // What is read already makes no receipt, and would come before the last one.
  raw.send({ type: 'mark_read', notification_ids: ids });
  const receipts = ids.map((notificationId) => ({ notificationId, recipientId: reader.id, read: true, readAt: TIME }));
  for (const { told } of devices) expect(await told.count(3)).toMatchObject(receipts);
  expect(devices[1]?.told.all).toEqual(devices[0]?.told.all);
  const { body } = await one.rest('GET', '/api/v1/notifications/sent', { token: sender.token });
  const times = (body.items as Message[]).map((item) => item['read_at'] as string);
  expect(devices[0]?.told.all.map(({ readAt }) => readAt)).toEqual(times.toReversed());
});

test('an Apollo Client that lost its connection goes on from its last receipt on either instance, with what was read meanwhile', async () => {
  const [sender, reader] = [person(), person()];
  await using here = apollo(one, sender);
  await using there = apollo(other, sender);
  const [before, meanwhile, live] = await sendThree(sender, reader);
  const first = here.hear<Told>(RECEIPTS, 'receipts', { after: await receiptsCursor(one, sender) });
  await mark(other, reader, before);
  const after = (await first.told.count(1))[0]?.cursor;
  here.loseConnection();
  expect(await first.failed).toMatchObject({ message: expect.stringContaining('Socket closed') });
  await using raw = await connectLegacy(other, reader);
  raw.send({ type: 'mark_read', notification_ids: [meanwhile] });
  expect(await raw.next()).toMatchObject({ type: 'read', notification_ids: [meanwhile] });
  const devices = [here, there].map((device) => device.hear<Told>(RECEIPTS, 'receipts', { after }));
  for (const { told } of devices) expect(await told.count(1)).toMatchObject([{ notificationId: meanwhile }]);
  await other.rest('PUT', `/api/v1/notifications/${live}/read`, { token: reader.token });
  for (const { told } of devices) {
    expect(await told.count(2)).toMatchObject([{ notificationId: meanwhile }, { notificationId: live, readAt: TIME }]);
  }
  expect(first.told.all).toHaveLength(1);
});

test('a recall by Apollo Client takes it from the Apollo Client on one instance and the legacy socket on the other, and counts follow', async () => {
  const [sender, owner] = [person(), person()];
  await using recallingOnOne = apollo(one, sender);
  await using recallingOnOther = apollo(other, sender);
  await using here = apollo(one, owner);
  await using there = await legacyDevice(other, owner);
  const { data } = await one.graphql('{ inboxState { cursor } }', { token: owner.token });
  const { told } = here.hear<Change>(CHANGES, 'inboxChanged', { after: data.inboxState.cursor });
  const [first, second, third] = await sendThree(sender, owner);
  await told.count(3);
  await mark(other, owner, second);
  await told.count(4);

  for (const device of [recallingOnOther, recallingOnOne]) {
    // The second time changes nothing, and is not told.
    expect(await device.mutate(RECALL, { id: first })).toMatchObject({ recall: { id: first, status: 'RECALLED' } });
  }
  const gone = { __typename: 'NotificationsDeleted', recalled: true };
  expect((await told.count(5))[4]).toMatchObject({ ...gone, ids: [first], unreadCount: 1 });
  for (const app of [one, other]) expect(await counts(app, owner)).toEqual({ total: 2, unread: 1 });

  const recalled = await recallingOnOne.mutate(RECALL_MANY, { ids: [first, second, third] });
  expect(recalled).toMatchObject({ recallMany: { count: 2, ids: [second, third] } });
  expect((await told.count(6))[5]).toMatchObject({ ...gone, ids: [second, third], unreadCount: 0 });
  for (const app of [one, other]) expect(await counts(app, owner)).toEqual({ total: 0, unread: 0 });

  // What comes after everything else shows that nothing came in between.
  const { id: last } = await send(other, sender, { recipientId: owner.id });
  expect((await told.count(7))[6]).toMatchObject({ notification: { id: last }, unreadCount: 1 });
  expect(await there.added.count(4)).toEqual([first, second, third, last]);
  expect(there.changes.all).toEqual([
    { type: 'read', notification_ids: [second], unread_count: 2, timestamp: TIME },
    { type: 'recalled', notification_ids: [first], unread_count: 1, timestamp: TIME },
    { type: 'recalled', notification_ids: [second, third], unread_count: 0, timestamp: TIME },
  ]);
});

/** Somebody who listens on both doors of one instance, and has heard there that they themselves do not type. */
async function listen(stack: AsyncDisposableStack, app: TestApp, who: Person) {
  // With its welcome the topic stands, and so it does for the subscription after it.
  const legacy = stack.use(await connectLegacy(app, who));
  const device = stack.use(apollo(app, who));
  const { told } = device.hear<Message>(TYPING, 'typing');
  // On the same socket, and so after the subscription.
  const payload = { query: SET_TYPING, variables: { to: who.id, typing: false } };
  device.socket.subscribe(payload, { next: () => {}, error: () => {}, complete: () => {} });
  await told.count(1);
  const type = (to: Person, typing: boolean) => device.mutate(SET_TYPING, { to: to.id, typing });
  return { told, legacy, type };
}

const typed = ({ id }: Person, typing: boolean) => ({ userId: id, conversation: 'c', typing, at: TIME });
const typedLegacy = ({ id }: Person, typing: boolean) => ({
  type: 'typing',
  user_id: id,
  conversation_id: 'c',
  typing,
  timestamp: TIME,
});

test('typing by Apollo Client and by the legacy socket is heard on both doors of the other instance, and by nobody of another tenant', async () => {
  await using stack = new AsyncDisposableStack();
  const [ada, bob] = [person(), person()];
  const namesakes = [ada, bob].map(({ id }) => ({
    id,
    tenantId: 'globex',
    token: signToken({ user_id: id, tenant_id: 'globex' }),
  }));
  const [adas, bobs] = [await listen(stack, one, ada), await listen(stack, other, bob)];
  const strangers = [await listen(stack, one, namesakes[0]!), await listen(stack, other, namesakes[1]!)];

  for (const typing of [true, false]) expect(await adas.type(bob, typing)).toEqual({ setTyping: true });
  expect(await bobs.told.count(3)).toMatchObject([typed(bob, false), typed(ada, true), typed(ada, false)]);
  for (const typing of [true, false]) bobs.legacy.send({ type: 'typing', to: ada.id, conversation_id: 'c', typing });
  expect(await adas.told.count(3)).toMatchObject([typed(ada, false), typed(bob, true), typed(bob, false)]);
  for (const [who, { legacy }, from] of [
    [bob, bobs, ada],
    [ada, adas, bob],
  ] as const) {
    expect(await legacy.take(3)).toEqual([typedLegacy(who, false), typedLegacy(from, true), typedLegacy(from, false)]);
  }

  // Their own word, which comes after everything else, shows that nothing came in between.
  for (const [nth, { told, legacy, type }] of strangers.entries()) {
    const own = namesakes[nth]!;
    await type(own, true);
    expect(await told.count(2)).toMatchObject([typed(own, false), typed(own, true)]);
    expect(await legacy.take(2)).toEqual([typedLegacy(own, false), typedLegacy(own, true)]);
  }
});
