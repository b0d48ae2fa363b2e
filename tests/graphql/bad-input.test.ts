import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { BatchMarkReadDocument } from '../../src/web/operations/generated.ts';
import { type Person, type TestApp, person, startApp } from '../support/app.ts';
import { badInput, expectClean, refusalOf, run, send } from './operations.ts';

let app: TestApp;
let me: Person;

beforeAll(async () => {
  app = await startApp();
  me = person();
});

afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

describe('notifications refuses', () => {
  const ask = (variables: object) =>
    app.graphql(
      'query ($first: Int, $last: Int, $after: String, $before: String, $filter: NotificationFilter) {' +
        ' notifications(first: $first, last: $last, after: $after, before: $before, filter: $filter) { totalCount } }',
      { token: me.token, variables },
    );

  test.each<[string, object]>([
    ['first', { first: 0 }],
    ['first', { first: -1 }],
    ['first', { first: 101 }],
    ['first', { first: 2 ** 31 }],
    ['first', { first: 1.5 }],
    ['first', { first: '1' }],
    ['last', { last: 0 }],
    ['last', { last: -1 }],
    ['last', { last: 101 }],
    ['last', { first: 1, last: 1 }],
    ['types', { filter: { types: ['NEWS'] } }],
    ['priorities', { filter: { priorities: [null] } }],
    ['unread', { filter: { unread: 'yes' } }],
    ['filter', { filter: 'unread' }],
  ])('a wrong %s: %j', async (field, variables) => {
    const answer = await ask(variables);
    expect(refusalOf(answer)).toEqual(badInput(field));
    expectClean(answer);
  });

  test.each(['after', 'before'])('what is no cursor of this inbox as %s', async (argument) => {
    const who = person();
    const { cursor } = await send(app, who);
    const epoch = cursor.slice(0, 11);
    const garbled = ['', 'x', 'a\0b', '\ud800', cursor.toUpperCase(), `${cursor} `, cursor.slice(1), `${epoch}01`];
    const future = [`${epoch}2`, `${epoch}zzzzzzzzzz`, `${epoch}zzzzzzzzzzz`];
    const foreign = [(await send(app, person())).cursor, `${'-'.repeat(11)}1`];
    for (const wrong of [...garbled, ...future, ...foreign]) {
      const answer = await app.graphql(
        `query ($cursor: String) { notifications(${argument}: $cursor) { edges { cursor } } }`,
        { token: who.token, variables: { cursor: wrong } },
      );
      expect([wrong, refusalOf(answer)]).toEqual([wrong, badInput(argument)]);
      expectClean(answer);
    }
  });
});

describe('batchMarkRead refuses', () => {
  test.each<[string, unknown]>([
    ['no ids', []],
    ['1,001 ids', Array.from({ length: 1001 }, () => 'x')],
    ['null among ids', [null]],
    ['an object among ids', [{}]],
    ['no list', null],
  ])('%s', async (_what, ids) => {
    const answer = await app.graphql('mutation ($ids: [ID!]!) { batchMarkRead(ids: $ids) { count } }', {
      token: me.token,
      variables: { ids },
    });
    expect(refusalOf(answer)).toEqual(badInput('ids'));
    expectClean(answer);
  });

  test('and takes 1,000, of which most are nobody’s', async () => {
    const who = person();
    const { id } = await send(app, who);
    const ids = [...Array.from({ length: 998 }, (_, n) => String(n)), id, id];
    expect(await run(app, who, BatchMarkReadDocument, { ids })).toEqual({
      batchMarkRead: { count: 1, unreadCount: 0 },
    });
  });
});
