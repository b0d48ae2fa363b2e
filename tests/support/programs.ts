import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export interface Program {
  /** The names that it goes by on the PATH, the preferred one first. */
  names: readonly string[];
  /** Package names. */
  debian: string;
  alpine: string;
  homebrew: string;
}

/** The path of a program that the tests need. As root on Debian or Alpine a missing one is installed; else the error tells the command. */
export function findProgram(program: Program): string {
  const found = onPath(program.names) ?? install(program);
  if (found !== undefined) return found;
  const { names, debian, alpine, homebrew } = program;
  throw new Error(
    `The tests need ${names[0]} on the PATH. Install it: \`sudo apt-get install ${debian}\` (Debian, Ubuntu), ` +
      `\`sudo apk add ${alpine}\` (Alpine) or \`brew install ${homebrew}\` (macOS)`,
  );
}

function onPath(names: readonly string[]): string | undefined {
  const directories = (process.env['PATH'] ?? '').split(delimiter);
  return names
    .flatMap((name) => directories.map((directory) => join(directory, name)))
    .find((path) => existsSync(path));
}

function install({ names, debian, alpine }: Program): string | undefined {
  if (process.getuid?.() !== 0) return undefined;
  try {
    if (existsSync('/usr/bin/apt-get')) {
      // Run level 1 keeps a package from starting a server of its own.
      const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
      execFileSync('apt-get', ['update'], { env, stdio: 'ignore' });
      execFileSync('apt-get', ['install', '-y', '--no-install-recommends', debian], { env, stdio: 'ignore' });
    } else if (existsSync('/sbin/apk')) {
      execFileSync('/sbin/apk', ['add', '--no-cache', alpine], { stdio: 'ignore' });
    }
  } catch {
    // The caller says what is missing.
  }
  return onPath(names);
}
