import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { keepTo } from './cores.ts';
import { NODE_FLAGS } from './node-flags.ts';
import type { Question, Usage } from './probe.ts';
import { freePort } from '../src/database/free-port.ts';

export interface ServerOptions {
  readonly name: string;
  /** From the root of the repository. */
  readonly script: string;
  readonly env: Record<string, string>;
  /** Takes its log and its pid file. */
  readonly directory: string;
  readonly cores: string | undefined;
  /** A module that it loads before everything else. */
  readonly preload?: string | undefined;
}

const ROOT = join(import.meta.dirname, '..');
const START_MS = 30_000;
const LOOK_AGAIN_MS = 20;
const LOG_TAIL_CHARACTERS = 2000;

/** A server in a process of its own that can be asked what it uses. */
export class ServerProcess implements AsyncDisposable {
  readonly url: string;
  readonly #options: ServerOptions;
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;

  private constructor(options: ServerOptions, port: number) {
    this.#options = options;
    this.url = `http://127.0.0.1:${port}`;
    const log = openSync(this.#logPath, 'a');
    const { env, script, directory, name, cores, preload } = options;
    const imports = [join(import.meta.dirname, 'probe.ts'), ...(preload === undefined ? [] : [preload])];
    const args = [...NODE_FLAGS, '--expose-gc', ...imports.flatMap((path) => ['--import', path]), script];
    this.#child = spawn(process.execPath, args, {
      cwd: ROOT,
      env: { PATH: process.env['PATH'] ?? '', NODE_ENV: 'production', PORT: String(port), ...env },
      stdio: ['ignore', log, log, 'ipc'],
      // A Ctrl-C in the terminal is for the bench, which stops its servers.
      detached: true,
    });
    closeSync(log);
    this.#exited = once(this.#child, 'exit');
    writeFileSync(join(directory, `${name}.pid`), `${this.#child.pid}\n`);
    keepTo(this.#child.pid!, cores);
  }

  /** Resolves when it accepts connections. @throws Error with the end of its log when it does not start. */
  static async start(options: ServerOptions): Promise<ServerProcess> {
    const server = new ServerProcess(options, await freePort());
    for (const deadline = Date.now() + START_MS; !(await accepts(server.url)); ) {
      if (server.#hasEnded || Date.now() > deadline) {
        await server[Symbol.asyncDispose]();
        throw new Error(`${options.name} does not start:\n${server.#logTail()}`);
      }
      await delay(LOOK_AGAIN_MS);
    }
    return server;
  }

  /** @throws Error with the end of its log when it has ended. */
  async usage(question: Question): Promise<Usage> {
    const answered = once(this.#child, 'message') as Promise<[Usage]>;
    // What cannot be sent is not answered either.
    this.#child.send(question, () => {});
    const answer = await Promise.race([answered, this.#exited.then(() => undefined)]);
    if (answer === undefined) throw new Error(`${this.#options.name} has ended:\n${this.#logTail()}`);
    return answer[0];
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get name(): string {
    return this.#options.name;
  }

  /** All that it has written so far, to both outputs. */
  log(): string {
    return readFileSync(this.#logPath, 'utf8');
  }

  get #hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  get #logPath(): string {
    return join(this.#options.directory, `${this.#options.name}.log`);
  }

  #logTail(): string {
    return this.log().slice(-LOG_TAIL_CHARACTERS);
  }

  /** What it holds is thrown away: there is nothing to drain. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    if (!this.#hasEnded) await this.#exited;
  }
}

async function accepts(url: string): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(url).port) });
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
