import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Person, type TestApp, person, signToken, startApp } from '../support/app.ts';
import { expectRefusal } from './expect-refusal.ts';

const path = '/api/v1/notifications';

let app: TestApp;
beforeAll(async () => {
  app = await startApp();
});
afterAll(async () => app[Symbol.asyncDispose]());

const send = async (me: Person, to: Person) => {
  const body = { title: 'Title', content: 'Content', user_id: to.id, link: '/x' };
  return (await app.rest('POST', path, { token: me.token, body })).body;
};
const list = (me: Person, query = '') => app.rest('GET', `${path}/sent${query}`, { token: me.token });

test('the list of what a new sender sent is empty', async () => {
  const { status, body } = await list(person());
  expect([status, body]).toEqual([200, { items: [], page: 1, page_size: 20, has_more: false }]);
});

test('it has whole notifications, newest first, page by page, with when they were read', async () => {
  const [me, reader] = [person(), person()];
  const sent = [];
  for (let nth = 0; nth < 5; nth += 1) sent.push(await send(me, nth === 2 ? me : reader));
  const newestFirst = sent.toSorted((one, other) => (one.id < other.id ? 1 : -1));
  const unread = newestFirst.find(({ user_id }) => user_id === reader.id);
  const { body: read } = await app.rest('PUT', `${path}/${unread.id}/read`, { token: reader.token });
  expect(read.read_at).not.toBeNull();
  const expected = newestFirst.map((one) => (one.id === read.id ? read : one));
  expect((await list(me)).body).toEqual({ items: expected, page: 1, page_size: 20, has_more: false });
  const pages = await Promise.all([1, 2, 3, 4].map(async (page) => (await list(me, `?page=${page}&page_size=2`)).body));
  expect(pages).toEqual([
    { items: expected.slice(0, 2), page: 1, page_size: 2, has_more: true },
    { items: expected.slice(2, 4), page: 2, page_size: 2, has_more: true },
    { items: expected.slice(4), page: 3, page_size: 2, has_more: false },
    { items: [], page: 4, page_size: 2, has_more: false },
  ]);
  expect((await list(me, '?page=&pageSize=2')).body).toEqual(pages[0]);
  expect((await list(me, '?page=2&page_size=5')).body).toMatchObject({ items: [], has_more: false });
});

test('what the recipient deleted is not there any more', async () => {
  const [me, reader] = [person(), person()];
  const { id } = await send(me, reader);
  await app.rest('DELETE', `${path}/${id}`, { token: reader.token });
  expect((await list(me)).body.items).toEqual([]);
});

test('nobody else sees it: not the recipient, nor the same user of another tenant', async () => {
  const [me, reader] = [person(), person()];
  await send(me, reader);
  const namesake = { ...me, token: signToken({ user_id: me.id, tenant_id: 'globex' }) };
  for (const stranger of [reader, namesake]) expect((await list(stranger)).body.items).toEqual([]);
});

test.each([
  ['?page=0', 'page'],
  ['?page=x', 'page'],
  ['?page=1000001', 'page'],
  ['?page_size=0', 'page_size'],
  ['?page_size=101', 'page_size'],
  ['?page_size=1.5', 'page_size'],
])('%s is refused, and named', async (query, field) => {
  expectRefusal(await list(person(), query), [400, 'BAD_USER_INPUT', field]);
});

test('it needs a token, and no other method', async () => {
  expectRefusal(await app.rest('GET', `${path}/sent`), [401, 'UNAUTHENTICATED']);
  const refused = await app.rest('POST', `${path}/sent`, { token: person().token, body: {} });
  expectRefusal(refused, [405, 'METHOD_NOT_ALLOWED']);
  expect(refused.headers.get('allow')).toMatch(/\bGET\b/);
});
