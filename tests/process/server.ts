import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { NODE_FLAGS } from '../../bench/node-flags.ts';
import { findPostmaster } from '../../src/database/postgres-process.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const root = join(import.meta.dirname, '..', '..');
const READY = /listening on (http:\/\/[^\s"]+)("\})?$/;

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface ServerProcess extends AsyncDisposable {
  readonly child: ChildProcess;
  /** The lines of standard output so far. */
  readonly lines: string[];
  /** The URL of the line that says that it is ready. Rejects with all output when the process exits before. */
  readonly ready: Promise<string>;
  readonly exited: Promise<Exit>;
  /** Everything on standard output and standard error; complete after `exited`. */
  output(): string;
  /** Resolves with the first line that holds the text. */
  line(part: string): Promise<string>;
}

/** Nothing of this process's own environment but what programs need to run. */
const environment = (env: Record<string, string>): NodeJS.ProcessEnv => ({
  PATH: process.env['PATH'],
  HOME: process.env['HOME'],
  NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'],
  ...env,
});

/** The real server, as `npm start` runs it, on a free port unless `env` says otherwise. */
export function startServer(env: Record<string, string>, { detached = false, cwd = root } = {}): ServerProcess {
  const child = spawn(process.execPath, [...NODE_FLAGS, 'src/main.ts'], {
    cwd,
    env: environment({ PORT: '0', ...env }),
    detached,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  const errors: string[] = [];
  const waiting = new Set<() => void>();
  const wake = () => {
    for (const look of waiting) look();
  };
  createInterface(child.stdout).on('line', (line) => {
    lines.push(line);
    wake();
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => void errors.push(chunk));
  const output = () => [...lines, ...errors].join('\n');
  const exited = once(child, 'close').then(([code, signal]): Exit => ({ code, signal }));

  const find = <T>(look: (line: string) => T | undefined): Promise<T> => {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const search = () => {
      const found = lines.map(look).find((one) => one !== undefined);
      if (found !== undefined) resolve(found);
    };
    waiting.add(search);
    void exited.then(({ code }) => reject(new Error(`exited with ${code}:\n${output()}`)));
    search();
    return promise.finally(() => waiting.delete(search));
  };
  const ready = find((line) => READY.exec(line)?.[1]);
  ready.catch(() => {});
  return {
    child,
    lines,
    ready,
    exited,
    output,
    line: (part) => find((line) => (line.includes(part) ? line : undefined)),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

export interface CommandResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs one of `src/commands` to its end. */
export async function runCommand(
  name: string,
  args: readonly string[],
  { env = {}, input = '' }: { env?: Record<string, string>; input?: string } = {},
): Promise<CommandResult> {
  const child = spawn(process.execPath, [`src/commands/${name}.ts`, ...args], {
    cwd: root,
    env: environment(env),
    stdio: 'pipe',
  });
  // A command that refuses its arguments reads no input.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code: code as number | null, stdout, stderr };
}

export interface DataDirectory extends AsyncDisposable {
  readonly path: string;
  /** The process id of the embedded PostgreSQL that runs on it. */
  postgres(): Promise<number | undefined>;
}

/** A place for an embedded database. Disposing ends what still runs there. */
export async function createDataDirectory(): Promise<DataDirectory> {
  const base = await temporaryDirectory('carillon-process-');
  const path = join(base, 'data');
  const postgres = async () => (await findPostmaster(join(path, 'postgres', 'data')))?.pid;
  return {
    path,
    postgres,
    async [Symbol.asyncDispose]() {
      const pid = await postgres();
      if (pid !== undefined) process.kill(pid, 'SIGQUIT');
      while ((await postgres()) !== undefined) await new Promise((resolve) => setImmediate(resolve));
      await rm(base, { recursive: true, force: true });
    },
  };
}
