import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  BatchMarkReadDocument,
  DeleteNotificationDocument,
  MarkReadDocument,
  NotificationDocument,
  NotificationsDocument,
  UnreadCountDocument,
} from '../../src/web/operations/generated.ts';
import { TENANT, type TestApp, person, startApp } from '../support/app.ts';
import { type Sent, counts, run, send, sendMany } from './operations.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

let app: TestApp;

beforeAll(async () => {
  app = await startApp();
});

afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

describe('send', () => {
  test('fills in what is not said: to oneself, SYSTEM, NORMAL, IN_APP, and nothing else', async () => {
    const me = person();
    const before = Date.now();
    const sent = await send(app, me, { title: 'Hello', content: 'World' });
    const after = Date.now();

    expect(sent).toEqual({
      id: expect.stringMatching(UUID),
      cursor: expect.stringMatching(/^[A-Za-z0-9_-]+$/),
      tenantId: TENANT,
      recipientId: me.id,
      senderId: me.id,
      type: 'SYSTEM',
      priority: 'NORMAL',
      channel: 'IN_APP',
      status: 'SENT',
      title: 'Hello',
      content: 'World',
      link: null,
      data: null,
      relatedType: null,
      relatedId: null,
      isRead: false,
      readAt: null,
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    });
    const createdAt = Date.parse(sent.createdAt);
    expect(createdAt).toBeGreaterThanOrEqual(before);
    expect(createdAt).toBeLessThanOrEqual(after);
  });

  test('null means the same as nothing, for every optional field', async () => {
    const me = person();
    const sent = await send(app, me, {
      recipientId: null,
      type: null,
      priority: null,
      channel: null,
      link: null,
      data: null,
      relatedType: null,
      relatedId: null,
      idempotencyKey: null,
    });
    expect(sent).toMatchObject({ recipientId: me.id, type: 'SYSTEM', priority: 'NORMAL', channel: 'IN_APP' });
    expect(sent).toMatchObject({ link: null, data: null, relatedType: null, relatedId: null });
  });

  test('puts it into the inbox of the recipient only, with the sender of the token', async () => {
    const [sender, recipient] = [person(), person()];
    const sent = await send(app, sender, { recipientId: recipient.id });

    expect(sent).toMatchObject({ senderId: sender.id, recipientId: recipient.id });
    expect(await run(app, recipient, NotificationDocument, { id: sent.id })).toEqual({ notification: sent });
    expect(await run(app, sender, NotificationDocument, { id: sent.id })).toEqual({ notification: null });
    expect(await counts(app, recipient)).toEqual({ total: 1, unread: 1 });
    expect(await counts(app, sender)).toEqual({ total: 0, unread: 0 });
  });

  test.each(['SYSTEM', 'APPROVAL', 'TASK', 'MESSAGE', 'ALERT'] as const)('keeps the type %s', async (type) => {
    expect(await send(app, person(), { type })).toMatchObject({ type });
  });

  test.each(['LOW', 'NORMAL', 'HIGH', 'URGENT'] as const)('keeps the priority %s', async (priority) => {
    expect(await send(app, person(), { priority })).toMatchObject({ priority });
  });

  test.each([
    'https://example.com/a?b=c#d',
    'HTTP://EXAMPLE.COM',
    'http://[::1]:8080/',
    '/',
    '/tasks/7?tab=notes#last',
  ])('keeps the link %s', async (link) => {
    expect(await send(app, person(), { link })).toMatchObject({ link });
  });
});

test('what was sent is read back unchanged: text of every script, links, relations', async () => {
  const me = person();
  const input = {
    title: '𝒯𝒾𝓉𝓁𝑒 👩‍👩‍👧 "quoted" \\ back',
    content: 'line\nline\ttab\r\n日本語 עברית \u0001\u007f\u2028 e\u0301',
    link: '/päth?q=日本',
    relatedType: 'order',
    relatedId: '№ 7/ä',
  };
  const sent = await send(app, me, input);
  expect(sent).toMatchObject(input);
  expect(await run(app, me, NotificationDocument, { id: sent.id })).toEqual({ notification: sent });
});

