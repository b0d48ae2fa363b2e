import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Person, type TestApp, person, startApp } from '../support/app.ts';
import { follow } from '../support/follow.ts';
import { withClient } from '../support/postgres.ts';
import { counts, refusalOf, send } from './operations.ts';

const RECALL = 'mutation ($id: ID!) { recall(id: $id) { id status title recipientId } }';
const RECALL_MANY = 'mutation ($ids: [ID!]!) { recallMany(ids: $ids) { count ids } }';
const TOO_LATE = { code: 'CONFLICT' };
const MISSING = { code: 'NOT_FOUND' };

let app: TestApp;

beforeAll(async () => {
  app = await startApp({ env: { RECALL_WINDOW: '1h' } });
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

const recall = ({ token }: Person, id: string) => app.graphql(RECALL, { token, variables: { id } });
const recallMany = ({ token }: Person, ids: readonly unknown[]) =>
  app.graphql(RECALL_MANY, { token, variables: { ids } });
const run = ({ token }: Person, query: string, variables: object = {}) => app.graphql(query, { token, variables });
const stateOf = async (who: Person) => (await run(who, '{ inboxState { cursor } }')).data.inboxState.cursor as string;
const age = (id: string) =>
  withClient(app.databaseUrl, (client) =>
    client.query("update notification set created_at = now() - interval '61 minutes' where id = $1", [id]),
  );

describe('recall', () => {
  test('takes it out of the recipient’s inbox, and answers with it as RECALLED', async () => {
    const [sender, recipient] = [person(), person()];
    const kept = await send(app, sender, { recipientId: recipient.id });
    const { id } = await send(app, sender, { recipientId: recipient.id, title: 'Oops' });
    const { data, errors } = await recall(sender, id);
    expect(errors).toBeUndefined();
    expect(data.recall).toEqual({ id, status: 'RECALLED', title: 'Oops', recipientId: recipient.id });
    expect(await counts(app, recipient)).toEqual({ total: 1, unread: 1 });
    const seen = await run(
      recipient,
      'query ($id: ID!) { notification(id: $id) { id } notifications { nodes { id } } }',
      { id },
    );
    expect(seen.data).toEqual({ notification: null, notifications: { nodes: [{ id: kept.id }] } });
    for (const change of ['markRead', 'markUnread', 'delete']) {
      const refused = await run(recipient, `mutation ($id: ID!) { ${change}(id: $id) { id } }`, { id });
      expect(refusalOf(refused)).toEqual(MISSING);
    }
    const { batchMarkRead } = (
      await run(recipient, 'mutation ($id: ID!) { batchMarkRead(ids: [$id]) { count } }', { id })
    ).data;
    expect(batchMarkRead).toEqual({ count: 0 });
  });

  test('is allowed after it was read, and a second time changes nothing', async () => {
    const [sender, recipient] = [person(), person()];
    const { id } = await send(app, sender, { recipientId: recipient.id });
    await run(recipient, 'mutation ($id: ID!) { markRead(id: $id) { id } }', { id });
    const first = await recall(sender, id);
    expect(first.data.recall.status).toBe('RECALLED');
    const cursor = await stateOf(recipient);
    expect((await recall(sender, id.toUpperCase())).data).toEqual(first.data);
    expect(await stateOf(recipient)).toBe(cursor);
    expect(await counts(app, recipient)).toEqual({ total: 0, unread: 0 });
  });

  test('is for its sender and for admins of the tenant; for everybody else it is not there', async () => {
    const [sender, recipient, stranger] = [person(), person(), person({ roles: ['sender'] })];
    const { id } = await send(app, sender, { recipientId: recipient.id });
    const foreigners = [person({ tenantId: 'globex', roles: ['admin'] }), recipient, stranger];
    for (const nobody of foreigners) expect(refusalOf(await recall(nobody, id))).toEqual(MISSING);
    expect(await counts(app, recipient)).toEqual({ total: 1, unread: 1 });
    expect((await recall(person({ roles: ['admin'] }), id)).data.recall.status).toBe('RECALLED');
    // Nor does who may not recall it learn that it was.
    for (const nobody of foreigners) expect(refusalOf(await recall(nobody, id))).toEqual(MISSING);
  });

  test('of oneself is allowed; of what was deleted, never was, or could not be an id is NOT_FOUND', async () => {
    const me = person();
    const [mine, deleted] = [await send(app, me), await send(app, me)];
    expect((await recall(me, mine.id)).data.recall.status).toBe('RECALLED');
    await run(me, 'mutation ($id: ID!) { delete(id: $id) { id } }', { id: deleted.id });
    for (const id of [deleted.id, me.id, 'no id', '']) expect(refusalOf(await recall(me, id))).toEqual(MISSING);
  });

  test('later than the window is a CONFLICT that says so, but what was recalled in time still answers', async () => {
    const [sender, recipient] = [person(), person()];
    const late = await send(app, sender, { recipientId: recipient.id });
    const inTime = await send(app, sender, { recipientId: recipient.id });
    await recall(sender, inTime.id);
    for (const { id } of [late, inTime]) await age(id);
    const refused = await recall(sender, late.id);
    expect(refusalOf(refused)).toEqual(TOO_LATE);
    expect(refused.errors?.[0]?.message).toMatch(/too late to recall/);
    expect((await recall(sender, inTime.id)).data.recall.status).toBe('RECALLED');
    expect(refusalOf(await recall(recipient, late.id))).toEqual(MISSING);
    expect(await counts(app, recipient)).toEqual({ total: 1, unread: 1 });
  });

  test('needs a token', async () => {
    expect(refusalOf(await app.graphql(RECALL, { variables: { id: person().id } })).code).toBe('UNAUTHENTICATED');
  });

  test('is answered again by a repetition of the send, which sends nothing', async () => {
    const [sender, recipient] = [person(), person()];
    const input = { recipientId: recipient.id, idempotencyKey: 'once' };
    const first = await send(app, sender, input);
    await recall(sender, first.id);
    expect(await send(app, sender, input)).toEqual({ ...first, status: 'RECALLED' });
    expect(await counts(app, recipient)).toEqual({ total: 0, unread: 0 });
  });
});

describe('recallMany', () => {
  test('recalls what it can, in many inboxes; what is unknown, foreign, repeated, too old or recalled changes nothing', async () => {
    const [sender, one, two] = [person(), person(), person()];
    const mine = [];
    for (const to of [one, two, one]) mine.push((await send(app, sender, { recipientId: to.id })).id);
    const [old, done] = [
      await send(app, sender, { recipientId: one.id }),
      await send(app, sender, { recipientId: one.id }),
    ];
    const foreign = await send(app, person(), { recipientId: one.id });
    await age(old.id);
    await recall(sender, done.id);
    const { data } = await recallMany(sender, [
      foreign.id,
      mine[2],
      'x',
      old.id,
      mine[0],
      mine[2],
      person().id,
      mine[1],
      done.id,
    ]);
    expect(data.recallMany).toEqual({ count: 3, ids: [mine[2], mine[0], mine[1]] });
    expect((await recallMany(sender, mine)).data.recallMany).toEqual({ count: 0, ids: [] });
    expect(await counts(app, one)).toEqual({ total: 2, unread: 2 });
    expect(await counts(app, two)).toEqual({ total: 0, unread: 0 });
  });

  test('refuses no ids and more than a thousand', async () => {
    const me = person();
    const many = Array.from({ length: 1001 }, () => me.id);
    for (const ids of [[], many]) {
      expect(refusalOf(await recallMany(me, ids))).toEqual({ code: 'BAD_USER_INPUT', field: 'ids' });
    }
    expect((await recallMany(me, many.slice(1))).data.recallMany).toEqual({ count: 0, ids: [] });
  });

  test('is one event for each inbox, live, and the same for who comes back', async () => {
    const [sender, recipient] = [person(), person()];
    const first = await send(app, sender, { recipientId: recipient.id });
    const before = await stateOf(recipient);
    const second = await send(app, sender, { recipientId: recipient.id });
    const third = await send(app, sender, { recipientId: recipient.id });
    const middle = await stateOf(recipient);
    await using device = follow(app, recipient, middle);
    const marker = await send(app, sender, { recipientId: recipient.id });
    expect((await device.next()).notification?.id).toBe(marker.id);
    await recallMany(sender, [second.id, first.id]);
    const gone = { __typename: 'NotificationsDeleted', recalled: true, unreadCount: 2 };
    expect(await device.next()).toMatchObject({ ...gone, ids: [first.id, second.id] });
    await run(recipient, 'mutation ($id: ID!) { delete(id: $id) { id } }', { id: third.id });
    expect(await device.next()).toMatchObject({ ids: [third.id], recalled: false, unreadCount: 1 });

    // Who saw only the first one hears nothing of what came and went meanwhile.
    await using late = follow(app, recipient, before);
    expect((await late.next()).notification?.id).toBe(marker.id);
    expect(await late.next()).toMatchObject({ __typename: 'NotificationsDeleted', ids: [first.id], recalled: true });
    const next = await send(app, sender, { recipientId: recipient.id });
    expect((await late.next()).notification?.id).toBe(next.id);
    await using all = follow(app, recipient, middle);
    expect((await all.next()).notification?.id).toBe(marker.id);
    expect((await all.next()).ids?.toSorted()).toEqual([first.id, second.id].toSorted());
    expect(await all.next()).toMatchObject({ ids: [third.id], recalled: false });
    expect((await all.next()).notification?.id).toBe(next.id);
  });
});
