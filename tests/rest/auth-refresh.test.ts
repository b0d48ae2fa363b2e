import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { asEveryTenant } from '../../src/scope.ts';
import type { TestApp } from '../support/app.ts';
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

const password = 'correct horse battery staple';
const REFUSED = [401, 'UNAUTHENTICATED'] as const;

let app: TestApp;
const username = 'ann';
const addUser = (name: string) =>
  asEveryTenant(() => app.app.context.users.add({ tenantId: TENANT, username: name, password, roles: [] }));
beforeAll(async () => {
  app = await startApp({ env: { PG_POOL_MAX: '5' } });
  await addUser(username);
});
afterAll(async () => app[Symbol.asyncDispose]());

const login = async (name = username) => {
  const { body } = await app.rest('POST', '/api/v1/auth/login', { body: { username: name, password } });
  return body.refresh_token as string;
};
const refresh = (token: unknown, name = 'refresh_token') =>
  app.rest('POST', '/api/v1/auth/refresh', { body: { [name]: token } });
const refreshed = async (token: string) => {
  const { status, body } = await refresh(token);
  expect(status).toBe(200);
  return body.refresh_token as string;
};
const query = <Row extends object>(text: string, values: unknown[] = []) =>
  withClient(app.databaseUrl, async (client) => (await client.query<Row>(text, values)).rows);

describe('a refresh', () => {
  test('answers as login does, with new tokens', async () => {
    const first = await app.rest('POST', '/api/v1/auth/login', { body: { username, password } });
    const second = await refresh(first.body.refresh_token);
    expect(second.status).toBe(200);
    expect(second.headers.get('cache-control')).toBe('no-store');
    expect(second.body).toEqual({
      ...first.body,
      access_token: expect.any(String),
      refresh_token: expect.stringMatching(/^[\w-]{43}$/),
    });
    expect(second.body.refresh_token).not.toBe(first.body.refresh_token);
    const token = second.body.access_token;
    expect((await app.rest('GET', '/api/v1/notifications', { token })).status).toBe(200);
  });

  test('goes on, one after the other', async () => {
    let token = await login();
    for (let times = 0; times < 5; times++) token = await refreshed(token);
  });

  test('takes refreshToken as well', async () => {
    expect((await refresh(await login(), 'refreshToken')).status).toBe(200);
  });

  test('has the roles that the user has by then', async () => {
    const token = await login();
    await query(`update app_user set roles = '{admin}' where username = $1`, [username]);
    expect((await refresh(token)).body.user.roles).toEqual(['admin']);
  });
});

describe('a refresh token that comes a second time', () => {
  test('ends the whole family, the newest token too', async () => {
    const first = await login();
    const second = await refreshed(first);
    const third = await refreshed(second);
    expectRefusal(await refresh(first), REFUSED);
    for (const token of [third, second, first]) expectRefusal(await refresh(token), REFUSED);
  });

  test('leaves other logins of the user alone', async () => {
    const [stolen, other] = [await login(), await login()];
    await refreshed(stolen);
    expectRefusal(await refresh(stolen), REFUSED);
    await refreshed(other);
  });

  test('at the same moment wins once at most, and what was won ends with the family', async () => {
    for (let round = 0; round < 5; round++) {
      const token = await login();
      const answers = await Promise.all(Array.from({ length: 20 }, () => refresh(token)));
      const won = answers.filter(({ status }) => status === 200);
      expect(won).toHaveLength(1);
      for (const answer of answers) if (!won.includes(answer)) expectRefusal(answer, REFUSED);
      expectRefusal(await refresh(won[0]?.body.refresh_token), REFUSED);
    }
  });

  test('while the newest is being used ends that one’s offspring as well', async () => {
    for (let round = 0; round < 20; round++) {
      const first = await login();
      const second = await refreshed(first);
      const [replayed, next] = await Promise.all([refresh(first), refresh(second)]);
      expectRefusal(replayed, REFUSED);
      if (next.status === 200) expectRefusal(await refresh(next.body.refresh_token), REFUSED);
      else expectRefusal(next, REFUSED);
    }
  });
});

describe('a refresh is refused', () => {
  test('after the token has expired', async () => {
    const token = await login();
    await query(`update refresh_token set expires_at = now() - interval '1 second'`);
    expectRefusal(await refresh(token), REFUSED);
  });

  test('after the user was removed, and when somebody else has the name', async () => {
    await addUser('leaver');
    const token = await login('leaver');
    const later = await refreshed(await login('leaver'));
    await asEveryTenant(() => app.app.context.users.remove(TENANT, 'leaver'));
    expectRefusal(await refresh(token), REFUSED);
    await addUser('leaver');
    expectRefusal(await refresh(later), REFUSED);
  });

  test.each(['x', 'a'.repeat(43), '\0', '\ud800', ' '])('for a token that never was: %j', async (token) => {
    const answer = await refresh(token);
    expectRefusal(answer, REFUSED);
    expect(answer.body.message).toBe('The refresh token is not valid.');
  });

  test.each([undefined, null, '', 5, ['x'], 'a'.repeat(1025)])('for what is no token at all', async (token) => {
    expectRefusal(await refresh(token), [400, 'BAD_USER_INPUT', 'refresh_token']);
  });

  test('for an access token', async () => {
    const { body } = await app.rest('POST', '/api/v1/auth/login', { body: { username, password } });
    expectRefusal(await refresh(body.access_token), REFUSED);
  });
});

describe('the table of refresh tokens', () => {
  test('does not hold the tokens themselves', async () => {
    const token = await login();
    const rows = await query('select * from refresh_token');
    expect(JSON.stringify(rows)).not.toContain(token);
  });

  test('forgets those that have expired, and only those', async () => {
    const [old, current] = [await login(), await login()];
    await refreshed(old);
    await query(`update refresh_token set expires_at = now() - interval '1 second' where used_at is not null`);
    await asEveryTenant(() => app.app.context.sessions.purge());
    expect(await query('select 1 from refresh_token where expires_at < now()')).toEqual([]);
    await refreshed(current);
  });
});
