import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Person, type TestApp, person, startApp } from '../support/app.ts';
import { follow } from '../support/follow.ts';
import { badInput, counts, expectClean, refusalOf } from './operations.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Soon enough to be waited for, and late enough for what a test does before. */
const SOON_MS = 4000;
const BEGINNING = '-----------0';

const IN_A_DAY = new Date(Date.now() + DAY_MS).toISOString();

const SEND = `mutation ($input: SendInput!) {
  send(input: $input) { id cursor status sendAt expiresAt createdAt recipientId title }
}`;
const LIST = 'query ($first: Int) { scheduledNotifications(first: $first) { id status sendAt title } }';
const CANCEL = 'mutation ($id: ID!) { cancelScheduled(id: $id) { id } }';

let app: TestApp;

beforeAll(async () => {
  app = await startApp();
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

const at = (ms: number) => new Date(Date.now() + ms).toISOString();
const trySend = ({ token }: Person, input: object) =>
  app.graphql(SEND, { token, variables: { input: { title: 'Later', content: 'c', ...input } } });
const list = async ({ token }: Person, first?: number) =>
  (await app.graphql(LIST, { token, variables: { first } })).data.scheduledNotifications as { id: string }[];
const cancel = ({ token }: Person, id: string) => app.graphql(CANCEL, { token, variables: { id } });

async function send(who: Person, input: object) {
  const { data, errors } = await trySend(who, input);
  if (errors) throw new Error(JSON.stringify(errors));
  return data.send as {
    id: string;
    status: string;
    sendAt: string | null;
    expiresAt: string | null;
    createdAt: string;
  };
}

/* Tests that wait for a time to come run beside each other. */

describe('sendAt', () => {
  test.concurrent('makes a PENDING notification that is in no inbox, and arrives at its time, once', async () => {
    const [sender, recipient] = [person(), person()];
    await using device = follow(app, recipient, BEGINNING);
    const sendAt = at(SOON_MS);
    const pending = await send(sender, { recipientId: recipient.id, sendAt });
    expect(pending).toMatchObject({ status: 'PENDING', sendAt, cursor: BEGINNING, recipientId: recipient.id });
    expect(await counts(app, recipient)).toEqual({ total: 0, unread: 0 });
    expect(await list(sender)).toEqual([{ id: pending.id, status: 'PENDING', sendAt, title: 'Later' }]);
    expect(await list(recipient)).toEqual([]);
    const added = await device.next();
    expect(added).toMatchObject({ __typename: 'NotificationAdded', unreadCount: 1 });
    expect(added.notification).toMatchObject({ id: pending.id, status: 'SENT', sendAt: null });
    const late = Date.parse(added.notification!.createdAt) - Date.parse(sendAt);
    expect(late).toBeGreaterThanOrEqual(0);
    expect(late).toBeLessThan(2000);
    expect(await list(sender)).toEqual([]);
    expect(refusalOf(await cancel(sender, pending.id))).toEqual({ code: 'NOT_FOUND' });
    expect(await counts(app, recipient)).toEqual({ total: 1, unread: 1 });
  });

  test.concurrent('that is cancelled never arrives; what comes at the same time does', async () => {
    const [sender, recipient] = [person(), person()];
    await using device = follow(app, recipient, BEGINNING);
    const sendAt = at(SOON_MS);
    const cancelled = await send(sender, { recipientId: recipient.id, sendAt });
    const kept = await send(sender, { recipientId: recipient.id, sendAt: at(SOON_MS + 1) });
    expect(refusalOf(await cancel(recipient, cancelled.id))).toEqual({ code: 'NOT_FOUND' });
    expect((await cancel(sender, cancelled.id)).data.cancelScheduled).toEqual({ id: cancelled.id });
    expect((await device.next()).notification?.id).toBe(kept.id);
    expect(await counts(app, recipient)).toEqual({ total: 1, unread: 1 });
  });

  test.concurrent('with an idempotency key sends once, and repetitions are answered before and after its time', async () => {
    const [sender, recipient] = [person(), person()];
    await using device = follow(app, recipient, BEGINNING);
    const input = { recipientId: recipient.id, sendAt: at(SOON_MS), idempotencyKey: 'k' };
    const [first, again] = await Promise.all([send(sender, input), send(sender, input)]);
    expect(again).toEqual(first);
    const { notification } = await device.next();
    expect(notification?.id).toBe(first.id);
    expect(await send(sender, input)).toMatchObject({
      id: first.id,
      status: 'SENT',
      createdAt: notification!.createdAt,
    });
    expect(refusalOf(await trySend(sender, { ...input, title: 'Other' }))).toEqual(badInput('sendAt'));
    expect(await counts(app, recipient)).toEqual({ total: 1, unread: 1 });
  });

  test.each([
    ['sendAt', 'now', () => ({ sendAt: at(0) })],
    ['sendAt', 'the past', () => ({ sendAt: at(-DAY_MS) })],
    ['sendAt', 'more than a year ahead', () => ({ sendAt: at(367 * DAY_MS) })],
    ['sendAt', 'the time of expiry', () => ({ sendAt: IN_A_DAY, expiresAt: IN_A_DAY })],
    ['sendAt', 'after the expiry', () => ({ sendAt: at(2 * HOUR_MS), expiresAt: at(HOUR_MS) })],
    ['expiresAt', 'now', () => ({ expiresAt: at(0) })],
    ['expiresAt', 'the past', () => ({ expiresAt: '1970-01-01T00:00:00Z', sendAt: at(HOUR_MS) })],
    ['sendAt', 'not a time', () => ({ sendAt: 'tomorrow' })],
    ['expiresAt', 'not a time', () => ({ expiresAt: '2999-02-30T00:00:00Z' })],
    ['expiresAt', 'a list', () => ({ expiresAt: ['2999-01-01T00:00:00Z'] })],
  ])('or expiresAt that is wrong is refused: %s is %s', async (field, _what, input) => {
    const me = person();
    const answer = await trySend(me, input());
    expect(refusalOf(answer)).toEqual(badInput(field));
    expectClean(answer);
    expect(await list(me)).toEqual([]);
    expect(await counts(app, me)).toEqual({ total: 0, unread: 0 });
  });

  test('is held to all other rules at once, when it is scheduled', async () => {
    const me = person();
    for (const [field, input] of [
      ['title', { title: '' }],
      ['link', { link: 'javascript:1' }],
      ['channel', { channel: 'SMS' }],
    ] as const) {
      expect(refusalOf(await trySend(me, { sendAt: at(HOUR_MS), ...input }))).toEqual(badInput(field));
    }
    expect(await list(me)).toEqual([]);
  });
});

test('scheduledNotifications gives the soonest first, and refuses a bad first', async () => {
  const me = person();
  const far = await send(me, { sendAt: at(3 * HOUR_MS) });
  const near = await send(me, { sendAt: at(HOUR_MS) });
  expect((await list(me)).map(({ id }) => id)).toEqual([near.id, far.id]);
  expect((await list(me, 1)).map(({ id }) => id)).toEqual([near.id]);
  for (const first of [0, 101]) {
    expect(refusalOf(await app.graphql(LIST, { token: me.token, variables: { first } }))).toEqual(badInput('first'));
  }
});

test('a pending notification can neither be recalled nor be found in an inbox', async () => {
  const me = person();
  const { id } = await send(me, { sendAt: at(HOUR_MS) });
  const recalled = await app.graphql('mutation ($id: ID!) { recall(id: $id) { id } }', {
    token: me.token,
    variables: { id },
  });
  expect(refusalOf(recalled)).toEqual({ code: 'NOT_FOUND' });
  const found = await app.graphql('query ($id: ID!) { notification(id: $id) { id } }', {
    token: me.token,
    variables: { id },
  });
  expect(found.data).toEqual({ notification: null });
});

describe('expiresAt', () => {
  test.concurrent('is shown, and at that time the notification leaves every device, as a deletion', async () => {
    const me = person();
    await using device = follow(app, me, BEGINNING);
    const stays = await send(me, { expiresAt: at(HOUR_MS) });
    expect((await device.next()).notification).toMatchObject({ id: stays.id });
    const expiresAt = at(SOON_MS);
    const { id } = await send(me, { expiresAt });
    expect((await device.next()).notification).toMatchObject({ id, expiresAt });
    expect(await device.next()).toMatchObject({
      __typename: 'NotificationsDeleted',
      ids: [id],
      recalled: false,
      unreadCount: 1,
    });
    const late = Date.now() - Date.parse(expiresAt);
    expect(late).toBeGreaterThanOrEqual(0);
    expect(late).toBeLessThan(3000);
    expect(await counts(app, me)).toEqual({ total: 1, unread: 1 });
    const found = await app.graphql('query ($id: ID!) { notification(id: $id) { expiresAt } }', {
      token: me.token,
      variables: { id: stays.id },
    });
    expect(found.data.notification.expiresAt).toBe(stays.expiresAt);
  });

  test.concurrent('of a scheduled one holds from its coming', async () => {
    const me = person();
    await using device = follow(app, me, BEGINNING);
    const { id } = await send(me, { sendAt: at(SOON_MS), expiresAt: at(SOON_MS + 1000) });
    expect((await device.next()).notification?.id).toBe(id);
    expect(await device.next()).toMatchObject({ __typename: 'NotificationsDeleted', ids: [id] });
  });
});
