import { afterAll, beforeAll, beforeEach, expect, jest, test } from '@jest/globals';
import type { TestApp } from '../support/app.ts';
import { ofEveryTenant } from '../support/every-tenant.ts';

const real = await import('../../src/services/password.ts');
const verifyPassword = jest.fn(real.verifyPassword);
jest.unstable_mockModule('../../src/services/password.ts', () => ({ ...real, verifyPassword }));
const { TENANT, startApp } = await import('../support/app.ts');

const password = 'correct horse battery staple';

let app: TestApp;
beforeAll(async () => {
  app = await startApp();
  const users = ofEveryTenant(app.app.context.users);
  await users.add({ tenantId: TENANT, username: 'ann', password, roles: [] });
  await users.add({ tenantId: 'globex', username: 'ann', password, roles: [] });
});
afterAll(async () => app[Symbol.asyncDispose]());
beforeEach(() => {
  verifyPassword.mockClear();
});

/** The settings of a hash, on which the time of a verification depends. */
const settingsOf = (hash: string) => hash.split('$').slice(0, 4).join('$');

test.each<[string, object]>([
  ['a wrong password', { username: 'ann', tenant_id: TENANT, password: 'wrong' }],
  ['an unknown user', { username: 'nobody', password }],
  ['an unknown tenant', { username: 'ann', tenant_id: 'initech', password }],
  ['a name that several tenants have', { username: 'ann', password }],
  ['a name that cannot be', { username: 'ann\0', password }],
])('%s costs one verification against a hash of the usual settings', async (_, body) => {
  const { status } = await app.rest('POST', '/api/v1/auth/login', { body });
  expect(status).toBe(401);
  expect(verifyPassword).toHaveBeenCalledTimes(1);
  const [, hash] = verifyPassword.mock.calls[0] as [string, string];
  expect(settingsOf(hash)).toBe(settingsOf(await real.hashPassword('any')));
});

test('with the password that stands in for nobody’s, nobody is logged in', async () => {
  verifyPassword.mockResolvedValue(true);
  const { status } = await app.rest('POST', '/api/v1/auth/login', { body: { username: 'nobody', password } });
  verifyPassword.mockReset();
  expect(status).toBe(401);
});
