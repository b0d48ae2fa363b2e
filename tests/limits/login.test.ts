import { availableParallelism } from 'node:os';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { asEveryTenant } from '../../src/scope.ts';
import type { TestApp } from '../support/app.ts';

/** The real hash takes its time, and is not what these tests are about. Each test may hold it up. */
const gate: { atOnce: number; most: number; open: Promise<void> } = { atOnce: 0, most: 0, open: Promise.resolve() };
jest.unstable_mockModule('../../src/services/password.ts', () => ({
  hashPassword: async (password: string) => password,
  nobodysHash: () => 'nobody',
  isOutdated: () => false,
  verifyPassword: async (password: string, hash: string) => {
    gate.atOnce += 1;
    gate.most = Math.max(gate.most, gate.atOnce);
    await gate.open;
    gate.atOnce -= 1;
    return password === hash;
  },
}));
const { TENANT, startApp } = await import('../support/app.ts');
const { eventually } = await import('../support/eventually.ts');
const { startRedis } = await import('../support/redis.ts');
const { createTestDatabase } = await import('../support/postgres.ts');
const { temporaryDirectory } = await import('../support/temporary.ts');
const { scrape } = await import('../metrics/support.ts');
const { rm } = await import('node:fs/promises');

const password = 'correct horse battery staple';

const addUser = (to: TestApp, username: string) =>
  asEveryTenant(() => to.app.context.users.add({ tenantId: TENANT, username, password, roles: [] }));

const login = (to: TestApp, username: string, given = 'wrong', from = '192.0.2.1') =>
  to.rest('POST', '/api/v1/auth/login', {
    body: { username, password: given },
    headers: { 'x-forwarded-for': from },
  });

/** The seconds that the next login of that name has to wait; `undefined` when it need not. */
async function waitOf(to: TestApp, username: string, from?: string): Promise<number | undefined> {
  const { status, headers } = await login(to, username, 'wrong', from);
  return status === 429 ? Number(headers.get('retry-after')) : undefined;
}

/** Fails as soon as that is possible again, and answers with how long the next one would have to wait. */
async function failAgain(to: TestApp, username: string): Promise<number | undefined> {
  await eventually(async () => (await login(to, username)).status === 401, 10_000);
  return waitOf(to, username);
}

const quick = { LOGIN_WINDOW: '1s', TRUSTED_PROXIES: 'loopback' };

describe('waits after failed logins', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp({ env: { ...quick, LOGIN_ATTEMPTS: '2', LOGIN_ATTEMPTS_PER_ADDRESS: '1000' } });
  });
  afterAll(async () => app[Symbol.asyncDispose]());

  test('double with each further failure', async () => {
    expect((await login(app, 'nobody')).status).toBe(401);
    expect(await failAgain(app, 'nobody')).toBe(1);
    expect(await failAgain(app, 'nobody')).toBe(2);
    expect(await failAgain(app, 'nobody')).toBe(4);
  });

  test('end with a success, after which the name has all its attempts again', async () => {
    await addUser(app, 'ann');
    expect((await login(app, 'ann')).status).toBe(401);
    expect(await failAgain(app, 'ann')).toBe(1);
    await eventually(async () => (await login(app, 'ann', password)).status === 200);
    expect((await login(app, 'ann')).status).toBe(401);
    expect(await failAgain(app, 'ann')).toBe(1);
  });

  test('are not for failures that are far apart', async () => {
    expect((await login(app, 'rare')).status).toBe(401);
    // The window of that failure is over when that of one before it is.
    await login(app, 'clock');
    await eventually(async () => (await waitOf(app, 'clock')) !== undefined);
    await eventually(async () => (await login(app, 'clock')).status === 401);
    expect((await login(app, 'rare')).status).toBe(401);
    expect((await login(app, 'rare')).status).toBe(401);
  });

  test('are never longer than a day', async () => {
    await using slow = await startApp({ env: { LOGIN_WINDOW: '24h', LOGIN_ATTEMPTS: '1' } });
    expect((await login(slow, 'nobody')).status).toBe(401);
    const wait = await waitOf(slow, 'nobody');
    expect(wait).toBeGreaterThan(86_300);
    expect(wait).toBeLessThanOrEqual(86_400);
  });
});

