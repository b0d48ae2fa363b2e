import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, cp, lstat, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { connectEmbeddedPostgres, startEmbeddedPostgres } from '../../src/database/embedded-postgres.ts';
import { serverAccount } from '../../src/database/postgres-account.ts';
import { findPostgresBinaries } from '../../src/database/postgres-binaries.ts';
import { createCluster, findPostgresHome } from '../../src/database/postgres-home.ts';
import { findPostmaster, isPostmasterAlive } from '../../src/database/postgres-process.ts';
import { migrate } from '../../src/database/migrate.ts';
import { createLogger } from '../../src/logger.ts';
import { databaseUrl, withClient } from '../support/postgres.ts';

const isRoot = process.getuid?.() === 0;
const settings = { fsync: 'off', shared_buffers: '16MB' };
const modulePath = new URL('../../src/database/embedded-postgres.ts', import.meta.url).href;

let messages: string[];
let base: string;
let directory: string;

const logger = createLogger({
  level: 'info',
  format: 'json',
  destination: { write: (line) => void messages.push(line) },
});
const start = () => startEmbeddedPostgres({ directory, logger, settings });

beforeEach(async () => {
  messages = [];
  base = await mkdtemp(join(isRoot ? '/tmp' : tmpdir(), 'carillon-embedded-'));
  await chmod(base, 0o711);
  directory = join(base, 'data');
});

afterEach(async () => {
  await rm(base, { recursive: true, force: true });
});

async function remember(url: string, value: string): Promise<void> {
  await withClient(url, async (client) => {
    await client.query('CREATE TABLE IF NOT EXISTS memory (value text)');
    await client.query('INSERT INTO memory VALUES ($1)', [value]);
  });
}

async function recall(url: string): Promise<string[]> {
  return withClient(url, async (client) => {
    const { rows } = await client.query<{ value: string }>('SELECT value FROM memory');
    return rows.map(({ value }) => value);
  });
}

interface OwnerProcess {
  readonly child: ChildProcess;
  readonly url: string;
  readonly pid: number;
}

/** A process that owns the database of `directory` until its standard input closes. */
async function startOwnerProcess(): Promise<OwnerProcess> {
  const script = `
    const { startEmbeddedPostgres } = await import(${JSON.stringify(modulePath)});
    const logger = { info() {}, warn() {}, error() {} };
    const [directory, settings] = ${JSON.stringify([directory, settings])};
    const postgres = await startEmbeddedPostgres({ directory, logger, settings });
    console.log(JSON.stringify({ url: postgres.url, pid: postgres.pid }));
    process.stdin.resume().once('end', () => postgres[Symbol.asyncDispose]());`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, ...(JSON.parse(line.toString()) as { url: string; pid: number }) };
}

async function end(child: ChildProcess, how: () => void): Promise<void> {
  const exited = once(child, 'exit');
  how();
  await exited;
}

