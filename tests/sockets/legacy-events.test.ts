import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type TestApp, person, startApp } from '../support/app.ts';
import { connectLegacy, sendTo } from './connect.ts';

let app: TestApp;

beforeAll(async () => {
  app = await startApp();
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const CURSOR = expect.stringMatching(/^[A-Za-z0-9_-]{12,}$/);

describe('the welcome', () => {
  test('comes first, with exactly these keys and no unread notifications for someone new', async () => {
    await using socket = await connectLegacy(app, person());
    expect(socket.welcome).toEqual({
      type: 'welcome',
      message: 'Connected to notification service',
      unread_count: 0,
      timestamp: TIME,
    });
  });

  test('counts what is unread, not what was read or deleted', async () => {
    const ada = person();
    const [read, deleted] = [await sendTo(app, ada), await sendTo(app, ada), await sendTo(app, ada)];
    await app.rest('PUT', `/api/v1/notifications/${read?.['id']}/read`, { token: ada.token });
    await app.rest('DELETE', `/api/v1/notifications/${deleted?.['id']}`, { token: ada.token });
    await using socket = await connectLegacy(app, ada);
    expect(socket.welcome['unread_count']).toBe(1);
  });
});

describe('a new notification', () => {
  test('arrives with exactly these keys, types and priorities in lower case, and the cursor', async () => {
    const ada = person();
    await using socket = await connectLegacy(app, ada);
    const content = { type: 'approval', priority: 'urgent', link: '/tasks/7', data: { deep: [1, null, 'x'] } };
    const sent = await sendTo(app, ada, content);
    expect(await socket.next()).toEqual({
      type: 'notification',
      notification: {
        id: sent['id'],
        title: 'Title',
        content: 'Content',
        is_read: false,
        created_at: sent['created_at'],
        cursor: CURSOR,
        ...content,
      },
      unread_count: 1,
      timestamp: TIME,
    });
  });

  test('has an empty link and null data when it has none', async () => {
    const ada = person();
    await using socket = await connectLegacy(app, ada);
    await sendTo(app, ada);
    const { notification } = await socket.next();
    expect(notification).toMatchObject({ link: '', data: null, type: 'system', priority: 'normal' });
  });

  test('sent through GraphQL has the same id and the same cursor there', async () => {
    const ada = person();
    await using socket = await connectLegacy(app, ada);
    const { data } = await app.graphql(
      'mutation { send(input: { title: "T", content: "C", type: ALERT, priority: LOW }) { id cursor createdAt } }',
      { token: ada.token },
    );
    const { notification } = await socket.next();
    expect(notification).toMatchObject({ id: data.send.id, cursor: data.send.cursor, type: 'alert', priority: 'low' });
    expect(Date.parse(notification.created_at)).toBe(Date.parse(data.send.createdAt));
  });

  test('too large to be told whole arrives whole', async () => {
    const ada = person();
    await using socket = await connectLegacy(app, ada);
    const content = '𝄞'.repeat(10_000);
    await sendTo(app, ada, { content });
    expect((await socket.next())['notification'].content).toBe(content);
  });

  test('that repeats an idempotency key arrives once', async () => {
    const ada = person();
    await using socket = await connectLegacy(app, ada);
    const again = { title: 'Once', content: 'C' };
    const options = { token: ada.token, body: again, headers: { 'idempotency-key': 'k' } };
    await app.rest('POST', '/api/v1/notifications', options);
    await app.rest('POST', '/api/v1/notifications', options);
    await sendTo(app, ada, { title: 'Next' });
    const titles = (await socket.take(2)).map((message) => message['notification'].title);
    expect(titles).toEqual(['Once', 'Next']);
  });
});

const markAsRead: Record<string, (id: string, token: string) => Promise<unknown>> = {
  'GraphQL markRead': (id, token) =>
    app.graphql('mutation ($id: ID!) { markRead(id: $id) { id } }', { token, variables: { id } }),
  'GraphQL batchMarkRead': (id, token) =>
    app.graphql('mutation ($id: ID!) { batchMarkRead(ids: [$id]) { count } }', { token, variables: { id } }),
  'REST for one': (id, token) => app.rest('PUT', `/api/v1/notifications/${id}/read`, { token }),
  'REST for many': (id, token) => app.rest('PUT', '/api/v1/notifications/read', { token, body: { ids: [id] } }),
  'a legacy socket': async (id, token) => {
    await using socket = await connectLegacy(app, { token });
    socket.send({ type: 'mark_read', notification_ids: [id] });
    await socket.next();
  },
};

test.each(Object.entries(markAsRead))('reading through %s is told to every socket of the user', async (_, mark) => {
  const ada = person();
  const { id } = await sendTo(app, ada);
  await sendTo(app, ada);
  await using one = await connectLegacy(app, ada);
  await using other = await connectLegacy(app, ada);
  await mark(id, ada.token);
  const read = { type: 'read', notification_ids: [id], unread_count: 1, timestamp: TIME };
  expect(await one.next()).toEqual(read);
  expect(await other.next()).toEqual(read);
});

test('reading many at once is one message with their ids, in the order in which they came', async () => {
  const ada = person();
  const ids = [await sendTo(app, ada), await sendTo(app, ada), await sendTo(app, ada)].map(({ id }) => id as string);
  await using socket = await connectLegacy(app, ada);
  await app.rest('PUT', '/api/v1/notifications/read', { token: ada.token, body: { ids: ids.toReversed() } });
  expect(await socket.next()).toMatchObject({ type: 'read', notification_ids: ids, unread_count: 0 });
});

const remove: Record<string, (id: string, token: string) => Promise<unknown>> = {
  GraphQL: (id, token) => app.graphql('mutation ($id: ID!) { delete(id: $id) { id } }', { token, variables: { id } }),
  REST: (id, token) => app.rest('DELETE', `/api/v1/notifications/${id}`, { token }),
};

test.each(Object.entries(remove))('deleting through %s is told to every socket of the user', async (_, deleteOne) => {
  const ada = person();
  const { id } = await sendTo(app, ada);
  await sendTo(app, ada);
  await using one = await connectLegacy(app, ada);
  await using other = await connectLegacy(app, ada);
  await deleteOne(id, ada.token);
  const deleted = { type: 'deleted', notification_ids: [id], unread_count: 1, timestamp: TIME };
  expect(await one.next()).toEqual(deleted);
  expect(await other.next()).toEqual(deleted);
});

test('the unread count of every message is the one after that very change', async () => {
  const ada = person();
  await using socket = await connectLegacy(app, ada);
  const first = await sendTo(app, ada);
  await Promise.all(Array.from({ length: 30 }, () => sendTo(app, ada)));
  await markAsRead['REST for one']?.(first['id'], ada.token);
  await remove['REST']?.(first['id'], ada.token);
  await sendTo(app, ada);
  const messages = await socket.take(34);
  const counts = messages.map((message) => message['unread_count']);
  expect(messages.map(({ type }) => type).slice(-3)).toEqual(['read', 'deleted', 'notification']);
  expect(counts).toEqual([...Array.from({ length: 31 }, (__, index) => index + 1), 30, 30, 31]);
});
