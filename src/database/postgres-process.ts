import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { PostgresBinaries } from './postgres-binaries.ts';
import { serverEnvironment, type PostgresHome } from './postgres-home.ts';
import { freePort } from './free-port.ts';

const execFileAsync = promisify(execFile);
const POLL_MS = 20;
const FAST_SHUTDOWN_MS = 5_000;
const LOG_TAIL_CHARACTERS = 2_000;

/** Values of PostgreSQL's run-time settings, by name. */
export type PostgresSettings = Readonly<Record<string, string | number>>;

const DEFAULT_SETTINGS: PostgresSettings = {
  max_connections: 100,
  timezone: 'UTC',
  log_timezone: 'UTC',
  // The log has no rotation: errors of statements go to the client that caused them, so it stays small.
  log_min_messages: 'log',
  log_checkpoints: 'off',
};

/** What a server's lock file says about it. */
export interface Postmaster {
  readonly pid: number;
  readonly port: number;
}

/** The server that runs on `data`, if its lock file names one that lives; it may not accept connections yet. */
export async function findPostmaster(data: string): Promise<Postmaster | undefined> {
  const postmaster = await readLockFile(data);
  if (postmaster === undefined || Number.isNaN(postmaster.port)) return undefined;
  return (await isPostmasterAlive(postmaster.pid, data)) ? postmaster : undefined;
}

/** Source of the format: src/include/utils/pidfile.h of PostgreSQL (1 pid, 2 data directory, 3 start, 4 port). */
async function readLockFile(data: string): Promise<Postmaster | undefined> {
  try {
    const lines = (await readFile(join(data, 'postmaster.pid'), 'utf8')).split('\n');
    const pid = Number.parseInt(lines[0] ?? '', 10);
    return Number.isNaN(pid) ? undefined : { pid, port: Number.parseInt(lines[3] ?? '', 10) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Whether process `pid` is a server on `data`. Its command line tells, because a pid left in a lock file may
 * by now be anyone's, and a dead server may remain as a zombie (whose command line is empty).
 */
export async function isPostmasterAlive(pid: number, data: string): Promise<boolean> {
  try {
    if (process.platform === 'linux') {
      return (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0').includes(data);
    }
    if (process.platform === 'win32') return process.kill(pid, 0);
    return (await execFileAsync('ps', ['-ww', '-o', 'args=', '-p', String(pid)])).stdout.includes(data);
  } catch {
    return false;
  }
}

/**
 * Starts a server on the cluster of `home`, at a port that was free a moment ago, in a session of its own: a
 * Ctrl-C in the terminal is for the application, which stops the server after draining. Its log file is begun
 * anew. Resolves when the process exists, which says nothing about its being ready.
 */
export async function spawnPostmaster(
  home: PostgresHome,
  binaries: PostgresBinaries,
  settings: PostgresSettings,
): Promise<Postmaster & { readonly child: ChildProcess }> {
  const port = await freePort();
  const environment = serverEnvironment();
  const stale = await readLockFile(home.data);
  if (stale !== undefined && !(await isPostmasterAlive(stale.pid, home.data))) {
    // PostgreSQL takes a lock file for stale if it names this pid, and otherwise refuses to start when the
    // pid has been given to another process of the same user, as happens in restarted containers.
    environment['PG_GRANDPARENT_PID'] = String(stale.pid);
  }
  const fixed = { listen_addresses: '127.0.0.1', port, unix_socket_directories: '', logging_collector: 'off' };
  const values = Object.entries({ ...DEFAULT_SETTINGS, ...settings, ...fixed });
  await using log = await open(home.log, 'a', 0o600);
  await log.truncate();
  const { account } = home;
  // Root may run today what its owner runs tomorrow.
  if (account !== undefined) await log.chown(account.uid, account.gid);
  const child = spawn(
    binaries.postgres,
    ['-D', home.data, ...values.flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    {
      ...(account === undefined ? {} : { uid: account.uid, gid: account.gid }),
      cwd: home.data,
      env: environment,
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      windowsHide: true,
    },
  );
  await once(child, 'spawn');
  child.unref();
  return { pid: child.pid!, port, child };
}

/** The end of the server's log, for error messages. */
export async function logTail(home: PostgresHome): Promise<string> {
  const text = await readFile(home.log, 'utf8').catch(() => '');
  return text.slice(-LOG_TAIL_CHARACTERS).trim() || '(its log is empty)';
}

/**
 * Stops a server and resolves when it is gone: a fast shutdown, which ends sessions and loses nothing; after
 * 5 s an immediate one, which costs a recovery at the next start; at last a kill.
 */
export async function stopPostmaster(pid: number, home: PostgresHome, binaries?: PostgresBinaries): Promise<void> {
  if (process.platform === 'win32' && binaries !== undefined) {
    await execFileAsync(binaries.pgCtl, ['stop', '-D', home.data, '-m', 'fast', '-W']).catch(() => undefined);
    if (await goneWithin(FAST_SHUTDOWN_MS, pid, home)) return;
  }
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
    if (!(await isPostmasterAlive(pid, home.data))) return;
    try {
      process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
    if (await goneWithin(FAST_SHUTDOWN_MS, pid, home)) return;
  }
  throw new Error(`PostgreSQL (process ${pid}) does not stop`);
}

async function goneWithin(ms: number, pid: number, home: PostgresHome): Promise<boolean> {
  const deadline = Date.now() + ms;
  while (Date.now() < deadline) {
    if (!(await isPostmasterAlive(pid, home.data))) return true;
    await delay(POLL_MS);
  }
  return false;
}
