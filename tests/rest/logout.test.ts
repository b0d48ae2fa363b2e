import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { asEveryTenant } from '../../src/scope.ts';
import type { TestApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { withClient } from '../support/postgres.ts';
import { expectRefusal } from './expect-refusal.ts';

// The real hash takes its time, and is not what these tests are about.
jest.unstable_mockModule('../../src/services/password.ts', () => ({
  hashPassword: async (password: string) => password,
  nobodysHash: () => 'nobody',
  isOutdated: () => false,
  verifyPassword: async (password: string, hash: string) => password === hash,
}));
const { TENANT, startApp } = await import('../support/app.ts');
const { refusalOf } = await import('../support/socket-client.ts');
const { openGraphQL } = await import('../sockets/connect.ts');
const { allEventsOf, subscribeByPost } = await import('../graphql/event-stream.ts');

const password = 'correct horse battery staple';
const username = 'ann';
const REFUSED = [401, 'UNAUTHENTICATED'] as const;

interface Login {
  access_token: string;
  refresh_token: string;
}

let app: TestApp;
beforeAll(async () => {
  app = await startApp();
  await asEveryTenant(() => app.app.context.users.add({ tenantId: TENANT, username, password, roles: [] }));
});
afterAll(async () => app[Symbol.asyncDispose]());

const post = (door: 'login' | 'refresh' | 'logout', body: unknown) =>
  app.rest('POST', `/api/v1/auth/${door}`, { body });
const login = async () => (await post('login', { username, password })).body as Login;
const logout = (refreshToken: string) => post('logout', { refresh_token: refreshToken });
const list = (token: string) => app.rest('GET', '/api/v1/notifications', { token });
const SUCCESS = [200, { success: true }];
const query = (text: string) => withClient(app.databaseUrl, (client) => client.query(text));

/** What each door says to an access token: the status, or the code, with which it lets in or refuses. */
async function answersTo(token: string) {
  const graphql = await app.graphql('{ unreadCount }', { token });
  const stream = await subscribeByPost(app, { id: '', tenantId: '', token });
  await stream.body?.cancel();
  await using socket = await openGraphQL(app);
  socket.send({ type: 'connection_init', payload: { token } });
  const answer = await Promise.race([socket.next().then(({ type }) => type as string), socket.closed]).catch(
    () => socket.closed,
  );
  const legacy = await refusalOf(app.legacySocketUrl(), { token }).catch(() => ({ status: 101 }));
  return {
    rest: (await list(token)).status,
    graphql: graphql.errors?.[0]?.extensions['code'] ?? 'let in',
    stream: stream.status,
    graphqlSocket: typeof answer === 'string' ? answer : answer.code,
    legacySocket: legacy.status,
  };
}
const letIn = { rest: 200, graphql: 'let in', stream: 200, graphqlSocket: 'connection_ack', legacySocket: 101 };
const refused = { rest: 401, graphql: 'UNAUTHENTICATED', stream: 401, graphqlSocket: 4403, legacySocket: 401 };

describe('a logout', () => {
  test('ends the session’s access token on every door and its refresh token; the user’s other sessions go on', async () => {
    const [mine, others] = [await login(), await login()];
    expect(await answersTo(mine.access_token)).toEqual(letIn);
    const { status, body } = await logout(mine.refresh_token);
    expect([status, body]).toEqual(SUCCESS);
    expect(await answersTo(mine.access_token)).toEqual(refused);
    expectRefusal(await post('refresh', { refresh_token: mine.refresh_token }), REFUSED);
    expect(await answersTo(others.access_token)).toEqual(letIn);
    expect((await post('refresh', { refresh_token: others.refresh_token })).status).toBe(200);
  });

  test('ends the access tokens of before and after a refresh, with whichever refresh token it comes', async () => {
    for (const which of ['used', 'newest'] as const) {
      const first = await login();
      const second = (await post('refresh', { refresh_token: first.refresh_token })).body as Login;
      await logout(which === 'used' ? first.refresh_token : second.refresh_token);
      for (const { access_token: token } of [first, second]) expect((await list(token)).status).toBe(401);
      expectRefusal(await post('refresh', { refresh_token: second.refresh_token }), REFUSED);
    }
  });

  test('with a token that is unknown, or whose session is over, is a success: there is nothing left to end', async () => {
    const { refresh_token: token } = await login();
    for (const each of ['unknown', 'x'.repeat(1024), token, token]) {
      const { status, body } = await logout(each);
      expect([status, body]).toEqual(SUCCESS);
    }
  });

  test('takes refreshToken as well, and needs no access token', async () => {
    const mine = await login();
    expect((await post('logout', { refreshToken: mine.refresh_token })).status).toBe(200);
    expect((await list(mine.access_token)).status).toBe(401);
  });

  test.each([{}, { refresh_token: 1 }, { refresh_token: '' }, { refresh_token: 'x'.repeat(1025) }])(
    'without a token in its body is bad input: %#',
    async (body) => expectRefusal(await post('logout', body), [400, 'BAD_USER_INPUT', 'refresh_token']),
  );

  test('ends an event stream, too, that is being made at that moment', async () => {
    const mine = await login();
    const { hub } = app.app.context;
    const listen = hub.listen.bind(hub);
    hub.listen = async (...args) => {
      hub.listen = listen;
      await logout(mine.refresh_token);
      return listen(...args);
    };
    const stream = await subscribeByPost(app, { id: '', tenantId: '', token: mine.access_token });
    expect(stream.status).toBe(401);
    const told = (await allEventsOf(stream)).flatMap(({ result }) => result?.errors ?? []);
    expect(told.map(({ extensions }) => extensions['code'])).toEqual(['UNAUTHENTICATED']);
    await eventually(() => app.app.doors.connections.size === 0 && hub.feedCount === 0);
  });

  test('of twenty at once ends the session once for all, whatever refreshes come between', async () => {
    const mine = await login();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, nth) =>
        nth % 4 === 3 ? post('refresh', { refresh_token: mine.refresh_token }) : logout(mine.refresh_token),
      ),
    );
    for (const { status, body } of answers) {
      expect([200, 401]).toContain(status);
      if (body.access_token) expect((await list(body.access_token)).status).toBe(401);
      if (body.refresh_token) expectRefusal(await post('refresh', body), REFUSED);
    }
    expect((await list(mine.access_token)).status).toBe(401);
  });
});

test('a refresh token that comes a second time ends the access tokens of its session as well', async () => {
  const [first, others] = [await login(), await login()];
  const second = (await post('refresh', { refresh_token: first.refresh_token })).body as Login;
  expectRefusal(await post('refresh', { refresh_token: first.refresh_token }), REFUSED);
  for (const { access_token: token } of [first, second]) expect((await list(token)).status).toBe(401);
  expect((await list(others.access_token)).status).toBe(200);
});

test('an instance that starts later knows what was revoked before', async () => {
  const [mine, others] = [await login(), await login()];
  await logout(mine.refresh_token);
  // As if it had been written long before.
  await query("update revocation set created_at = created_at - interval '20 minutes'");
  await using later = await startApp({ databaseUrl: app.databaseUrl });
  const statuses = [mine, others].map(
    async ({ access_token: token }) => (await later.rest('GET', '/api/v1/notifications', { token })).status,
  );
  expect(await Promise.all(statuses)).toEqual([401, 200]);
});
