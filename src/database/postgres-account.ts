import { execFile } from 'node:child_process';
import { lchown, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const execFileAsync = promisify(execFile);

/** The operating-system user a child process runs as. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/**
 * The user PostgreSQL has to run as: `undefined` (this process's own) unless this process is root, as which
 * PostgreSQL refuses to run. Root takes the owner of `existingData`, else `postgres`, else `nobody`.
 * Throws when root finds neither.
 */
export async function serverAccount(existingData?: string): Promise<Account | undefined> {
  if (!isRoot()) return undefined;
  const users = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  const owner = existingData === undefined ? undefined : await stat(existingData);
  if (owner !== undefined && owner.uid !== 0) {
    const name = users.find((fields) => Number(fields[2]) === owner.uid)?.[0] ?? `#${owner.uid}`;
    return { name, uid: owner.uid, gid: owner.gid };
  }
  for (const name of ['postgres', 'nobody']) {
    const fields = users.find(([user]) => user === name);
    if (fields !== undefined) return { name, uid: Number(fields[2]), gid: Number(fields[3]) };
  }
  throw new Error(
    'PostgreSQL cannot run as root, and /etc/passwd has neither a user postgres nor a user nobody: ' +
      'start Carillon as an ordinary user or set DATABASE_URL',
  );
}

/**
 * Whether `account` passes every shell test in `tests` (such as `-x`) on the path beside it. Tried as that
 * user, because modes alone do not tell: access lists and mounts count too.
 */
export async function accountPasses(account: Account, tests: readonly (readonly [string, string])[]): Promise<boolean> {
  const script = 'while [ $# -gt 0 ]; do test "$1" "$2" || exit 9; shift 2; done';
  try {
    const { uid, gid } = account;
    await execFileAsync('/bin/sh', ['-c', script, 'sh', ...tests.flat()], { uid, gid, cwd: '/', env: {} });
    return true;
  } catch (error) {
    if ((error as { code?: unknown }).code === 9) return false;
    throw new Error(
      `PostgreSQL cannot run as root, and root may not switch to the user ${account.name} here: ` +
        'start Carillon as an ordinary user or set DATABASE_URL',
      { cause: error },
    );
  }
}

/** Gives a directory and all in it to `account`. Does nothing without one. */
export async function giveTree(path: string, account: Account | undefined): Promise<void> {
  if (account === undefined) return;
  await lchown(path, account.uid, account.gid);
  for (const entry of await readdir(path, { recursive: true })) {
    await lchown(join(path, entry), account.uid, account.gid);
  }
}
