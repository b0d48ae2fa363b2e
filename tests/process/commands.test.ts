import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { TEST_SECRET, type TestApp, startApp } from '../support/app.ts';
import { runCommand } from './server.ts';

/** Each test starts several processes, which take seconds each where others compete for the machine. */
jest.setTimeout(240_000); // ms

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
    for (const help of ['--help', '-h', 'add -h']) {
      expect(await user(help)).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('Usage:') });
    }
  });

  test('names the argument that is wrong', async () => {
    const cases: [string, number, string][] = [
      ['', 2, 'say one of: add, list, remove'],
      ['rename --tenant a', 2, '"rename" is none of: add, list, remove'],
      ['list more --tenant a', 2, 'unexpected argument "more"'],
      ['list', 2, '--tenant is needed'],
      ['remove --tenant a', 2, '--username is needed'],
      ['list --tenant a --username b', 2, '--username does not go with list'],
      ['list --nope', 2, "Unknown option '--nope'"],
      ['list --tenant', 2, "Option '--tenant <value>' argument missing"],
      ['add --tenant a --username b', 2, '--password-stdin is needed where standard input is no terminal to ask on'],
      [
        'add --tenant acme --username fay --password-stdin --role a/b',
        1,
        '--role must be letters, digits and _ . : - only.',
      ],
      [
        `add --tenant ${'t'.repeat(129)} --username fay --password-stdin`,
        1,
        '--tenant must be at most 128 characters long.',
      ],
    ];
    for (const [args, code, line] of cases) {
      const result = await user(args, PASSWORD);
      expect({ code: result.code, line: result.stderr.split('\n')[0] }).toEqual({ code, line });
    }
    const short = await user('add --tenant acme --username fay --password-stdin', 'short');
    expect(short).toEqual({ code: 1, stdout: '', stderr: 'the password must be at least 8 characters long.\n' });
  });

  test('says in one line why a database cannot be reached, without the password', async () => {
    const { hostname, port, username, password, pathname } = new URL(app.databaseUrl);
    const at = `${hostname}:${port}`;
    const own = pathname.slice(1);
    const cases: [string, string][] = [
      ['postgres://u:hush@127.0.0.1:1/none', 'no connection to none at 127.0.0.1:1: nothing listens there'],
      ['postgres://u:hush@nowhere.invalid/none', 'no connection to none at nowhere.invalid:5432: '],
      [
        `postgres://${username}:${password}@${at}/none`,
        `no connection to none at ${at}: database "none" does not exist`,
      ],
      [`postgres://${username}:hush@${at}/${own}`, `no connection to ${own} at ${at}: password authentication failed`],
    ];
    for (const [url, reason] of cases) {
      const { code, stdout, stderr } = await runCommand('user', words('list --tenant a'), {
        env: { ...env, DATABASE_URL: url },
      });
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toMatch(/^DATABASE_URL: [^\n]+\n$/);
      expect(stderr).toContain(reason);
      expect(stderr).not.toContain('hush');
    }
  });

  test('needs no Redis: nothing that it does is told there', async () => {
    const settings = { ...env, REDIS_URL: 'redis://127.0.0.1:1' };
    expect(await runCommand('user', ['list', '--tenant', 'acme'], { env: settings })).toMatchObject({
      code: 0,
      stderr: '',
    });
  });

  test('says in one line that a folder cannot be used', async () => {
    const settings = { DATA_DIR: '/dev/null/data' };
    const { code, stdout, stderr } = await runCommand('user', ['list', '--tenant', 'acme'], { env: settings });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^[^\n]*\/dev\/null[^\n]*\n$/);
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

  test('names the argument that is wrong', async () => {
    const cases: [string, string][] = [
      ['--user b', '--tenant is needed'],
      ['--tenant a', '--user is needed'],
      ['--tenant a --user b --ttl soon', '--ttl must be a duration such as 500ms, 10s, 5m, 24h or 30d'],
      ['--tenant a --user b --ttl 0s', '--ttl must be at least 1000ms'],
      [`--tenant a --user ${'u'.repeat(129)}`, '--user must be at most 128 characters long'],
      ['--tenant a --user b extra', "Unexpected argument 'extra'"],
    ];
    for (const [args, line] of cases) {
      const { code, stderr } = await token(args);
      expect({ code, line: stderr.split('\n')[0] }).toEqual({ code: 2, line });
    }
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
