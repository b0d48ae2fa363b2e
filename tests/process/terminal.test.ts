import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { runScript } from '../support/script.ts';
import { TEST_SECRET, type TestApp, startApp } from '../support/app.ts';
import { withClient } from '../support/postgres.ts';
import { runCommand } from './server.ts';
import { type Terminal, openTerminal } from './terminal.ts';

/** Each test starts several processes, which take seconds each where others compete for the machine. */
jest.setTimeout(240_000); // ms

const PASSWORD = 'a long enough password';
const ESCAPE = '\x1b';
const CTRL_C = '\x03';

let app: TestApp;
let env: Record<string, string>;

beforeAll(async () => {
  app = await startApp();
  env = { DATABASE_URL: app.databaseUrl, JWT_SECRET: TEST_SECRET };
  for (const username of ['ada', '张三']) {
    const args = ['add', '--tenant', 'show', '--username', username, '--id', `id of ${username}`, '--password-stdin'];
    expect(await runCommand('user', [...args, '--role', 'sender'], { env, input: PASSWORD })).toMatchObject({
      code: 0,
    });
  }
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

const LIST = ['list', '--tenant', 'show'];
const user = (args: readonly string[], more: Record<string, string> = {}): Terminal =>
  openTerminal('src/commands/user.ts', args, { env: { ...env, ...more } });
const login = (username: string, password: string) =>
  app.rest('POST', '/api/v1/auth/login', { body: { username, password, tenant_id: 'show' } });

/** What `stty -a` says of a terminal that shows what is typed, and reads it line by line. */
const isRestored = ({ text }: Terminal): boolean => /(?<!-)\bicanon\b/.test(text) && /(?<!-)\becho\b/.test(text);

describe('a list of users', () => {
  test('is an aligned table with a head on a terminal', async () => {
    await using terminal = user(LIST);
    expect(await terminal.exited).toBe(0);
    expect(terminal.text).toContain(
      'USERNAME  ID          ROLES\nada       id of ada   sender\n张三      id of 张三  sender\n',
    );
    expect(terminal.output).toContain(`${ESCAPE}[1mUSERNAME`);
  });

  test('is lines of values between tabs elsewhere, without colours', async () => {
    const { stdout } = await runCommand('user', LIST, { env });
    expect(stdout).toBe('ada\tid of ada\tsender\n张三\tid of 张三\tsender\n');
  });

  test('has no colours on a terminal with NO_COLOR, or on one that has none', async () => {
    for (const more of [{ NO_COLOR: '1' }, { TERM: 'dumb' }, { FORCE_COLOR: '0' }]) {
      await using terminal = user(LIST, more);
      expect(await terminal.exited).toBe(0);
      expect(terminal.output).not.toContain(ESCAPE);
      expect(terminal.text).toContain('USERNAME  ID');
    }
  });
});

describe('a fault', () => {
  const wrong = ['list', '--tenant'];

  test('is red on a terminal, and anywhere with FORCE_COLOR', async () => {
    await using terminal = user(wrong);
    expect(await terminal.exited).toBe(2);
    expect(terminal.output).toContain(`${ESCAPE}[31mOption '--tenant <value>' argument missing${ESCAPE}[39m`);
    const forced = await runCommand('user', wrong, { env: { ...env, FORCE_COLOR: '1' } });
    expect(forced.stderr).toContain(`${ESCAPE}[31m`);
  });

  test('is plain text elsewhere', async () => {
    expect((await runCommand('user', wrong, { env })).stderr).not.toContain(ESCAPE);
  });
});

describe('the password of a new user', () => {
  const add = (username: string): Terminal => user(['add', '--tenant', 'show', '--username', username]);

  test('is asked for twice on a terminal, which shows nothing of it', async () => {
    await using terminal = add('bea');
    await terminal.shows('Password: ');
    terminal.type(`wrong${'\x7f'.repeat(5)}${PASSWORD}\r`);
    await terminal.shows('The same again: ');
    terminal.type(`${PASSWORD}\r`);
    expect(await terminal.exited).toBe(0);
    expect(terminal.text).toMatch(/^Password: \nThe same again: \nadded bea to show, /);
    expect(terminal.output).not.toContain(PASSWORD);
    expect(isRestored(terminal)).toBe(true);
    expect(await login('bea', PASSWORD)).toMatchObject({ status: 200 });
  });

  test('must be the same both times', async () => {
    await using terminal = add('cal');
    await terminal.shows('Password: ');
    terminal.type(`${PASSWORD}\r`);
    await terminal.shows('The same again: ');
    terminal.type(`${PASSWORD}!\r`);
    expect(await terminal.exited).toBe(1);
    expect(terminal.text).toContain('the two passwords differ\n');
    expect(await login('cal', PASSWORD)).toMatchObject({ status: 401 });
  });

  test.each([
    ['Ctrl-C', CTRL_C, 130, 'stopped before the end'],
    ['the end of the input', '\x04', 1, 'no password was given'],
  ])('is given up by %s, and the terminal shows again what is typed', async (_how, key, code, words) => {
    await using terminal = add('dan');
    await terminal.shows('Password: ');
    terminal.type(`half a pass${key === '\x04' ? '\x15' : ''}${key}`);
    expect(await terminal.exited).toBe(code);
    expect(terminal.text).toContain(words);
    expect(terminal.text).not.toMatch(/half a pass|at .*\.ts:\d/);
    expect(isRestored(terminal)).toBe(true);
  });
});

/** A bar with its share and its time; what is behind it depends on the work. */
const BAR = /━*─* +\d+ % +\d+:\d\d +/;

describe('long work', () => {
  const fillArgs = (rows: number): string[] => ['--tenant', 'bars', '--user', 'uma', '--rows', String(rows)];

  test('shows a progress bar on a terminal, and leaves nothing of it: bench/fill.ts', async () => {
    await using terminal = openTerminal('bench/fill.ts', fillArgs(60_000), { env });
    expect(await terminal.exited).toBe(0);
    expect(terminal.text).toMatch(new RegExp(`${BAR.source}20,000 of 60,000 rows`));
    // The bar is cleared before the result is printed in its place.
    expect(terminal.output).toMatch(/\r\x1b\[2Kadded 60000 notifications/);
  });

  test('shows none elsewhere: bench/fill.ts', async () => {
    const { code, stderr } = await runScript('bench/fill.ts', fillArgs(20_000), { DATABASE_URL: app.databaseUrl });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  test('ends in order at Ctrl-C, and what was done is whole: bench/fill.ts', async () => {
    await using terminal = openTerminal('bench/fill.ts', fillArgs(50_000_000), { env });
    await terminal.shows('20,000 of 50,000,000 rows');
    terminal.type(CTRL_C);
    expect(await terminal.exited).toBe(130);
    expect(terminal.text).toContain('stopped before the end\n');
    expect(isRestored(terminal)).toBe(true);
    const { rows } = await withClient(app.databaseUrl, (client) =>
      client.query(`select total % 20000 as rest, total = (select count(*) from notification n where inbox_id = i.id) as right
        from inbox i where tenant_id = 'bars'`),
    );
    expect(rows).toEqual([{ rest: 0, right: true }]);
  });

  test('shows a progress bar and aligned tables on a terminal: npm run bench', async () => {
    const args = '--rounds 1 --seconds 0.3 --only unread --connections 40 --rows 200'.split(' ');
    await using terminal = openTerminal('bench/main.ts', args);
    expect(await terminal.exited).toBe(0);
    expect(terminal.text).toMatch(new RegExp(`${BAR.source}round 1 of 1: unreadSmall, naive`));
    expect(terminal.text).toMatch(/^ +unit +naive +Carillon /m);
    expect(terminal.text).not.toContain('| ');
    expect(terminal.output).toContain(`${ESCAPE}[32mFaults: lost 0, duplicated 0, misdirected 0, refused 0.`);
  });

  test('shows a progress bar on a terminal, and its verdict after Ctrl-C: npm run torture', async () => {
    const args = '--minutes 30 --clients 4 --rate 10 --every 1 --seed 1'.split(' ');
    await using terminal = openTerminal('torture/main.ts', args);
    await terminal.shows(' 1 fault: ');
    terminal.type(CTRL_C);
    expect(await terminal.exited).toBe(0);
    expect(terminal.text).toMatch(new RegExp(`${BAR.source}storm, \\d+ sends, \\d+ deliveries, 1 fault: `));
    expect(terminal.output).toMatch(/\x1b\[32m {2}lost +0\x1b\[39m/);
    expect(isRestored(terminal)).toBe(true);
  });
});
