import { afterAll, beforeAll, expect, test } from '@jest/globals';
import {
  MarkReadDocument,
  NotificationsDocument,
  type NotificationsQueryVariables,
} from '../../src/web/operations/generated.ts';
import { type Person, type TestApp, person, startApp } from '../support/app.ts';
import { type Connection, idsIn, idsOf, shapeOf } from './connection.ts';
import { type Sent, run, send } from './operations.ts';

let app: TestApp;
let me: Person;
let alert: Sent;
let task: Sent;
let urgentTask: Sent;

beforeAll(async () => {
  app = await startApp();
  me = person();
  alert = await send(app, me, { type: 'ALERT', priority: 'HIGH' });
  task = await send(app, me, { type: 'TASK' });
  urgentTask = await send(app, me, { type: 'TASK', priority: 'URGENT' });
  await run(app, me, MarkReadDocument, { id: task.id });
});

afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

const list = async (variables: NotificationsQueryVariables): Promise<Connection> =>
  (await run(app, me, NotificationsDocument, variables)).notifications;

const cases: [string, NotificationsQueryVariables['filter'], () => Sent[], unread: number][] = [
  ['no filter', null, () => [urgentTask, task, alert], 2],
  ['an empty filter', {}, () => [urgentTask, task, alert], 2],
  ['nulls', { unread: null, types: null, priorities: null }, () => [urgentTask, task, alert], 2],
  ['unread', { unread: true }, () => [urgentTask, alert], 2],
  ['read', { unread: false }, () => [task], 0],
  ['a type', { types: ['TASK'] }, () => [urgentTask, task], 1],
  ['two types', { types: ['TASK', 'ALERT'] }, () => [urgentTask, task, alert], 2],
  ['a type that is not there', { types: ['MESSAGE'] }, () => [], 0],
  ['an empty list of types', { types: [] }, () => [], 0],
  ['a priority', { priorities: ['URGENT'] }, () => [urgentTask], 1],
  ['two priorities', { priorities: ['URGENT', 'NORMAL'] }, () => [urgentTask, task], 1],
  ['everything at once', { unread: true, types: ['TASK'], priorities: ['URGENT', 'HIGH'] }, () => [urgentTask], 1],
];

test.each(cases)('%s narrows the page and both counts', async (_name, filter, expected, unread) => {
  const page = await list({ filter });
  expect(idsIn(page)).toEqual(idsOf(expected()));
  expect(page).toMatchObject({ totalCount: expected().length, unreadCount: unread });
  const { data } = await app.graphql('query ($filter: NotificationFilter) { unreadCount(filter: $filter) }', {
    token: me.token,
    variables: { filter },
  });
  expect(data.unreadCount).toBe(unread);
});

test('page info speaks of what matches the filter', async () => {
  const filter = { types: ['TASK'] } as const;
  const first = await list({ first: 1, filter });
  expect(shapeOf(first)).toEqual([1, true, false]);
  expect(shapeOf(await list({ first: 1, after: first.pageInfo.endCursor, filter }))).toEqual([1, false, true]);
  expect(shapeOf(await list({ last: 1, filter: { types: ['ALERT'] } }))).toEqual([1, false, false]);
  expect(shapeOf(await list({ first: 9, after: alert.cursor, filter }))).toEqual([0, false, true]);
});
