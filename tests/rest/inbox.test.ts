import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Person, type TestApp, person, startApp } from '../support/app.ts';

const path = '/api/v1/notifications';

let app: TestApp;
beforeAll(async () => {
  app = await startApp();
});
afterAll(async () => app[Symbol.asyncDispose]());

const send = async (me: Person, title: string, type = 'system') => {
  const { body } = await app.rest('POST', path, { token: me.token, body: { title, content: 'c', type } });
  return body;
};
const list = async (me: Person, query = '') => {
  const answer = await app.rest('GET', `${path}${query}`, { token: me.token });
  expect(answer.status).toBe(200);
  const { items, ...rest } = answer.body as { items: { title: string }[] } & Record<string, unknown>;
  return { titles: items.map(({ title }) => title), ...rest };
};
const unread = async (me: Person) => (await app.rest('GET', `${path}/unread-count`, { token: me.token })).body;
const markRead = (me: Person, ids: readonly string[]) =>
  app.rest('PUT', `${path}/read`, { token: me.token, body: { ids } });

describe('the list', () => {
  test('of somebody new is empty', async () => {
    const answer = await app.rest('GET', path, { token: person().token });
    expect(answer.body).toEqual({ items: [], total: 0, page: 1, page_size: 20 });
  });

  test('has whole notifications, newest first, twenty on a page', async () => {
    const me = person();
    const sent = [];
    for (let nth = 1; nth <= 22; nth++) sent.push(await send(me, `n${nth}`));
    const first = await app.rest('GET', path, { token: me.token });
    expect(first.body).toEqual({ items: sent.toReversed().slice(0, 20), total: 22, page: 1, page_size: 20 });
    expect(await list(me, '?page=2')).toEqual({ titles: ['n2', 'n1'], total: 22, page: 2, page_size: 20 });
  });

  test('tells the true total on every page, and on one beyond the end', async () => {
    const me = person();
    for (const title of ['a', 'b', 'c']) await send(me, title);
    expect(await list(me, '?page=1&page_size=2')).toEqual({ titles: ['c', 'b'], total: 3, page: 1, page_size: 2 });
    expect(await list(me, '?page=2&page_size=2')).toEqual({ titles: ['a'], total: 3, page: 2, page_size: 2 });
    expect(await list(me, '?page=3&page_size=2')).toEqual({ titles: [], total: 3, page: 3, page_size: 2 });
    expect(await list(me, '?page=1000000&page_size=100')).toMatchObject({ titles: [], total: 3 });
  });

  test('counts and shows what a filter lets through', async () => {
    const me = person();
    const { id: first } = await send(me, 'a', 'task');
    await send(me, 'b', 'alert');
    const { id: third } = await send(me, 'c', 'task');
    await send(me, 'd', 'task');
    await markRead(me, [first, third]);
    expect(await list(me, '?only_unread=true')).toMatchObject({ titles: ['d', 'b'], total: 2 });
    expect(await list(me, '?only_unread=1&page_size=1')).toMatchObject({ titles: ['d'], total: 2 });
    expect(await list(me, '?type=task&page_size=1&page=2')).toMatchObject({ titles: ['c'], total: 3 });
    expect(await list(me, '?type=task&only_unread=true')).toMatchObject({ titles: ['d'], total: 1 });
    expect(await list(me, '?type=message')).toMatchObject({ titles: [], total: 0 });
    expect(await list(me, '?type=task&page=9')).toMatchObject({ titles: [], total: 3 });
    expect(await list(me, '?only_unread=false')).toMatchObject({ total: 4 });
    expect(await list(me, '?only_unread=0')).toMatchObject({ total: 4 });
  });

  test('takes camelCase names, empty values for absent ones, and passes over unknown ones', async () => {
    const me = person();
    const { id } = await send(me, 'a');
    await send(me, 'b');
    await markRead(me, [id]);
    expect(await list(me, '?pageSize=1&onlyUnread=true')).toEqual({ titles: ['b'], total: 1, page: 1, page_size: 1 });
    expect(await list(me, '?page=&page_size=&only_unread=&type=')).toMatchObject({ total: 2, page: 1, page_size: 20 });
    expect(await list(me, '?user_id=x&__proto__=y&constructor=z&page[$gt]=3')).toMatchObject({ total: 2 });
  });
});

describe('reading', () => {
  test('moves the unread count', async () => {
    const me = person();
    expect(await unread(me)).toEqual({ count: 0 });
    const { id } = await send(me, 'a');
    await send(me, 'b');
    expect(await unread(me)).toEqual({ count: 2 });
    await app.rest('PUT', `${path}/${id}/read`, { token: me.token });
    expect(await unread(me)).toEqual({ count: 1 });
    await app.rest('DELETE', `${path}/${id}`, { token: me.token });
    expect(await unread(me)).toEqual({ count: 1 });
  });

  test('of many counts those that were unread until then, each once', async () => {
    const [me, other] = [person(), person()];
    const { id: a } = await send(me, 'a');
    const { id: b } = await send(me, 'b');
    const { id: theirs } = await send(other, 'theirs');
    const strange = ['not-an-id', '', '\0', '\ud800', '01a208a7-6cad-778e-a913-0b76eee66faa'];
    const answer = await markRead(me, [a, a.toUpperCase(), b, theirs, ...strange]);
    expect([answer.status, answer.body]).toEqual([200, { count: 2, success: true }]);
    expect((await markRead(me, [a, b])).body).toEqual({ count: 0, success: true });
    expect(await unread(other)).toEqual({ count: 1 });
  });

  test('takes a thousand ids at once', async () => {
    const me = person();
    const { id } = await send(me, 'a');
    const answer = await markRead(me, [...Array<string>(999).fill('x'), id]);
    expect([answer.status, answer.body]).toEqual([200, { count: 1, success: true }]);
  });
});