describe('a fresh directory', () => {
  test('gets a server on 127.0.0.1 only, with UTF8, synced writes and a password that only the user can read', async () => {
    await using postgres = await startEmbeddedPostgres({ directory, logger });
    const shown = await withClient(postgres.adminUrl, async (client) => {
      const values: Record<string, string> = {};
      for (const name of [
        'server_encoding',
        'fsync',
        'listen_addresses',
        'unix_socket_directories',
        'max_connections',
        'password_encryption',
        'TimeZone',
      ]) {
        const { rows } = await client.query<Record<string, string>>(`SHOW ${name}`);
        values[name] = Object.values(rows[0] ?? {})[0] ?? '';
      }
      return values;
    });
    expect(shown).toEqual({
      server_encoding: 'UTF8',
      fsync: 'on',
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      max_connections: '100',
      password_encryption: 'scram-sha-256',
      TimeZone: 'UTC',
    });
    expect(new URL(postgres.url)).toMatchObject({ hostname: '127.0.0.1', pathname: '/carillon' });
    expect((await stat(join(directory, 'postgres', 'password'))).mode & 0o777).toBe(0o600);
    expect((await stat(join(directory, 'postgres', 'data'))).mode & 0o777).toBe(0o700);
  });

  test('refuses a wrong password', async () => {
    await using postgres = await start();
    const url = new URL(postgres.url);
    url.password = 'wrong';
    await expect(withClient(url.href, async () => {})).rejects.toMatchObject({ code: '28P01' });
  });

  test('holds no process and no lock file once its server was disposed of, however often', async () => {
    const postgres = await start();
    await Promise.all([postgres[Symbol.asyncDispose](), postgres[Symbol.asyncDispose]()]);
    const data = join(directory, 'postgres', 'data');
    expect(await isPostmasterAlive(postgres.pid, data)).toBe(false);
    await expect(stat(join(data, 'postmaster.pid'))).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(withClient(postgres.url, async () => {})).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  test('is given to exactly one of several starts at once, and the others are told that it is in use', async () => {
    const outcomes = await Promise.allSettled([start(), start(), start()]);
    const won = outcomes.filter((outcome) => outcome.status === 'fulfilled').map((outcome) => outcome.value);
    await using cleanup = new AsyncDisposableStack();
    for (const postgres of won) cleanup.use(postgres);
    expect(won).toHaveLength(1);
    for (const outcome of outcomes) {
      if (outcome.status === 'fulfilled') continue;
      expect(outcome.reason).toMatchObject({
        name: 'EmbeddedPostgresInUseError',
        message: `DATA_DIR ${directory} is in use by another running Carillon`,
      });
    }
    const [winner] = won;
    await remember(winner!.url, 'undamaged');
    expect(await recall(winner!.url)).toEqual(['undamaged']);
  });
});

describe('a directory with data', () => {
  test('keeps it over a restart', async () => {
    {
      await using first = await start();
      await remember(first.url, 'kept');
    }
    await using second = await start();
    expect(await recall(second.url)).toEqual(['kept']);
  });

  test('of a version whose server was a superuser is given to the role of the server, whole', async () => {
    const strangers = `select relname as name from pg_class c join pg_namespace n on n.oid = relnamespace
        where nspname in ('public', 'graphile_worker') and pg_get_userbyid(relowner) <> 'carillon_server'
      union all select proname from pg_proc p join pg_namespace n on n.oid = pronamespace
        where nspname = 'graphile_worker' and pg_get_userbyid(proowner) <> 'carillon_server'
      union all select nspname from pg_namespace
        where nspname = 'graphile_worker' and pg_get_userbyid(nspowner) <> 'carillon_server'`;
    {
      await using first = await start();
      await migrate(first.url);
      await remember(first.url, 'kept');
      await withClient(databaseUrl(first.adminUrl, 'carillon'), async (client) => {
        await client.query('reassign owned by carillon_server to carillon');
        await client.query('drop role carillon_server');
        expect((await client.query(strangers)).rowCount).toBeGreaterThan(30);
      });
    }
    await using second = await start();
    expect(await recall(second.url)).toEqual(['kept']);
    await withClient(second.url, async (client) => {
      expect((await client.query(strangers)).rows).toEqual([]);
      await client.query('alter table inbox add column proof text');
    });
  });

  test('is refused to a second process while the first lives, and free when that has ended', async () => {
    const owner = await startOwnerProcess();
    await expect(start()).rejects.toThrow(`DATA_DIR ${directory} is in use by another running Carillon`);
    await remember(owner.url, 'the owner goes on');
    await end(owner.child, () => owner.child.stdin?.end());
    await using next = await start();
    expect(next.pid).not.toBe(owner.pid);
    expect(await recall(next.url)).toEqual(['the owner goes on']);
  });

  test('is adopted with its running server after its owner was killed', async () => {
    const owner = await startOwnerProcess();
    await remember(owner.url, 'outlives its owner');
    await end(owner.child, () => owner.child.kill('SIGKILL'));
    {
      await using heir = await start();
      expect({ url: heir.url, pid: heir.pid }).toEqual({ url: owner.url, pid: owner.pid });
      expect(await recall(heir.url)).toEqual(['outlives its owner']);
    }
    expect(await isPostmasterAlive(owner.pid, join(directory, 'postgres', 'data'))).toBe(false);
  });

  test("starts although a dead server's lock file names the pid of a living process of the same user", async () => {
    await (await start())[Symbol.asyncDispose]();
    const data = join(directory, 'postgres', 'data');
    const { uid, gid } = await stat(data);
    await using cleanup = new AsyncDisposableStack();
    const bystander = spawn('sleep', ['1000'], { uid, gid });
    await once(bystander, 'spawn');
    cleanup.defer(() => end(bystander, () => bystander.kill()));
    const lockFile = [bystander.pid, data, 1_700_000_000, 1, '', '127.0.0.1', '', 'ready', ''].join('\n');
    await writeFile(join(data, 'postmaster.pid'), lockFile, { mode: 0o600 });
    await chown(join(data, 'postmaster.pid'), uid, gid);
    await using postgres = await start();
    expect(await findPostmaster(data)).toMatchObject({ pid: postgres.pid });
  });

  test('recovers what was committed when its server was killed', async () => {
    const first = await start();
    await remember(first.url, 'committed');
    const lost = new Promise<Error>((resolve) => first.onExit(resolve));
    process.kill(first.pid, 'SIGKILL');
    expect((await lost).message).toContain('PostgreSQL has exited');
    await first[Symbol.asyncDispose]();
    await using second = await start();
    expect(await recall(second.url)).toEqual(['committed']);
  });
});

describe('a running server', () => {
  test('tells its owner that it exited, also one who asks afterwards', async () => {
    await using postgres = await start();
    const asked = new Promise<Error>((resolve) => postgres.onExit(resolve));
    process.kill(postgres.pid, 'SIGINT');
    const error = await asked;
    const askedLater = new Promise<Error>((resolve) => postgres.onExit(resolve));
    expect(await askedLater).toBe(error);
  });

  test("stays its owner's when it drops the session that holds the lock", async () => {
    await using postgres = await start();
    let exits = 0;
    postgres.onExit(() => exits++);
    const recovered = new Promise<void>((resolve) => {
      const push = messages.push;
      messages.push = (...lines) => {
        if (lines.some((line) => line.includes('has recovered'))) resolve();
        return push.apply(messages, lines);
      };
    });
    await withClient(postgres.adminUrl, (client) =>
      client.query("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"),
    );
    await recovered;
    expect(exits).toBe(0);
    await expect(start()).rejects.toThrow('is in use by another running Carillon');
  });

  test('is shared with a command-line tool, which leaves it running', async () => {
    await using postgres = await start();
    await remember(postgres.url, 'seen by the tool');
    {
      await using guest = await connectEmbeddedPostgres({ directory, logger });
      expect(guest).toMatchObject({ url: postgres.url, pid: postgres.pid });
      expect(await recall(guest.url)).toEqual(['seen by the tool']);
    }
    expect(await recall(postgres.url)).toEqual(['seen by the tool']);
  });

  test('that a command-line tool has started ends with the tool', async () => {
    const tool = await connectEmbeddedPostgres({ directory, logger, settings });
    await remember(tool.url, 'written by the tool');
    await tool[Symbol.asyncDispose]();
    expect(await findPostmaster(join(directory, 'postgres', 'data'))).toBeUndefined();
    await using postgres = await start();
    expect(await recall(postgres.url)).toEqual(['written by the tool']);
  });

  test('does not start with a setting it does not know, and the error shows why', async () => {
    const starting = startEmbeddedPostgres({ directory, logger, settings: { no_such_setting: 1 } });
    await expect(starting).rejects.toThrow(/does not start[^]*no_such_setting/);
  });
});

test("a data directory under a closed parent works: root's data goes where the server's user can reach it", async () => {
  await chmod(base, 0o700);
  let path = '';
  try {
    {
      await using first = await start();
      await remember(first.url, 'found again');
      path = await withClient(first.adminUrl, async (client) => {
        const { rows } = await client.query<{ data_directory: string }>('SHOW data_directory');
        return dirname(rows[0]!.data_directory);
      });
    }
    if (isRoot) expect(path).toMatch(/^\/var\/lib\/carillon\//);
    else expect(path).toBe(join(directory, 'postgres'));
    expect(messages.join('').includes(`lives in ${path}`)).toBe(isRoot);
    // Opening the parent later must not hide the data.
    await chmod(base, 0o711);
    await using second = await start();
    expect(await recall(second.url)).toEqual(['found again']);
  } finally {
    if (path !== '') await rm(path, { recursive: true, force: true });
  }
});

describe('the npm package', () => {
  const installed = dirname(dirname(createRequire(import.meta.url).resolve(packageName())));
  let packageDirectory: string;
  let links: string[];

  /** The package as npm unpacks it when install scripts do not run. */
  beforeEach(async () => {
    packageDirectory = join(base, 'package');
    await cp(installed, packageDirectory, {
      recursive: true,
      verbatimSymlinks: true,
      filter: async (source) => !(await lstat(source)).isSymbolicLink(),
    });
    const list = await readFile(join(installed, 'native', 'pg-symlinks.json'), 'utf8').catch(() => '[]');
    links = (JSON.parse(list) as { target: string }[]).map(({ target }) => target);
    await mkdir(join(base, 'cache'), { mode: 0o755 });
  });

  const find = async () =>
    findPostgresBinaries({
      account: await serverAccount(),
      directory,
      packageDirectory,
      cacheDirectory: join(base, 'cache'),
    });

  test('is completed in place when its library links are absent', async () => {
    const { postgres } = await find();
    expect(postgres.startsWith(packageDirectory)).toBe(true);
    for (const link of links) expect((await lstat(join(packageDirectory, link))).isSymbolicLink()).toBe(true);
  });

  test("is copied when it can neither be completed nor reached by the server's user, and the copy creates a database", async () => {
    await chmod(join(packageDirectory, 'native', 'lib'), 0o500);
    await chmod(packageDirectory, 0o700);
    try {
      const [binaries, again] = await Promise.all([find(), find()]);
      expect(binaries.postgres.startsWith(join(base, 'cache'))).toBe(true);
      expect(again).toEqual(binaries);
      const home = await findPostgresHome(directory);
      await createCluster(home, binaries, false);
      expect((await findPostgresHome(directory)).exists).toBe(true);
    } finally {
      await chmod(join(packageDirectory, 'native', 'lib'), 0o755);
    }
  });

  function packageName(): string {
    return `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  }
});
