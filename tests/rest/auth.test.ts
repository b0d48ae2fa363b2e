import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { withClient } from '../support/postgres.ts';
import { TENANT, type TestApp, startApp } from '../support/app.ts';
import { expectRefusal } from './expect-refusal.ts';
import { ofEveryTenant } from '../support/every-tenant.ts';

const loginPath = '/api/v1/auth/login';
const password = 'correct horse battery staple';
const WRONG = 'The user name or the password is wrong.';

let app: TestApp;
let annId: string;
beforeAll(async () => {
  app = await startApp({ env: { RATE_LIMITS: 'off' } });
  const users = ofEveryTenant(app.app.context.users);
  annId = (await users.add({ tenantId: TENANT, username: 'ann', password, roles: ['sender'] })).id;
  await users.add({ tenantId: TENANT, username: 'twin', password, roles: [] });
  await users.add({ tenantId: 'globex', username: 'twin', password, roles: ['admin'] });
});
afterAll(async () => app[Symbol.asyncDispose]());

const login = (body: unknown) => app.rest('POST', loginPath, { body });

describe('a login', () => {
  test('is answered with two tokens and the user, and no cache may keep it', async () => {
    const answer = await login({ username: 'ann', password });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.body).toEqual({
      access_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      refresh_token: expect.stringMatching(/^[\w-]{43}$/),
      token_type: 'Bearer',
      expires_in: 3600,
      user: { id: annId, username: 'ann', tenant_id: TENANT, roles: ['sender'] },
    });
  });

  test('gives a token that opens REST and GraphQL', async () => {
    const { body } = await login({ username: 'ann', password });
    const token = body.access_token;
    const sent = await app.rest('POST', '/api/v1/notifications', { token, body: { title: 'a', content: 'b' } });
    expect(sent.body).toMatchObject({ user_id: annId, tenant_id: TENANT });
    const seen = await app.graphql('{ unreadCount notifications { nodes { recipientId } } }', { token });
    expect(seen.data).toEqual({ unreadCount: 1, notifications: { nodes: [{ recipientId: annId }] } });
  });

  test.each([[{}], [{ tenant_id: TENANT }], [{ tenantId: TENANT }], [{ tenant_id: '' }], [{ tenant_id: null }]])(
    'may name the tenant: %j',
    async (tenant) => {
      const { status, body } = await login({ username: 'ann', password, ...tenant });
      expect([status, body.user?.tenant_id]).toEqual([200, TENANT]);
    },
  );

  test('replaces a hash of earlier times, which only the right password does', async () => {
    // RFC 7914 section 12, the third test vector, cut to 32 bytes.
    const key = Buffer.from('7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2', 'hex');
    const earlier = `scrypt$16384$8$1$${Buffer.from('SodiumChloride').toString('base64url')}$${key.toString('base64url')}`;
    const old = 'pleaseletmein';
    await ofEveryTenant(app.app.context.users).add({ tenantId: TENANT, username: 'old', password, roles: [] });
    const query = (text: string, values: unknown[] = []) =>
      withClient(app.databaseUrl, async (client) => (await client.query<{ hash: string }>(text, values)).rows);
    const hash = async () =>
      (await query(`select password_hash as hash from app_user where username = 'old'`)).map((row) => row.hash);
    await query(`update app_user set password_hash = $1 where username = 'old'`, [earlier]);

    expectRefusal(await login({ username: 'old', password }), [401, 'UNAUTHENTICATED']);
    expect(await hash()).toEqual([earlier]);
    expect((await login({ username: 'old', password: old })).status).toBe(200);
    expect(await hash()).toEqual([expect.stringMatching(/^\$argon2id\$/)]);
    expect((await login({ username: 'old', password: old })).status).toBe(200);
  });

  test('under a name that several tenants have needs the tenant', async () => {
    expectRefusal(await login({ username: 'twin', password }), [401, 'UNAUTHENTICATED']);
    for (const tenant of [TENANT, 'globex']) {
      const { body } = await login({ username: 'twin', password, tenant_id: tenant });
      expect(body.user.tenant_id).toBe(tenant);
    }
  });

  test('needs no token, and does not mind a bad one', async () => {
    const answer = await app.rest('POST', loginPath, { token: 'garbage', body: { username: 'ann', password } });
    expect(answer.status).toBe(200);
  });
});

describe('wrong credentials', () => {
  test.each<[string, object]>([
    ['a wrong password', { username: 'ann', password: 'wrong' }],
    ['an empty password', { username: 'ann', password: '' }],
    ['a password with something added', { username: 'ann', password: `${password} ` }],
    ['a NUL after the password', { username: 'ann', password: `${password}\0` }],
    ['a name in capitals', { username: 'ANN', password }],
    ['an unknown name', { username: 'nobody', password }],
    ['an empty name', { username: '', password }],
    ['a name of another tenant', { username: 'ann', password, tenant_id: 'globex' }],
    ['a NUL in the name', { username: 'ann\0', password }],
    ['a lone surrogate in the name', { username: '\ud800', password }],
    ['a lone surrogate in the password', { username: 'ann', password: '\ud800' }],
    ['a NUL in the tenant', { username: 'ann', password, tenant_id: '\0' }],
    ['SQL', { username: "ann' or '1'='1", password: "' or '1'='1" }],
  ])('%s: one refusal for all', async (_, credentials) => {
    const answer = await login(credentials);
    expectRefusal(answer, [401, 'UNAUTHENTICATED']);
    expect(answer.body.message).toBe(WRONG);
  });

  test.each<[string, unknown, string]>([
    ['a number for a name', { username: 1, password }, 'username'],
    ['an object for a password', { username: 'ann', password: { $ne: '' } }, 'password'],
    ['a list for a name', { username: ['ann'], password }, 'username'],
    ['a boolean for a tenant', { username: 'ann', password, tenant_id: true }, 'tenant_id'],
    ['no password', { username: 'ann' }, 'password'],
    ['no name', { password }, 'username'],
    ['nothing', undefined, 'body'],
    ['a list', [], 'body'],
    ['a huge name', { username: 'a'.repeat(100_000), password }, 'username'],
    ['a huge password', { username: 'ann', password: 'a'.repeat(100_000) }, 'password'],
    ['a huge tenant', { username: 'ann', password, tenant_id: 'a'.repeat(100_000) }, 'tenant_id'],
  ])('%s is bad input', async (_, credentials, field) => {
    expectRefusal(await login(credentials), [400, 'BAD_USER_INPUT', field]);
  });
});

test('a server that only checks tokens of another issuer has no login', async () => {
  const publicKey =
    '-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEVs/o5+uQbTjL3chynL4wXgUg2R9\nq9UU8I5mEovUf86QZ7kOBIjJwqnzD1omageEHWwHdBO6B+dFabmdT9POxg==\n-----END PUBLIC KEY-----';
  await using checker = await startApp({ env: { JWT_SECRET: '', JWT_PUBLIC_KEY: publicKey } });
  const wrong = { username: 'ann', password };
  expectRefusal(await checker.rest('POST', loginPath, { body: wrong }), [404, 'NOT_FOUND']);
  const refresh = { refresh_token: 'x' };
  expectRefusal(await checker.rest('POST', '/api/v1/auth/refresh', { body: refresh }), [404, 'NOT_FOUND']);
});