test.each<[string, string]>([
  ['keys in their order, at every depth', '{"z":1,"a":{"y":[],"b":{"2":"two","x":null}},"m":[{"q":1,"c":2}]}'],
  ['a key called __proto__', '{"__proto__":{"admin":true},"constructor":1}'],
  ['an empty key and empty values', '{"":"","a":{},"b":[]}'],
  ['numbers to their last digit', '[0.1,1e-7,123456789012345,-1.5,9007199254740991]'],
  ['text alone', '"just text"'],
  ['false', 'false'],
  ['zero', '0'],
  ['empty text', '""'],
])('data keeps %s', async (_what, json) => {
  const me = person();
  const sent = await send(app, me, { data: JSON.parse(json) });
  const { notification } = await run(app, me, NotificationDocument, { id: sent.id });
  expect(JSON.stringify(sent.data)).toBe(json);
  expect(JSON.stringify(notification?.data)).toBe(json);
});

test('an id is found in upper case too, and answers in lower case', async () => {
  const me = person();
  const { id } = await send(app, me);
  const { notification } = await run(app, me, NotificationDocument, { id: id.toUpperCase() });
  expect(notification?.id).toBe(id);
});

test('counts are exact after every kind of operation', async () => {
  const me = person();
  expect(await counts(app, me)).toEqual({ total: 0, unread: 0 });
  const [first, second, third] = (await sendMany(app, me, 3)).map(({ id }) => id) as [string, string, string];
  expect(await counts(app, me)).toEqual({ total: 3, unread: 3 });

  await run(app, me, MarkReadDocument, { id: first });
  expect(await counts(app, me)).toEqual({ total: 3, unread: 2 });
  await run(app, me, MarkReadDocument, { id: first });
  expect(await counts(app, me)).toEqual({ total: 3, unread: 2 });

  expect(await run(app, me, DeleteNotificationDocument, { id: first })).toEqual({
    delete: { id: first, unreadCount: 2 },
  });
  expect(await counts(app, me)).toEqual({ total: 2, unread: 2 });
  expect(await run(app, me, DeleteNotificationDocument, { id: second })).toEqual({
    delete: { id: second, unreadCount: 1 },
  });
  expect(await counts(app, me)).toEqual({ total: 1, unread: 1 });

  expect(await run(app, me, BatchMarkReadDocument, { ids: [third] })).toEqual({
    batchMarkRead: { count: 1, unreadCount: 0 },
  });
  expect(await counts(app, me)).toEqual({ total: 1, unread: 0 });
  expect(await run(app, me, UnreadCountDocument, { filter: { unread: false } })).toEqual({ unreadCount: 0 });
});

test('markRead sets status, isRead and readAt once', async () => {
  const me = person();
  const sent = await send(app, me);
  const { markRead: read } = await run(app, me, MarkReadDocument, { id: sent.id });

  expect(read).toEqual({ ...sent, status: 'READ', isRead: true, readAt: expect.any(String) });
  expect(Date.parse(read.readAt ?? '')).toBeGreaterThanOrEqual(Date.parse(sent.createdAt));
  expect((await run(app, me, MarkReadDocument, { id: sent.id })).markRead).toEqual(read);
  expect((await run(app, me, NotificationDocument, { id: sent.id })).notification).toEqual(read);
});

test('batchMarkRead counts only what it has newly read: no repetitions, unknown, read or foreign ids', async () => {
  const [me, other] = [person(), person()];
  const [first, second, third] = (await sendMany(app, me, 3)).map(({ id }) => id) as [string, string, string];
  const foreign = await send(app, other);
  await run(app, me, MarkReadDocument, { id: first });

  const ids = [first, second, second, second.toUpperCase(), foreign.id, randomUUID(), 'no UUID', ''];
  expect(await run(app, me, BatchMarkReadDocument, { ids })).toEqual({ batchMarkRead: { count: 1, unreadCount: 1 } });
  expect(await run(app, me, BatchMarkReadDocument, { ids })).toEqual({ batchMarkRead: { count: 0, unreadCount: 1 } });
  expect(await run(app, me, NotificationDocument, { id: third })).toMatchObject({ notification: { isRead: false } });
  expect(await counts(app, other)).toEqual({ total: 1, unread: 1 });
});

test('a deleted notification is gone from every answer', async () => {
  const me = person();
  const [kept, { id }] = (await sendMany(app, me, 2)) as [Sent, Sent];
  await run(app, me, DeleteNotificationDocument, { id });

  expect(await run(app, me, NotificationDocument, { id })).toEqual({ notification: null });
  const { notifications } = await run(app, me, NotificationsDocument, {});
  expect(notifications.edges.map(({ node }) => node.id)).toEqual([kept.id]);
});
