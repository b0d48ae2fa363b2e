import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, readFile, realpath, stat, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { createDirectoryAtomically } from './atomic-directory.ts';
import { accountPasses, giveTree, isRoot, serverAccount, type Account } from './postgres-account.ts';
import type { PostgresBinaries } from './postgres-binaries.ts';

const execFileAsync = promisify(execFile);
const ROOT_FALLBACK = '/var/lib/carillon';

/** The superuser of an embedded cluster, and the database the application uses. */
export const EMBEDDED_NAME = 'carillon';

/** Where one embedded cluster lives and as whom its server runs. */
export interface PostgresHome {
  /** The directory the caller named, absolute. */
  readonly directory: string;
  /** Holds `data` and `password`; comes into being whole, with `createCluster`. */
  readonly path: string;
  readonly data: string;
  readonly log: string;
  readonly account: Account | undefined;
  readonly exists: boolean;
}

/**
 * Finds the cluster that belongs to `directory` (made if missing), or the place for a new one: `postgres` in
 * it or, when root runs and the server's user cannot reach it, a directory under /var/lib/carillon keyed by
 * its path. A cluster that already exists in either place is found again.
 * Throws when the cluster belongs to a user this process cannot act as.
 */
export async function findPostgresHome(directory: string): Promise<PostgresHome> {
  const created = await mkdir(directory, { recursive: true });
  // The server's user has to pass through, not to read.
  if (created !== undefined) await chmod(directory, isRoot() ? 0o711 : 0o700);
  const absolute = await realpath(resolve(directory));
  const inside = join(absolute, 'postgres');
  const key = createHash('sha256').update(absolute).digest('hex').slice(0, 16);
  const candidates = isRoot() ? [inside, join(ROOT_FALLBACK, key)] : [inside];

  for (const path of candidates) {
    const owner = await ownerOf(join(path, 'data'));
    if (owner === undefined) continue;
    const account = await serverAccount(join(path, 'data'));
    const home = homeAt(absolute, path, account, true);
    if (account === undefined && process.getuid !== undefined && owner !== process.getuid()) {
      throw new Error(`The database in ${path} belongs to another user (id ${owner}): run as that user or as root`);
    }
    if (account !== undefined && owner === 0) await giveTree(home.data, account);
    if (account !== undefined && !(await accountPasses(account, [['-x', home.data]]))) {
      throw new Error(
        `The user ${account.name}, who owns the database in ${path}, cannot reach it: ` +
          'give the directories above it the mode o+x',
      );
    }
    return home;
  }

  const account = await serverAccount();
  const reachable = account === undefined || (await accountPasses(account, [['-x', absolute]]));
  return homeAt(absolute, reachable ? inside : join(ROOT_FALLBACK, key), account, false);
}

function homeAt(directory: string, path: string, account: Account | undefined, exists: boolean): PostgresHome {
  return { directory, path, data: join(path, 'data'), log: join(directory, 'postgres.log'), account, exists };
}

async function ownerOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).uid;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Initialises the cluster of `home` with a random password, whole or not at all, whoever else does so at the
 * same time. `durable` false saves the sync, for data that need not survive a power cut.
 * Throws with the output of initdb when that fails.
 */
export async function createCluster(home: PostgresHome, binaries: PostgresBinaries, durable: boolean): Promise<void> {
  const { account } = home;
  const parent = dirname(home.path);
  if ((await mkdir(parent, { recursive: true })) !== undefined) await chmod(parent, 0o711);
  await createDirectoryAtomically(home.path, async (draft) => {
    await chmod(draft, account === undefined ? 0o700 : 0o711);
    const data = join(draft, 'data');
    const passwordFile = join(draft, 'password');
    await mkdir(data, { mode: 0o700 });
    await writeFile(passwordFile, randomBytes(24).toString('base64url'), { mode: 0o600, flush: true });
    if (account !== undefined) {
      await chown(data, account.uid, account.gid);
      await chown(passwordFile, account.uid, account.gid);
    }
    const identity = account === undefined ? {} : { uid: account.uid, gid: account.gid };
    const options = [
      `--username=${EMBEDDED_NAME}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
      '--no-instructions',
      ...(durable ? [] : ['--no-sync']),
    ];
    try {
      await execFileAsync(binaries.initdb, ['-D', data, ...options], {
        ...identity,
        cwd: draft,
        env: serverEnvironment(),
      });
    } catch (error) {
      const { stderr, message } = error as { stderr?: string; message: string };
      throw new Error(`PostgreSQL could not create its database in ${home.path}: ${stderr?.trim() || message}`, {
        cause: error,
      });
    }
  });
}

/** The superuser's password of an existing cluster. */
export async function readPassword(home: PostgresHome): Promise<string> {
  return (await readFile(join(home.path, 'password'), 'utf8')).trim();
}

/** The few variables PostgreSQL programs need; the application's own, secrets among them, are not theirs to see. */
export function serverEnvironment(): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = { LC_ALL: 'C' };
  for (const name of ['PATH', 'LD_LIBRARY_PATH', 'SystemRoot', 'TEMP', 'TMP']) {
    // oxlint-disable-next-line node/no-process-env -- handed on as it is, not read as configuration
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  return environment;
}
