import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { type WriteStream, createWriteStream, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { NODE_FLAGS } from '../bench/node-flags.ts';

export interface InstanceOptions {
  name: string;
  /** Takes its log and its pid file. */
  directory: string;
  /** Settings, as environment variables. */
  env: Record<string, string>;
}

const ROOT = join(import.meta.dirname, '..');
const RESTART_PAUSE_MS = 150;
const STOP_PATIENCE_MS = 10_000;

/**
 * One server process and its supervisor: whenever it ends it is started again, also when it cannot start because the
 * database or Redis is away.
 */
export class Instance implements AsyncDisposable {
  readonly name: string;
  /** Exits that nobody asked for, after it had served. */
  readonly crashes: string[] = [];
  starts = 0;
  lateDrains = 0;
  readonly #options: InstanceOptions;
  readonly #log: WriteStream;
  readonly #events = new EventEmitter().setMaxListeners(0);
  #child: ChildProcess | undefined;
  #listening = false;
  #asked = false;
  #supervised: Promise<void> | undefined;
  #stopping = false;

  constructor(options: InstanceOptions) {
    this.#options = options;
    this.name = options.name;
    this.#log = createWriteStream(join(options.directory, `${options.name}.log`), { flags: 'a' });
  }

  start(): void {
    this.#supervised ??= this.#supervise();
  }

  /** Resolves when it accepts connections: now, or after its next start. */
  async listening(signal?: AbortSignal): Promise<void> {
    if (!this.#listening) await once(this.#events, 'listening', { ...(signal ? { signal } : {}) });
  }

  /** Sends a signal to the process as it is now; nothing happens when it is just not there. */
  signal(signal: NodeJS.Signals): void {
    const asksToEnd = signal !== 'SIGSTOP' && signal !== 'SIGCONT';
    if (asksToEnd) {
      this.#asked = true;
      this.#listening = false;
    }
    this.#child?.kill(signal);
  }

  async #supervise(): Promise<void> {
    while (!this.#stopping) {
      await this.#run();
      if (!this.#stopping) await delay(RESTART_PAUSE_MS);
    }
  }

  async #run(): Promise<void> {
    const { env, directory, name } = this.#options;
    const child = spawn(process.execPath, [...NODE_FLAGS, 'src/main.ts'], {
      cwd: ROOT,
      env: { PATH: process.env['PATH'] ?? '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      // A session of its own: a Ctrl-C in the terminal is for the run, which stops it.
      detached: true,
    });
    this.#child = child;
    this.#asked = false;
    let served = false;
    for (const output of [child.stdout, child.stderr]) {
      output.setEncoding('utf8').on('data', (text: string) => {
        this.#log.write(text);
        if (text.includes('draining took too long')) this.lateDrains += 1;
        if (served || !text.includes('listening on http')) return;
        served = true;
        this.#listening = !this.#asked;
        this.#events.emit('listening');
      });
    }
    const closed = once(child, 'close').catch(() => []);
    this.starts += 1;
    if (child.pid !== undefined) writeFileSync(join(directory, `${name}.pid`), `${child.pid}\n`);
    const [code, signal] = (await closed) as [number | null, string | null];
    this.#child = undefined;
    this.#listening = false;
    if (served && !this.#asked) this.crashes.push(`${name} ended by itself: ${signal ?? `exit code ${code}`}`);
    if (this.#asked && code !== null && code !== 0) this.crashes.push(`${name} drained with exit code ${code}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping = true;
    this.signal('SIGCONT');
    this.signal('SIGTERM');
    const late = setTimeout(() => this.signal('SIGKILL'), STOP_PATIENCE_MS);
    await this.#supervised;
    clearTimeout(late);
    this.#log.end();
    await once(this.#log, 'close');
  }
}
