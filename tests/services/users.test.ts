import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { TENANT, type TestApp, startApp } from '../support/app.ts';
import { withClient } from '../support/postgres.ts';
import type { NewUser, Users } from '../../src/services/users.ts';
import { ofEveryTenant } from '../support/every-tenant.ts';

const password = 'correct horse battery staple';
const user = { tenantId: TENANT, username: 'ann', password, roles: ['sender', 'a.b:c_d-1'] };

let app: TestApp;
let users: Users;
beforeAll(async () => {
  app = await startApp();
  users = ofEveryTenant(app.app.context.users);
});
afterAll(async () => app[Symbol.asyncDispose]());

const refusalOf = (input: NewUser) =>
  users.add(input).then(
    () => undefined,
    (error: unknown) => error,
  );

describe('adding a user', () => {
  test('answers with the record, without the password, which is stored hashed', async () => {
    const added = await users.add(user);
    expect(added).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      tenantId: TENANT,
      username: 'ann',
      roles: user.roles,
    });
    expect(await users.byId(TENANT, added.id)).toEqual(added);
    const stored = await withClient(app.databaseUrl, (client) => client.query('select * from app_user'));
    expect(JSON.stringify(stored.rows)).not.toContain(password);
  });

  test('keeps names apart by tenant, and in each once', async () => {
    await expect(users.add(user)).rejects.toMatchObject({ code: 'CONFLICT', field: 'username' });
    expect((await users.add({ ...user, tenantId: 'globex' })).tenantId).toBe('globex');
  });

  test('of one name at the same moment adds one', async () => {
    const attempts = Array.from({ length: 4 }, () => refusalOf({ ...user, username: 'bob' }));
    const refusals = (await Promise.all(attempts)).filter(Boolean);
    expect(refusals).toHaveLength(3);
    for (const refusal of refusals) expect(refusal).toMatchObject({ code: 'CONFLICT' });
  });

  test('takes an id, once per tenant', async () => {
    await users.add({ ...user, username: 'carol', id: 'c' });
    expect(await refusalOf({ ...user, username: 'carol-2', id: 'c' })).toMatchObject({ code: 'CONFLICT' });
    expect(await refusalOf({ ...user, username: 'carol', tenantId: 'globex', id: 'c' })).toBeUndefined();
  });

  test.each<[string, Partial<NewUser>]>([
    ['username', { username: '' }],
    ['username', { username: 'a'.repeat(129) }],
    ['username', { username: 'a\0' }],
    ['username', { username: '\ud800' }],
    ['tenantId', { tenantId: '' }],
    ['tenantId', { tenantId: 'a'.repeat(129) }],
    ['password', { password: '' }],
    ['password', { password: '1234567' }],
    ['password', { password: 'a'.repeat(1025) }],
    ['password', { password: `${password}\0` }],
    ['roles', { roles: ['a role'] }],
    ['roles', { roles: [''] }],
    ['roles', { roles: ['a'.repeat(65)] }],
    ['id', { id: '' }],
    ['id', { id: 'a'.repeat(129) }],
  ])('refuses a bad %s: %j', async (field, bad) => {
    expect(await refusalOf({ ...user, username: 'dave', ...bad })).toMatchObject({ code: 'BAD_USER_INPUT', field });
    expect(await users.byName('dave')).toBeUndefined();
  });
});

describe('users', () => {
  test('are listed by name, of one tenant', async () => {
    for (const username of ['zoe', 'Adam', 'adam']) await users.add({ ...user, tenantId: 'listed', username });
    const names = (await users.list('listed')).map(({ username }) => username);
    expect(names).toHaveLength(3);
    expect(names.at(-1)).toBe('zoe');
    expect(await users.list('nobody-here')).toEqual([]);
  });

  test('are found by name in a tenant, and in all when only one has it', async () => {
    await users.add({ ...user, tenantId: 'a', username: 'shared' });
    expect(await users.byName('shared')).toMatchObject({
      tenantId: 'a',
      passwordHash: expect.stringMatching(/^\$argon2id\$/),
    });
    await users.add({ ...user, tenantId: 'b', username: 'shared' });
    expect(await users.byName('shared')).toBeUndefined();
    expect(await users.byName('shared', 'b')).toMatchObject({ tenantId: 'b' });
    expect(await users.byName('shared', 'c')).toBeUndefined();
    expect(await users.byName('SHARED', 'b')).toBeUndefined();
  });

  test('are removed with their logins, from their tenant only', async () => {
    const added = await users.add({ ...user, tenantId: 'a', username: 'leaver' });
    await users.add({ ...user, tenantId: 'b', username: 'leaver' });
    const sessions = ofEveryTenant(app.app.context.sessions);
    const { refreshToken } = await sessions.login({ tenantId: 'a', username: 'leaver', password }, '192.0.2.1');
    await users.remove('a', 'leaver');
    await expect(sessions.refresh(refreshToken)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    const { rows } = await withClient(app.databaseUrl, (client) =>
      client.query('select 1 from refresh_token where user_id = $1', [added.id]),
    );
    expect(rows).toEqual([]);
    expect(await users.byName('leaver')).toMatchObject({ tenantId: 'b' });
    await expect(users.remove('a', 'leaver')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
