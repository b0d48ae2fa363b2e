import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Client, fetchExchange } from '@urql/core';
import {
  DeleteNotificationDocument,
  MarkReadDocument,
  NotificationsDocument,
  type NotificationsQueryVariables,
} from '../../src/web/operations/generated.ts';
import { type Person, type TestApp, person, startApp } from '../support/app.ts';
import { type Connection, idsIn, idsOf, shapeOf } from './connection.ts';
import { type Sent, run, sendMany } from './operations.ts';

const TOTAL = 45;

let app: TestApp;
/** Has `TOTAL` notifications that no test changes. */
let reader: Person;
let newestFirst: string[];

beforeAll(async () => {
  app = await startApp();
  reader = person();
  newestFirst = idsOf(await sendMany(app, reader, TOTAL)).toReversed();
});

afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

const list = async (who: Person, variables: NotificationsQueryVariables): Promise<Connection> =>
  (await run(app, who, NotificationsDocument, variables)).notifications;

function urql(who: Person): (variables: NotificationsQueryVariables) => Promise<Connection> {
  const client = new Client({
    url: app.graphqlUrl,
    exchanges: [fetchExchange],
    preferGetMethod: false,
    requestPolicy: 'network-only',
    fetchOptions: { headers: { authorization: `Bearer ${who.token}` } },
  });
  return async (variables) => {
    const { data, error } = await client.query(NotificationsDocument, variables).toPromise();
    if (!data) throw error ?? new Error('no data');
    return data.notifications;
  };
}

describe('with urql', () => {
  test('forward paging reaches every notification once, newest first, with true counts on each page', async () => {
    const query = urql(reader);
    const pages: Connection[] = [];
    for (let after: string | null = null; ; ) {
      const page: Connection = await query({ first: 20, after });
      pages.push(page);
      after = page.pageInfo.endCursor;
      if (!page.pageInfo.hasNextPage) break;
    }
    expect(pages.map(shapeOf)).toEqual([
      [20, true, false],
      [20, true, true],
      [5, false, true],
    ]);
    expect(pages.flatMap(idsIn)).toEqual(newestFirst);
    for (const page of pages) expect(page).toMatchObject({ totalCount: TOTAL, unreadCount: TOTAL });
  });

  test('backward paging reaches every notification once, each page in the same order', async () => {
    const query = urql(reader);
    const pages: Connection[] = [];
    for (let before: string | null = null; ; ) {
      const page: Connection = await query({ last: 20, before });
      pages.unshift(page);
      before = page.pageInfo.startCursor;
      if (!page.pageInfo.hasPreviousPage) break;
    }
    expect(pages.map(shapeOf)).toEqual([
      [5, true, false],
      [20, true, true],
      [20, false, true],
    ]);
    expect(pages.flatMap(idsIn)).toEqual(newestFirst);
  });
});

test('a page holds 20 unless said otherwise', async () => {
  expect(shapeOf(await list(reader, {}))).toEqual([20, true, false]);
});

test.each<[NotificationsQueryVariables, unknown[]]>([
  [{ first: 45 }, [45, false, false]],
  [{ first: 44 }, [44, true, false]],
  [{ first: 100 }, [45, false, false]],
  [{ last: 45 }, [45, false, false]],
  [{ last: 44 }, [44, false, true]],
  [{ first: 1 }, [1, true, false]],
  [{ last: 1 }, [1, false, true]],
])('%j of 45 is told apart from its neighbours', async (variables, shape) => {
  expect(shapeOf(await list(reader, variables))).toEqual(shape);
});

test('edges, nodes and page info tell of the same notifications', async () => {
  const { data } = await app.graphql(
    '{ notifications(first: 3) { edges { cursor node { id cursor } } nodes { id cursor } pageInfo { startCursor endCursor } } }',
    { token: reader.token },
  );
  const { edges, nodes, pageInfo } = data.notifications;
  expect(idsOf(nodes)).toEqual(newestFirst.slice(0, 3));
  expect(edges).toEqual(nodes.map((node: Sent) => ({ cursor: node.cursor, node })));
  expect(pageInfo).toEqual({ startCursor: nodes[0].cursor, endCursor: nodes[2].cursor });
});

test('an inbox that does not exist yet is an empty page', async () => {
  expect(await list(person(), { first: 10 })).toEqual({
    edges: [],
    pageInfo: { hasNextPage: false, hasPreviousPage: false, startCursor: null, endCursor: null },
    totalCount: 0,
    unreadCount: 0,
  });
});

test('after and before together cut out what lies between', async () => {
  const all = await list(reader, { first: 45 });
  const [after, before] = [all.edges[30]?.cursor ?? '', all.edges[40]?.cursor ?? ''];
  expect(idsIn(await list(reader, { first: 20, after, before: all.edges[0]?.cursor ?? '' }))).toEqual([]);
  expect(idsIn(await list(reader, { first: 20, after, before }))).toEqual(newestFirst.slice(31, 40));
  expect(idsIn(await list(reader, { last: 3, after, before }))).toEqual(newestFirst.slice(37, 40));
});

test('pages stay right while new notifications arrive at the head', async () => {
  const me = person();
  const old = idsOf(await sendMany(app, me, 5)).toReversed();
  const first = await list(me, { first: 2 });
  const fresh = idsOf(await sendMany(app, me, 2)).toReversed();
  const second = await list(me, { first: 2, after: first.pageInfo.endCursor });
  const third = await list(me, { first: 2, after: second.pageInfo.endCursor });

  expect([first, second, third].flatMap(idsIn)).toEqual(old);
  expect(shapeOf(third)).toEqual([1, false, true]);
  expect(third.totalCount).toBe(7);
  expect(idsIn(await list(me, { last: 10, before: first.pageInfo.startCursor }))).toEqual(fresh);
});

test('the cursor of a deleted notification still marks its place', async () => {
  const me = person();
  const [a, b, c, d] = (await sendMany(app, me, 4)) as [Sent, Sent, Sent, Sent];
  await run(app, me, DeleteNotificationDocument, { id: b.id });

  expect(idsIn(await list(me, { first: 5, after: b.cursor }))).toEqual([a.id]);
  expect(idsIn(await list(me, { last: 5, before: b.cursor }))).toEqual([d.id, c.id]);
  expect(shapeOf(await list(me, { first: 5, after: b.cursor }))).toEqual([1, false, true]);
  await run(app, me, DeleteNotificationDocument, { id: a.id });
  expect(shapeOf(await list(me, { last: 5, before: b.cursor }))).toEqual([2, false, false]);
});

test('reading a notification leaves its place and its cursor', async () => {
  const me = person();
  const [a, b] = (await sendMany(app, me, 2)) as [Sent, Sent];
  const { markRead } = await run(app, me, MarkReadDocument, { id: a.id });
  expect(markRead.cursor).toBe(a.cursor);
  expect(idsIn(await list(me, {}))).toEqual([b.id, a.id]);
});
