import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type Person, type TestApp, person, startApp } from '../support/app.ts';
import { expectRefusal } from './expect-refusal.ts';

const path = '/api/v1/notifications';
const content = { title: 'Title', content: 'Content' };

let app: TestApp;
let me: Person;
beforeAll(async () => {
  // What is nested beyond the stack comes to those who take it apart.
  app = await startApp({ env: { MAX_BODY_VALUES: '1000000' } });
});
afterAll(async () => app[Symbol.asyncDispose]());
beforeEach(() => {
  me = person();
});

const send = (body: unknown, headers: Record<string, string> = {}) =>
  app.rest('POST', path, { token: me.token, body, headers });
const total = async () => (await app.rest('GET', path, { token: me.token })).body.total;

let deep: unknown = 0;
for (let depth = 0; depth < 100; depth++) deep = [deep];

describe('a field that is not as it must be is named in the refusal', () => {
  test.each<[string, unknown]>([
    ['title', undefined],
    ['title', null],
    ['title', ''],
    ['title', 5],
    ['title', ['a']],
    ['title', 'a'.repeat(201)],
    ['title', 'a\0b'],
    ['title', 'a\ud800b'],
    ['content', undefined],
    ['content', ''],
    ['content', {}],
    ['content', 'a'.repeat(10_001)],
    ['content', '\0'],
    ['content', '\udfff'],
    ['user_id', 5],
    ['user_id', 'a'.repeat(129)],
    ['user_id', '\0'],
    ['user_id', '\ud800'],
    ['user_id', ['a']],
    ['tenant_id', 5],
    ['type', 'SYSTEM'],
    ['type', 'other'],
    ['type', 1],
    ['type', 'constructor'],
    ['priority', 'NORMAL'],
    ['priority', 'highest'],
    ['priority', 2],
    ['channel', 'pigeon'],
    ['channel', 'email'],
    ['link', 'javascript:alert(1)'],
    ['link', '//evil.example'],
    ['link', '/\\evil.example'],
    ['link', 'ftp://a.example'],
    ['link', 'https://'],
    ['link', 'https://a b.example'],
    ['link', `https://a.example/${'a'.repeat(2048)}`],
    ['link', '/a\0'],
    ['link', '/\ud800'],
    ['link', {}],
    ['related_type', 'a'.repeat(129)],
    ['related_id', '\0'],
    ['data', 'a'.repeat(16_384)],
    ['data', { a: '\0' }],
    ['data', { a: ['\ud800'] }],
    ['data', { '\0': 1 }],
    ['data', deep],
  ])('%s %j', async (field, value) => {
    // JSON.stringify writes NUL and lone surrogates as escapes.
    expectRefusal(await send({ ...content, [field]: value }), [400, 'BAD_USER_INPUT', field]);
    expect(await total()).toBe(0);
  });

  test('a number in data that JavaScript cannot hold', async () => {
    expectRefusal(await send('{"title":"a","content":"b","data":1e999}'), [400, 'BAD_USER_INPUT', 'data']);
  });

  test.each<[string, unknown]>([
    ['none', []],
    ['1,001', Array(1001).fill('x')],
    ['a number among them', ['x', 5]],
    ['null', null],
    ['text', 'x'],
    ['an object', { 0: 'x' }],
    ['nothing', undefined],
  ])('ids: %s', async (_, ids) => {
    const answer = await app.rest('PUT', `${path}/read`, { token: me.token, body: { ids } });
    expectRefusal(answer, [400, 'BAD_USER_INPUT', 'ids']);
  });

  test.each([
    ['page', '0'],
    ['page', '-1'],
    ['page', '1.5'],
    ['page', 'abc'],
    ['page', '0x1'],
    ['page', '1e1'],
    ['page', '%201'],
    ['page', '1000001'],
    ['page', '9'.repeat(400)],
    ['page', '1&page=2'],
    ['page', '%00'],
    ['page', '%ED%A0%80'],
    ['page_size', '0'],
    ['page_size', '101'],
    ['page_size', 'abc'],
    ['page_size', '20&page_size=20'],
    ['only_unread', 'maybe'],
    ['only_unread', 'true&only_unread=true'],
    ['type', 'SYSTEM'],
    ['type', 'other'],
    ['type', '%00'],
    ['type', 'task&type=alert'],
  ])('%s=%s in the query', async (name, value) => {
    expectRefusal(await app.rest('GET', `${path}?${name}=${value}`, { token: me.token }), [
      400,
      'BAD_USER_INPUT',
      name,
    ]);
  });

  test('pageSize is called page_size', async () => {
    const answer = await app.rest('GET', `${path}?pageSize=101`, { token: me.token });
    expectRefusal(answer, [400, 'BAD_USER_INPUT', 'page_size']);
  });
});

describe('a body is refused that is', () => {
  test.each([
    ['cut off', '{"title":"a"'],
    ['empty', ''],
    ['nothing but space', ' '],
    ['JavaScript', "{title:'a'}"],
    ['two documents', '{}{}'],
    ['an array', '[]'],
    ['an array of one', '[{"title":"a","content":"b"}]'],
    ['text', '"title"'],
    ['a number', '1'],
    ['null', 'null'],
    ['nested beyond any stack', '['.repeat(100_000)],
  ])('%s', async (_, body) => {
    expectRefusal(await send(body), [400, 'BAD_USER_INPUT', 'body']);
    expect(await total()).toBe(0);
  });

  test('not UTF-8', async () => {
    const response = await fetch(`${app.url}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${me.token}`, 'content-type': 'application/json' },
      body: Buffer.concat([Buffer.from('{"title":"'), Buffer.from([0xff, 0xfe]), Buffer.from('","content":"b"}')]),
    });
    const { status, headers } = response;
    expectRefusal({ status, headers, body: await response.json() }, [400, 'BAD_USER_INPUT', 'body']);
  });

  test.each([
    ['POST', path],
    ['PUT', `${path}/read`],
    ['PUT', `${path}/x/read`],
    ['DELETE', `${path}/x`],
    ['POST', '/api/v1/auth/login'],
  ])('of another media type, for %s %s', async (method, to) => {
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=a',
      'application/jsonp',
      'json',
      'application/json, text/plain',
    ]) {
      const answer = await app.rest(method, to, { token: me.token, body: 'a=b', headers: { 'content-type': type } });
      expectRefusal(answer, [415, 'UNSUPPORTED_MEDIA_TYPE']);
    }
  });

  test.each([
    ['__proto__', '{"title":"a","content":"b","__proto__":{"user_id":"x","link":"/x"}}'],
    ['constructor', '{"title":"a","content":"b","constructor":{"prototype":{"user_id":"x","link":"/x"}}}'],
  ])('only in the part that %s would smuggle in', async (key, body) => {
    const answer = await send(body);
    expect([answer.status, answer.body.user_id, answer.body.link]).toEqual([200, me.id, '']);
    expect(({} as Record<string, unknown>)['user_id']).toBeUndefined();
    const data = `{"${key}":{"a":1}}`;
    const kept = await send(`{"title":"a","content":"b","data":${data}}`);
    expect(JSON.stringify(kept.body.data)).toBe(data);
    const { body: stored } = await app.rest('GET', `${path}/${kept.body.id}`, { token: me.token });
    expect(JSON.stringify(stored.data)).toBe(data);
  });
});
