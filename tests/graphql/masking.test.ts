import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { MASKED_MESSAGE } from '../../src/errors.ts';
import { type TestApp, person, startApp } from '../support/app.ts';
import { allEventsOf, subscribeByPost } from './event-stream.ts';

const SECRET = 'select password_hash from app_user -- /srv/carillon/src/secret.ts:7';

let app: TestApp;

beforeAll(async () => {
  app = await startApp();
});

afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

afterEach(() => {
  jest.restoreAllMocks();
});

const failures: [string, 'find' | 'list' | 'unreadCount' | 'send' | 'markRead' | 'batchMarkRead' | 'delete', string][] =
  [
    ['notification', 'find', '{ notification(id: "x") { id } }'],
    ['notifications', 'list', '{ notifications { totalCount } }'],
    ['unreadCount', 'unreadCount', '{ unreadCount }'],
    ['send', 'send', 'mutation { send(input: { title: "a", content: "b" }) { id } }'],
    ['markRead', 'markRead', 'mutation { markRead(id: "x") { id } }'],
    ['batchMarkRead', 'batchMarkRead', 'mutation { batchMarkRead(ids: ["x"]) { count } }'],
    ['delete', 'delete', 'mutation { delete(id: "x") { id } }'],
  ];

const loggedErrors = (): string[] => app.logged.filter((line) => line.includes('"level":50'));

function expectMasked(errors: unknown): void {
  expect(errors).toEqual([expect.objectContaining({ message: MASKED_MESSAGE })]);
  expect(errors).toMatchObject([{ extensions: { code: 'INTERNAL_SERVER_ERROR' } }]);
  expect(JSON.stringify(errors)).not.toMatch(/select|secret|\.ts|stack/);
}

test('an argument that turns out to be null where it may not is the fault of the caller', async () => {
  const query = 'query ($id: ID = "x") { notification(id: $id) { id } }';
  const { errors } = await app.graphql(query, { token: person().token, variables: { id: null } });
  expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' }, path: ['notification'] }]);
});

describe('a failure inside the server', () => {
  test.each(failures)('is masked in %s, and its cause is logged', async (field, method, query) => {
    jest.spyOn(app.app.context.services.notifications, method).mockImplementation(() => {
      throw new TypeError(SECRET);
    });
    const before = loggedErrors().length;
    const { errors } = await app.graphql(query, { token: person().token });
    expectMasked(errors);
    expect(errors).toMatchObject([{ path: [field] }]);
    const logged = loggedErrors().slice(before);
    expect(logged).toHaveLength(1);
    expect(logged[0]).toContain(SECRET);
  });

  test('is masked when what was thrown is no Error', async () => {
    jest.spyOn(app.app.context.services.notifications, 'unreadCount').mockRejectedValue(SECRET);
    expectMasked((await app.graphql('{ unreadCount }', { token: person().token })).errors);
  });

  test('is masked when a result cannot be written as its type', async () => {
    jest.spyOn(app.app.context.services.notifications, 'unreadCount').mockResolvedValue(SECRET as never);
    expectMasked((await app.graphql('{ unreadCount }', { token: person().token })).errors);
  });

  test('is masked when a subscription cannot begin', async () => {
    jest.spyOn(app.app.context.services.notifications, 'additions').mockRejectedValue(new Error(SECRET));
    const events = await allEventsOf(await subscribeByPost(app, person()));
    expect(events.map(({ event }) => event)).toEqual(['next', 'complete']);
    expectMasked(events[0]?.result?.errors);
  });

  test('is masked when a subscription fails on its way', async () => {
    const { notifications } = app.app.context.services;
    const additions = notifications.additions.bind(notifications);
    jest.spyOn(notifications, 'additions').mockImplementation(async (...args) => {
      const listener = await additions(...args);
      listener.fail(new Error(SECRET));
      return listener;
    });
    const events = await allEventsOf(await subscribeByPost(app, person()));
    expect(events.map(({ event }) => event)).toEqual(['next', 'complete']);
    expectMasked(events[0]?.result?.errors);
  });
});
