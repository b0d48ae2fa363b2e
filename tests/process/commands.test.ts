import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { TEST_SECRET, type TestApp, startApp } from '../support/app.ts';
import { runCommand } from './server.ts';

/** Each test starts several processes, which take seconds each where others compete for the machine. */
jest.setTimeout(60_000); // ms

let app: TestApp;
let env: Record<string, string>;

beforeAll(async () => {
  app = await startApp();
  env = { DATABASE_URL: app.databaseUrl, JWT_SECRET: TEST_SECRET };
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

const PASSWORD = 'a long enough password';
const words = (args: string) => args.split(' ').filter(Boolean);
const user = (args: string, input = '') => runCommand('user', words(args), { env, input });
const token = (args: string) => runCommand('token', words(args), { env });
const login = (username: string, password: string) =>
  app.rest('POST', '/api/v1/auth/login', { body: { username, password, tenant_id: 'acme' } });

describe('the user command', () => {
  test('adds somebody who can log in, lists, and removes; the password comes from standard input', async () => {
    const added = await user('add --tenant acme --username bea --password-stdin --role admin --role sender', PASSWORD);
    expect(added).toMatchObject({ code: 0, stderr: '' });
    expect(added.stdout).toMatch(/^added bea to acme, id \S+, roles admin, sender\n$/);
    expect(await login('bea', PASSWORD)).toMatchObject({
      status: 200,
      body: { user: { username: 'bea', tenant_id: 'acme', roles: ['admin', 'sender'] } },
    });
    const { stdout } = await user('list --tenant acme');
    expect(stdout).toMatch(/^bea\t\S+\tadmin,sender\n$/);
    expect(await user('remove --tenant acme --username bea')).toMatchObject({ code: 0, stderr: '' });
    expect((await login('bea', PASSWORD)).status).toBe(401);
    expect(await user('list --tenant acme')).toMatchObject({ code: 0, stdout: '' });
  });

  test('takes one line break off the password, as echo writes it, and nothing else', async () => {
    await user('add --tenant acme --username cal --id c-1 --password-stdin', ` ${PASSWORD} \r\n`);
    expect(await login('cal', ` ${PASSWORD} `)).toMatchObject({ status: 200, body: { user: { id: 'c-1' } } });
    expect((await login('cal', PASSWORD)).status).toBe(401);
  });

  test('exits 1 with one clear line for what cannot be', async () => {
    await user('add --tenant acme --username dan --password-stdin', PASSWORD);
    const failures = await Promise.all([
      user('add --tenant acme --username dan --password-stdin', PASSWORD),
      user('add --tenant acme --username eve --password-stdin', 'short'),
      user('remove --tenant acme --username nobody'),
      runCommand('user', ['list', '--tenant', 'acme'], { env: { ...env, PG_POOL_MAX: 'x' } }),
    ]);
    for (const { code, stdout, stderr } of failures) {
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toMatch(/^[^\n]+\n$/);
    }
  });

  test('exits 2 with the usage for arguments that make no sense, and 0 for --help', async () => {
    const misuses = ['', 'rename', 'add --tenant a --username b', 'remove --tenant a', '--no'];
    for (const { code, stdout, stderr } of await Promise.all(misuses.map((args) => user(args)))) {
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toContain('Usage:');
    }
    expect(await user('--help')).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('Usage:') });
  });
});

describe('the token command', () => {
  test('prints a token, and nothing else, that every door takes', async () => {
    const { code, stdout, stderr } = await token('--tenant acme --user u1 --role admin --ttl 1m');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const printed = stdout.trim();
    expect(printed.split('\n')).toHaveLength(1);
    const claims = JSON.parse(Buffer.from(printed.split('.')[1]!, 'base64url').toString());
    expect(claims).toMatchObject({ user_id: 'u1', sub: 'u1', tenant_id: 'acme', roles: ['admin'] });
    expect(claims.exp - claims.iat).toBe(60);
    expect(await app.rest('GET', '/api/v1/notifications/unread-count', { token: printed })).toMatchObject({
      status: 200,
      body: { count: 0 },
    });
  });

  test('exits 2 with the usage for arguments that make no sense, and 0 for --help', async () => {
    const misuses = ['--tenant a', '--user a', '--tenant a --user b --ttl soon', '--tenant a --user b --nope'];
    for (const { code, stdout, stderr } of await Promise.all(misuses.map(token))) {
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toContain('Usage:');
    }
    expect(await token('--help')).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('Usage:') });
  });

  test('exits 1 when there is nothing to sign with, or the settings are wrong', async () => {
    const args = ['--tenant', 'a', '--user', 'b'];
    const publicKeyOnly = { DATABASE_URL: app.databaseUrl, JWT_JWKS_URL: 'https://issuer.example/jwks' };
    for (const settings of [publicKeyOnly, { ...env, JWT_SECRET: 'short' }]) {
      const { code, stdout, stderr } = await runCommand('token', args, { env: settings });
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toMatch(/^[^\n]*JWT_SECRET[^\n]*\n$/);
    }
  });
});
