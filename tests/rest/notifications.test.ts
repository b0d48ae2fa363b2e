import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { TENANT, type TestApp, person, startApp } from '../support/app.ts';

const path = '/api/v1/notifications';
const RFC_3339_UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

let app: TestApp;
beforeAll(async () => {
  app = await startApp();
});
afterAll(async () => app[Symbol.asyncDispose]());

const send = async (token: string, body: object = {}) => {
  const answer = await app.rest('POST', path, { token, body: { title: 'Title', content: 'Content', ...body } });
  expect(answer.status).toBe(200);
  return answer.body;
};

describe('sending', () => {
  test('answers with every field, absent strings empty and everything else that is absent null', async () => {
    const me = person();
    const answer = await app.rest('POST', path, {
      token: me.token,
      body: { type: 'alert', title: 'Title', content: 'Content' },
    });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(answer.body).toEqual({
      id: expect.stringMatching(UUID),
      tenant_id: TENANT,
      user_id: me.id,
      sender_id: me.id,
      type: 'alert',
      title: 'Title',
      content: 'Content',
      link: '',
      data: null,
      priority: 'normal',
      channel: 'in_app',
      status: 'sent',
      is_read: false,
      read_at: null,
      created_at: expect.stringMatching(RFC_3339_UTC),
    });
  });

  test('keeps everything that was given', async () => {
    const [me, other] = [person(), person()];
    const given = {
      type: 'approval',
      title: '审批 🚀',
      content: 'two\nlines',
      priority: 'urgent',
      channel: 'in_app',
      user_id: other.id,
      tenant_id: TENANT,
      link: '/orders/1?x=1#top',
      data: { userId: 1, nested: [{ camelCase: null }], text: '' },
    };
    const sent = await send(me.token, given);
    expect(sent).toMatchObject({ ...given, sender_id: me.id });
    const { body: stored } = await app.rest('GET', `${path}/${sent.id}`, { token: other.token });
    expect(stored).toEqual(sent);
  });

  test('takes keys in camelCase too, and leaves those inside data as they are', async () => {
    const [me, other] = [person(), person()];
    const data = { userId: 'x', tenantId: { pageSize: 1 } };
    const related = { relatedType: 'order', relatedId: '7' };
    const sent = await send(me.token, { userId: other.id, tenantId: TENANT, ...related, data });
    expect(sent).toMatchObject({ user_id: other.id, data });
    const query = `query ($id: ID!) { notification(id: $id) { relatedType relatedId } }`;
    const seen = await app.graphql(query, { token: other.token, variables: { id: sent.id } });
    expect(seen.data.notification).toEqual(related);
  });

  test('takes the snake_case key where both spellings are given', async () => {
    const [me, other, third] = [person(), person(), person()];
    expect((await send(me.token, { user_id: other.id, userId: third.id })).user_id).toBe(other.id);
    expect((await send(me.token, { userId: third.id, user_id: other.id })).user_id).toBe(other.id);
  });

  test.each([
    ['an empty string', ''],
    ['null', null],
  ])('takes %s for an optional field that is absent', async (_, empty) => {
    const me = person();
    const fields = ['type', 'priority', 'channel', 'user_id', 'tenant_id', 'link', 'related_type', 'related_id'];
    const sent = await send(me.token, Object.fromEntries(fields.map((field) => [field, empty])));
    expect(sent).toMatchObject({
      user_id: me.id,
      tenant_id: TENANT,
      type: 'system',
      priority: 'normal',
      channel: 'in_app',
      link: '',
    });
  });

  test('records the sender from the token, whatever the body says', async () => {
    const [me, other] = [person(), person()];
    const sent = await send(me.token, { sender_id: other.id, senderId: other.id, id: other.id, is_read: true });
    expect(sent).toMatchObject({ sender_id: me.id, is_read: false });
    expect(sent.id).not.toBe(other.id);
  });

  test('refuses another tenant than that of the token', async () => {
    const me = person();
    for (const tenant of [{ tenant_id: 'globex' }, { tenantId: `${TENANT} ` }]) {
      const { status, body } = await app.rest('POST', path, {
        token: me.token,
        body: { title: 'a', content: 'b', ...tenant },
      });
      expect([status, body.reason]).toEqual([403, 'FORBIDDEN']);
    }
  });

  test('takes a body with a byte order mark, a charset and a media type in capitals', async () => {
    const me = person();
    const answer = await app.rest('POST', path, {
      token: me.token,
      headers: { 'content-type': 'Application/JSON; charset=UTF-8' },
      body: `\ufeff{"title":"a","content":"b"}`,
    });
    expect(answer.status).toBe(200);
  });
});

describe('one notification', () => {
  test('is answered by its id, in either case of letters', async () => {
    const me = person();
    const sent = await send(me.token);
    for (const id of [sent.id, sent.id.toUpperCase()]) {
      expect((await app.rest('GET', `${path}/${id}`, { token: me.token })).body).toEqual(sent);
    }
  });

  test.each<[string, { body?: unknown; headers?: Record<string, string> }]>([
    ['an empty object', { body: {} }],
    ['nothing', {}],
    ['a content type and no body', { headers: { 'content-type': 'application/json' } }],
    ['null', { body: 'null' }],
    ['an object of whatever', { body: { anything: 1 } }],
  ])('is marked as read by PUT with %s, once', async (_, options) => {
    const me = person();
    const sent = await send(me.token);
    const read = await app.rest('PUT', `${path}/${sent.id}/read`, { token: me.token, ...options });
    expect(read.status).toBe(200);
    expect(read.body).toEqual({ ...sent, status: 'read', is_read: true, read_at: expect.stringMatching(RFC_3339_UTC) });
    const again = await app.rest('PUT', `${path}/${sent.id}/read`, { token: me.token, ...options });
    expect(again.body).toEqual(read.body);
  });

  test.each<[string, { body?: unknown; headers?: Record<string, string> }]>([
    ['no body', {}],
    ['a content type and no body', { headers: { 'content-type': 'application/json' } }],
    ['an empty object', { body: {} }],
  ])('is gone after DELETE with %s', async (_, options) => {
    const me = person();
    const { id } = await send(me.token);
    const deleted = await app.rest('DELETE', `${path}/${id}`, { token: me.token, ...options });
    expect([deleted.status, deleted.body]).toEqual([200, { success: true }]);
    expect((await app.rest('GET', `${path}/${id}`, { token: me.token })).status).toBe(404);
    expect((await app.rest('DELETE', `${path}/${id}`, { token: me.token })).status).toBe(404);
  });
});
