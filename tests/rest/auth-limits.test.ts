import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { asEveryTenant } from '../../src/scope.ts';
import type { TestApp } from '../support/app.ts';

// The real hash takes its time, and is not what these tests are about.
jest.unstable_mockModule('../../src/services/password.ts', () => ({
  hashPassword: async (password: string) => password,
  nobodysHash: () => 'nobody',
  isOutdated: () => false,
  verifyPassword: async (password: string, hash: string) => password === hash,
}));
const { TENANT, startApp } = await import('../support/app.ts');

const path = '/api/v1/auth/login';
const password = 'correct horse battery staple';
const env = { LOGIN_ATTEMPTS: '2', LOGIN_WINDOW: '15m' };

let app: TestApp;
beforeAll(async () => {
  app = await startApp({ env });
});
afterAll(async () => app[Symbol.asyncDispose]());

const addUser = (to: TestApp, username: string) =>
  asEveryTenant(() => to.app.context.users.add({ tenantId: TENANT, username, password, roles: [] }));
const login = (to: TestApp, username: string, given: string) =>
  to.rest('POST', path, { body: { username, password: given } });
const statuses = async (logins: Iterable<ReturnType<typeof login>>) =>
  (await Promise.all(logins)).map(({ status }) => status);

describe('after LOGIN_ATTEMPTS failures for one name', () => {
  test('every login is refused until LOGIN_WINDOW has passed, the right one too', async () => {
    await addUser(app, 'ann');
    for (let attempt = 1; attempt <= 2; attempt++) expect((await login(app, 'ann', 'wrong')).status).toBe(401);
    for (const given of ['wrong', password]) {
      const { status, headers, body } = await login(app, 'ann', given);
      const retryAfter = Number(headers.get('retry-after'));
      expect(status).toBe(429);
      expect(retryAfter).toBeGreaterThan(0);
      expect(retryAfter).toBeLessThanOrEqual(900);
      expect(body).toMatchObject({ code: 429, reason: 'RATE_LIMITED', metadata: { retry_after: retryAfter } });
    }
  });

  test('which does not tell whether there is such a user', async () => {
    for (let attempt = 1; attempt <= 2; attempt++) expect((await login(app, 'nobody', 'wrong')).status).toBe(401);
    expect((await login(app, 'nobody', 'wrong')).status).toBe(429);
  });

  test('others still log in', async () => {
    await addUser(app, 'bob');
    expect((await login(app, 'bob', password)).status).toBe(200);
  });
});

test('failures at the same moment are counted one by one', async () => {
  await addUser(app, 'carol');
  const all = await statuses(Array.from({ length: 6 }, () => login(app, 'carol', 'wrong')));
  expect(all.filter((status) => status === 401)).toHaveLength(2);
  expect(all.filter((status) => status === 429)).toHaveLength(4);
});

test('successes at the same moment are not limited, and forgive earlier failures', async () => {
  await addUser(app, 'dave');
  expect((await login(app, 'dave', 'wrong')).status).toBe(401);
  const right = await statuses(Array.from({ length: 3 }, () => login(app, 'dave', password)));
  expect(right).toEqual(Array(3).fill(200));
  for (let attempt = 1; attempt <= 2; attempt++) expect((await login(app, 'dave', 'wrong')).status).toBe(401);
  expect((await login(app, 'dave', 'wrong')).status).toBe(429);
});

test('a failure of the database is not counted against a name', async () => {
  await addUser(app, 'erin');
  const { users } = app.app.context;
  const gone = Object.assign(new Error('gone'), { code: '57P01' });
  const byName = jest.spyOn(users, 'byName').mockRejectedValue(gone);
  const during = await statuses(Array.from({ length: 3 }, () => login(app, 'erin', password)));
  byName.mockRestore();
  expect(during).toEqual(Array(3).fill(503));
  expect((await login(app, 'erin', password)).status).toBe(200);
});

test('RATE_LIMITS=off lifts the limit', async () => {
  await using unlimited = await startApp({ env: { ...env, RATE_LIMITS: 'off' } });
  await addUser(unlimited, 'ann');
  const wrong = await statuses(Array.from({ length: 3 }, () => login(unlimited, 'ann', 'wrong')));
  expect(wrong).toEqual(Array(3).fill(401));
  expect((await login(unlimited, 'ann', password)).status).toBe(200);
});
