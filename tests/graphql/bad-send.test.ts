import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { NotificationsDocument } from '../../src/web/operations/generated.ts';
import { type GraphQLAnswer, type Person, type TestApp, person, startApp } from '../support/app.ts';
import { badInput, counts, expectClean, refusalOf, run, send } from './operations.ts';

const SEND = 'mutation ($input: SendInput!) { send(input: $input) { id title content data } }';
const ASTRAL = '😀';

let app: TestApp;
let me: Person;

beforeAll(async () => {
  // What is nested beyond the stack comes to those who take it apart.
  app = await startApp({ env: { MAX_BODY_VALUES: '1000000', RATE_LIMITS: 'off' } });
  me = person();
});

afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

const trySend = (input: unknown): Promise<GraphQLAnswer> =>
  app.graphql(SEND, { token: me.token, variables: { input: { title: 'a', content: 'b', ...(input as object) } } });

const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);

describe('send refuses', () => {
  const texts = ['title', 'content', 'link', 'recipientId', 'relatedType', 'relatedId', 'idempotencyKey'];

  test.each(texts)('NUL and lone surrogates in %s', async (field) => {
    const start = field === 'link' ? '/' : '';
    for (const wrong of ['a\0', '\0', '\ud800', 'a\udc00b', '\udc00\ud800']) {
      const answer = await trySend({ [field]: start + wrong });
      expect(refusalOf(answer)).toEqual(badInput(field));
      expectClean(answer);
    }
  });

  test.each(texts)('empty text in %s', async (field) => {
    expect(refusalOf(await trySend({ [field]: '' }))).toEqual(badInput(field));
  });

  test.each([
    ['title', 200],
    ['content', 10_000],
    ['recipientId', 128],
    ['relatedType', 128],
    ['relatedId', 128],
    ['idempotencyKey', 128],
  ])('%s of more than %d characters, however many bytes or code units they take', async (field, most) => {
    for (const character of ['x', 'é', ASTRAL]) {
      const unique = field === 'idempotencyKey' ? { title: character } : {};
      expect((await trySend({ ...unique, [field]: character.repeat(most) })).errors).toBeUndefined();
      expect(refusalOf(await trySend({ [field]: character.repeat(most + 1) }))).toEqual(badInput(field));
    }
  });

  test('links of more than 2,048 characters', async () => {
    expect((await trySend({ link: `/${'x'.repeat(2047)}` })).errors).toBeUndefined();
    expect(refusalOf(await trySend({ link: `/${'x'.repeat(2048)}` }))).toEqual(badInput('link'));
  });

  test.each([
    'javascript:alert(1)',
    'JaVaScRiPt:alert(1)',
    ' javascript:alert(1)',
    'java\nscript:alert(1)',
    '\u0001javascript:alert(1)',
    'data:text/html,x',
    'vbscript:x',
    'file:///etc/passwd',
    'ftp://example.com',
    'mailto:a@example.com',
    '//host',
    '/\\host',
    '\\\\host',
    '\\/host',
    '/\t/host',
    '/ a',
    'relative/path',
    '?query',
    '#hash',
    'https:example.com',
    'https:/example.com',
    'http://',
    'https://exa mple.com',
    'https://[',
  ])('the link %j', async (link) => {
    expect(refusalOf(await trySend({ link }))).toEqual(badInput('link'));
  });

  test.each<[string, unknown]>([
    ['a NUL in a value', { a: ['x\0'] }],
    ['a NUL in a key', { a: { 'x\0': 1 } }],
    ['a lone surrogate in a value', ['\ud800']],
    ['a lone surrogate in a key', { '\udfff': 1 }],
    ['a lone surrogate alone', '\ud800'],
    ['65 levels', nested(65)],
    ['1,000 levels', nested(1000)],
    ['more than 16 KiB', 'x'.repeat(16_384 - 1)],
    ['more than 16 KiB in bytes, not in characters', ASTRAL.repeat(4096)],
  ])('data with %s', async (_what, data) => {
    const answer = await trySend({ data });
    expect(refusalOf(answer)).toEqual(badInput('data'));
    expectClean(answer);
  });

  test.each(['{a: 1e400}', '[[-1e999]]', `${'['.repeat(900)}${']'.repeat(900)}`])(
    'data that is written into the document: %s',
    async (data) => {
      const answer = await app.graphql(`mutation { send(input: { title: "a", content: "b", data: ${data} }) { id } }`, {
        token: me.token,
      });
      expect(refusalOf(answer)).toEqual(badInput('data'));
    },
  );

  test.each(['EMAIL', 'SMS', 'WEBHOOK'])('the channel %s, which is not configured', async (channel) => {
    expect(refusalOf(await trySend({ channel }))).toEqual(badInput('channel'));
  });

  test.each<[string, object]>([
    ['type', { type: 'NEWS' }],
    ['type', { type: 'system' }],
    ['type', { type: 1 }],
    ['priority', { priority: 'HIGHEST' }],
    ['channel', { channel: 'PIGEON' }],
    ['title', { title: null }],
    ['title', { title: 7 }],
    ['content', { content: ['a'] }],
    ['recipientId', { recipientId: {} }],
    ['relatedId', { relatedId: 1.5 }],
    ['colour', { colour: 'red' }],
  ])('a variable whose %s is of the wrong type: %j', async (field, input) => {
    const answer = await trySend(input);
    expect(refusalOf(answer)).toEqual(badInput(field));
    expectClean(answer);
  });

  test.each(['expiresAt', 'sendAt', 'title', 'data', 'type'])(
    'a variable whose %s is nested beyond the stack',
    async (field) => {
      const deep = '['.repeat(100_000) + ']'.repeat(100_000);
      const response = await fetch(app.graphqlUrl, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${me.token}` },
        // Not JSON.stringify, which recurses.
        body: `{"query":${JSON.stringify(SEND)},"variables":{"input":{"title":"a","content":"b","${field}":${deep}}}}`,
      });
      const answer = (await response.json()) as GraphQLAnswer;
      expect(refusalOf(answer)).toEqual(badInput(field));
    },
  );

  test('a variable that lacks a required field', async () => {
    const answer = await app.graphql(SEND, { token: me.token, variables: { input: { title: 'a' } } });
    expect(refusalOf(answer)).toEqual(badInput('content'));
  });

  test('a variable that is missing altogether', async () => {
    expect(refusalOf(await app.graphql(SEND, { token: me.token }))).toEqual(badInput('input'));
  });

  test('an unknown enum value in the document', async () => {
    const answer = await app.graphql('mutation { send(input: { title: "a", content: "b", type: NEWS }) { id } }', {
      token: me.token,
    });
    expect(answer.errors?.[0]?.message).toContain('NEWS');
    expect(answer.errors?.map(({ extensions }) => extensions['code'])).toEqual(['BAD_USER_INPUT']);
    expectClean(answer);
  });
});

test('the largest of everything is stored as it is', async () => {
  const who = person();
  const data = { a: ASTRAL.repeat(4094) };
  expect(Buffer.byteLength(JSON.stringify(data))).toBe(16_384);
  const sent = await send(app, who, { title: ASTRAL.repeat(200), content: ASTRAL.repeat(10_000), data });
  expect(sent).toMatchObject({ title: ASTRAL.repeat(200), content: ASTRAL.repeat(10_000), data });
  expect((await send(app, who, { data: nested(64) })).data).toEqual(nested(64));
});

test('nothing that was refused has left a trace', async () => {
  const who = person();
  await app.graphql(SEND, { token: who.token, variables: { input: { title: '', content: 'b' } } });
  expect(await counts(app, who)).toEqual({ total: 0, unread: 0 });
  expect((await run(app, who, NotificationsDocument, {})).notifications.edges).toEqual([]);
});
