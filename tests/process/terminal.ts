import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { findProgram } from '../support/programs.ts';

const root = join(import.meta.dirname, '..', '..');

/** util-linux's, which Debian always has; that of macOS takes the command in another way. */
const SCRIPT = { names: ['script'], debian: 'bsdutils', alpine: 'util-linux-misc', homebrew: 'util-linux' };

const quoted = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;

/** A program on a terminal of its own. */
export interface Terminal extends AsyncDisposable {
  /** Everything that the terminal was sent so far, colours and all. */
  readonly output: string;
  /** The same as a person reads it. */
  readonly text: string;
  /** As on the keyboard; `\x03` is Ctrl-C, and Return is `\r`. */
  type(keys: string): void;
  /** Resolves when the text is there. Rejects with all output when the program ends before. */
  shows(part: string): Promise<void>;
  /** The exit code. */
  readonly exited: Promise<number>;
}

/**
 * Runs a script of the project on a pseudo terminal, 100 columns wide, with both outputs on it. After its end the
 * settings of the terminal are printed, as `stty -a` does.
 */
export function openTerminal(
  script: string,
  args: readonly string[],
  { env = {} }: { env?: Record<string, string> } = {},
): Terminal {
  const command = [process.execPath, script, ...args].map(quoted).join(' ');
  // Ctrl-C goes to the whole group; the shell waits for the program all the same.
  const line = `trap : INT; stty cols 100 rows 30; ${command}; code=$?; stty -a; exit $code`;
  const program = findProgram(SCRIPT);
  const words = process.platform === 'darwin' ? ['-q', '/dev/null', 'sh', '-c', line] : ['-qefc', line, '/dev/null'];
  const child = spawn(program, words, {
    cwd: root,
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], SHELL: '/bin/sh', TERM: 'xterm-256color', ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let output = '';
  const waiting = new Set<() => void>();
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk;
    for (const look of waiting) look();
  });
  // A program that has ended reads no keys.
  child.stdin.on('error', () => {});
  const exited = once(child, 'close').then(([code]) => code as number);
  return {
    get output() {
      return output;
    },
    get text() {
      return stripVTControlCharacters(output).replaceAll('\r', '');
    },
    type: (keys) => void child.stdin.write(keys),
    shows(part) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const look = (): void => {
        if (stripVTControlCharacters(output).includes(part)) resolve();
      };
      waiting.add(look);
      void exited.then((code) => reject(new Error(`exited with ${code}:\n${output}`)));
      look();
      return promise.finally(() => waiting.delete(look));
    },
    exited,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