describe('failures from one address', () => {
  let app: TestApp;
  beforeEach(async () => {
    app = await startApp({
      env: { TRUSTED_PROXIES: 'loopback', LOGIN_ATTEMPTS: '10', LOGIN_ATTEMPTS_PER_ADDRESS: '3', LOGIN_WINDOW: '15m' },
    });
  });
  afterEach(async () => app[Symbol.asyncDispose]());

  test('count whatever the names, and refuse the right password too', async () => {
    await addUser(app, 'bob');
    for (const name of ['a', 'b', 'c']) expect((await login(app, name)).status).toBe(401);
    expect((await login(app, 'bob', password)).status).toBe(429);
    expect((await login(app, 'bob', password, '192.0.2.2')).status).toBe(200);
    expect((await scrape(app.url)).value('carillon_rate_limited_total', { limit: 'login_address' })).toBe(1);
  });

  test('are not forgiven by a success', async () => {
    await addUser(app, 'eve');
    for (const name of ['a', 'b']) expect((await login(app, name)).status).toBe(401);
    expect((await login(app, 'eve', password)).status).toBe(200);
    expect((await login(app, 'c')).status).toBe(401);
    expect((await login(app, 'eve', password)).status).toBe(429);
  });

  test('are of one /64', async () => {
    for (const host of ['1', '2', '3']) expect((await login(app, host, 'wrong', `2001:db8::${host}`)).status).toBe(401);
    expect((await login(app, 'd', 'wrong', '2001:db8::4')).status).toBe(429);
  });
});

/** No more than there are cores. */
const AT_ONCE = Math.min(2, availableParallelism());

describe('logins at the same moment', () => {
  test('have two passwords checked at once; of the others some dozens wait, and the rest is refused', async () => {
    await using app = await startApp({ env: { TRUSTED_PROXIES: 'loopback', LOGIN_ATTEMPTS_PER_ADDRESS: '1000' } });
    const { promise, resolve } = Promise.withResolvers<void>();
    gate.open = promise;
    gate.most = 0;
    const answers: number[] = [];
    const all = Array.from({ length: 100 }, async (_, n) => {
      const { status } = await login(app, `user ${n}`);
      answers.push(status);
    });
    // Those that are refused are told while the others wait.
    await eventually(() => answers.length === 36);
    expect(new Set(answers)).toEqual(new Set([429]));
    expect(gate.atOnce).toBe(AT_ONCE);
    resolve();
    await Promise.all(all);
    expect(gate.most).toBe(AT_ONCE);
    expect(answers.filter((status) => status === 401)).toHaveLength(64);
    expect((await login(app, 'user 1')).status).toBe(401);
  });
});

describe('with Redis', () => {
  let resources: AsyncDisposableStack;
  let redis: Awaited<ReturnType<typeof startRedis>>;
  let one: TestApp;
  let other: TestApp;
  beforeEach(async () => {
    resources = new AsyncDisposableStack();
    const directory = await temporaryDirectory('carillon-login-');
    resources.defer(() => rm(directory, { recursive: true, force: true }));
    redis = await startRedis(directory);
    resources.defer(() => redis[Symbol.asyncDispose]());
    const { url: databaseUrl } = resources.use(await createTestDatabase());
    const env = { REDIS_URL: redis.url, LOGIN_ATTEMPTS: '3', LOGIN_WINDOW: '3s', TRUSTED_PROXIES: 'loopback' };
    one = resources.use(await startApp({ databaseUrl, env }));
    other = resources.use(await startApp({ databaseUrl, env }));
  });
  afterEach(async () => resources.disposeAsync());

  test('instances count failures together, and a success forgives them on all', async () => {
    await addUser(one, 'ann');
    for (const at of [one, other]) expect((await login(at, 'ann')).status).toBe(401);
    expect((await login(other, 'ann', password)).status).toBe(200);
    for (const at of [one, other, one]) expect((await login(at, 'ann')).status).toBe(401);
    for (const at of [one, other]) expect(await waitOf(at, 'ann')).toBeLessThanOrEqual(3);
    expect(await failAgain(other, 'ann')).toBeGreaterThan(3);
    expect(await waitOf(one, 'ann')).toBeGreaterThan(3);
  });

  test('that says nothing is not waited for, login after login', async () => {
    process.kill(redis.pid, 'SIGSTOP');
    try {
      for (let n = 0; n < 3; n++) expect((await login(one, 'ann')).status).toBe(401);
      expect((await login(one, 'ann')).status).toBe(429);
      expect((await login(other, 'ann')).status).toBe(401);
    } finally {
      process.kill(redis.pid, 'SIGCONT');
    }
  });

  test('that is away each instance counts for itself', async () => {
    await redis[Symbol.asyncDispose]();
    for (let n = 0; n < 3; n++) expect((await login(one, 'ann')).status).toBe(401);
    expect((await login(one, 'ann')).status).toBe(429);
    expect((await login(other, 'ann')).status).toBe(401);
  });
});
