import type pg from 'pg';
import { findPostgresBinaries } from './postgres-binaries.ts';
import type { PostgresHome } from './postgres-home.ts';
import { isPostmasterAlive, logTail, stopPostmaster, type Postmaster } from './postgres-process.ts';
import { connectWhenReady, takeLock, urlsOf } from './postgres-session.ts';

interface LogMethod {
  (message: string): void;
  (details: object, message: string): void;
}

/** The part of a pino logger used here. */
export interface PostgresLogger {
  readonly info: LogMethod;
  readonly warn: LogMethod;
  readonly error: LogMethod;
}

/** A server whose lock this process holds, on a connection of its own that is kept for nothing else. */
export class OwnedServer implements AsyncDisposable {
  readonly url: string;
  readonly adminUrl: string;
  readonly pid: number;
  readonly #home: PostgresHome;
  readonly #logger: PostgresLogger;
  readonly #callbacks: ((error: Error) => void)[] = [];
  #lock: pg.Client;
  #lost: Error | undefined;
  #takenOver = false;
  #disposal: Promise<void> | undefined;

  constructor(home: PostgresHome, postmaster: Postmaster, password: string, lock: pg.Client, logger: PostgresLogger) {
    this.#home = home;
    this.#logger = logger;
    this.pid = postmaster.pid;
    ({ url: this.url, adminUrl: this.adminUrl } = urlsOf(postmaster.port, password));
    this.#lock = this.#watch(lock);
  }

  onExit(callback: (error: Error) => void): void {
    if (this.#lost === undefined) this.#callbacks.push(callback);
    else callback(this.#lost);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return (this.#disposal ??= this.#stop());
  }

  /** The lock is held until the server ends it, lest another start adopt a server that is about to stop. */
  async #stop(): Promise<void> {
    if (!this.#takenOver) {
      const binaries = process.platform === 'win32' ? await findPostgresBinaries(this.#home) : undefined;
      await stopPostmaster(this.pid, this.#home, binaries);
    }
    await this.#lock.end().catch(() => undefined);
  }

  #watch(lock: pg.Client): pg.Client {
    lock.once('end', () => {
      if (this.#disposal === undefined) void this.#regain();
    });
    return lock;
  }

  /** A server that restarts its sessions after a crash in one of them drops the lock but lives on. */
  async #regain(): Promise<void> {
    try {
      const isAlive = (): Promise<boolean> => isPostmasterAlive(this.pid, this.#home.data);
      const client = await connectWhenReady(this.adminUrl, isAlive, this.#home);
      if (client === undefined) return this.#lose(`PostgreSQL has exited: ${await logTail(this.#home)}`);
      const outcome = await takeLock(client);
      if (outcome === 'closed') return void this.#regain();
      if (outcome === 'held') {
        this.#takenOver = true;
        await client.end();
        return this.#lose(`another process has taken over the embedded database in ${this.#home.path}`);
      }
      this.#lock = this.#watch(client);
      this.#logger.warn({ pid: this.pid }, 'the embedded database dropped its sessions and has recovered');
    } catch (error) {
      this.#lose(`the embedded database does not answer: ${(error as Error).message}`);
    }
  }

  #lose(reason: string): void {
    if (this.#disposal !== undefined) return;
    this.#lost = new Error(reason);
    this.#logger.error({ pid: this.pid }, reason);
    for (const callback of this.#callbacks.splice(0)) callback(this.#lost);
  }
}
