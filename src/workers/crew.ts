import cluster, { type Worker } from 'node:cluster';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from '../config.ts';
import type { Logger } from '../logger.ts';
import { Exchange, channelOf } from '../pubsub/workers.ts';
import { Census } from './census.ts';
import type { Order, Report } from './messages.ts';

/** A worker that dies is replaced after this long; one that dies soon again, after twice as long as the last time. */
const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 30_000;

/** A worker that has served for this long was no part of a series of deaths. */
const STEADY_MS = 60_000;

/** Workers have this share of SHUTDOWN_TIMEOUT to end; the rest is for the embedded database. */
const STOP_SHARE = 0.8;

/** One process. Its promises never reject unheard. */
interface Member {
  readonly worker: Worker;
  /** `worker 3 (process 4711)`. */
  readonly name: string;
  /** Resolves with its address when it listens; rejects when it could not start. */
  readonly ready: Promise<string>;
  readonly ended: Promise<Ending>;
}

interface Ending {
  /** `exited with 1`, and the like. */
  readonly how: string;
  /** Empty when it exited by itself. */
  readonly signal: string;
  readonly clean: boolean;
}

/**
 * Processes that serve one port together (`WORKERS`): Node's cluster hands connections to them in turn, and doorbells
 * pass from one to the other through this process. One that dies is replaced, while the others go on.
 */
export class Crew implements AsyncDisposable {
  readonly #config: Config;
  readonly #logger: Logger;
  readonly #exchange = new Exchange();
  readonly #members = new Set<Member>();
  readonly #listening = new Set<Member>();
  readonly #census: Census<Member>;
  readonly #stopping = new AbortController();
  readonly #killAll = (): void => {
    for (const { worker } of this.#members) worker.process.kill('SIGKILL');
  };
  #port: number;
  /** What the first one that listened got. */
  #url: string | undefined;

  /** `config` is what the workers get: they start no database, and take its keys as they are. */
  constructor(config: Config, logger: Logger) {
    this.#config = config;
    this.#logger = logger;
    this.#port = config.port;
    this.#census = new Census(config.workers, ({ worker }, id) => tell(worker, { kind: 'measure', id }));
    cluster.setupPrimary({ exec: join(import.meta.dirname, 'worker.ts'), args: [] });
    // However this process comes to its end, a worker that is too busy to see it is not left behind.
    process.on('exit', this.#killAll);
  }

  /** Resolves with the address that all workers listen on. @throws what the first of them says that could not start. */
  async start(): Promise<string> {
    const members = await Promise.all(Array.from({ length: this.#config.workers }, () => this.#begin()));
    const url = await (members[0] as Member).ready;
    for (const member of members) void this.#keep(member);
    this.#logger.info(`${members.length} workers: processes ${members.map((m) => m.worker.process.pid).join(', ')}`);
    return url;
  }

  async #begin(): Promise<Member> {
    for (;;) {
      const member = this.#employ();
      try {
        await member.ready;
        return member;
      } catch (error) {
        // A signal for the whole group can come before a worker has learned to leave it to the primary.
        const { signal } = await member.ended;
        if (this.#stopping.signal.aborted || (signal !== 'SIGINT' && signal !== 'SIGTERM')) throw error;
      }
    }
  }

  /** Replaces the member, and whoever replaces it, until the crew stops. */
  async #keep(first: Member): Promise<void> {
    const { signal } = this.#stopping;
    let delayMs = FIRST_DELAY_MS;
    for (let member = first; ; member = this.#employ()) {
      const began = performance.now();
      if (member !== first) {
        member.ready.then(
          () => this.#logger.info(`${member.name} has taken its place`),
          () => {},
        );
      }
      const { how } = await member.ended;
      if (signal.aborted) return;
      if (performance.now() - began > STEADY_MS) delayMs = FIRST_DELAY_MS;
      this.#logger.error(`${member.name} ${how}; another one starts in ${delayMs} ms`);
      await delay(delayMs, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      delayMs = Math.min(delayMs * 2, MAX_DELAY_MS);
    }
  }

  #employ(): Member {
    // Workers that ask for port 0 share what the first of them got, but only for as long as one of them is there.
    if (this.#url !== undefined && this.#listening.size === 0)
      this.#port = Number(new URL(this.#url).port || this.#port);
    const worker = cluster.fork();
    const { pid } = worker.process;
    const name = `worker ${worker.id} (process ${pid})`;
    const ready = Promise.withResolvers<string>();
    const ended = Promise.withResolvers<Ending>();
    ready.promise.catch(() => {});
    const member: Member = { worker, name, ready: ready.promise, ended: ended.promise };
    this.#members.add(member);
    let failure: Error | undefined;
    const end = (how: string, { signal = '', clean = false } = {}) => {
      this.#members.delete(member);
      this.#listening.delete(member);
      this.#census.left(member);
      const words = failure ? `could not start: ${failure.message}` : how;
      ready.reject(failure ?? new Error(`${name} ${words} before it listened`));
      ended.resolve({ how: words, signal, clean });
    };
    worker.on('error', (error: Error) => {
      // Of a process that is there, it is a message that did not reach it any more: its exit says the rest.
      if (pid === undefined) end(`did not come into being: ${error.message}`);
    });
    if (pid === undefined) return member;

    worker.on('message', (report: Report) => {
      if (report.kind === 'measured') {
        this.#census.answered(member, report.id, report.snapshot);
      } else if (report.kind === 'gather') {
        void this.#census
          .gather(this.#listening)
          .then((gathered) => tell(worker, { kind: 'gathered', id: report.id, gathered }));
      } else if (report.kind === 'failed') {
        failure = Object.assign(new Error(report.reason), { stack: report.stack });
      } else if (report.kind === 'ready') {
        this.#url ??= report.url;
        // The last one that listened died while this one was on its way, and with it the port of all.
        if (report.url !== this.#url) return void worker.process.kill('SIGKILL');
        this.#listening.add(member);
        ready.resolve(report.url);
        // What the one before this had under way, PostgreSQL may have committed after its death.
        this.#exchange.tellRestored();
      }
    });
    const channel = channelOf(worker.process);
    const closeUndelivered = watchDelivery(worker);
    worker.once('exit', (code: number | null, signal: string | null) => {
      const finish = () => {
        closeUndelivered();
        if (!this.#stopping.signal.aborted) this.#exchange.leave(channel);
        end(signal ? `was ended by ${signal}` : `exited with ${code}`, { signal: signal ?? '', clean: code === 0 });
      };
      // Its last words, such as why it could not start, are on their way until the channel has closed.
      if (worker.isConnected()) worker.once('disconnect', finish);
      else finish();
    });
    this.#exchange.join(channel);
    tell(worker, { kind: 'start', config: { ...this.#config, port: this.#port } });
    return member;
  }

  /**
   * Lets the workers drain, and ends those that take too long; what does not serve yet is ended at once.
   *
   * @throws when one of them does not stop in order.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    const all = [...this.#members];
    const serving = all.filter((member) => this.#listening.has(member));
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#logger.warn(`stopping took too long; ${this.#members.size} workers are cut off`);
      this.#killAll();
    }, this.#config.shutdownTimeout * STOP_SHARE);
    for (const member of all) {
      if (serving.includes(member)) tell(member.worker, { kind: 'stop' });
      else member.worker.process.kill('SIGKILL');
    }
    await Promise.all(all.map(({ ended }) => ended));
    clearTimeout(timer);
    process.off('exit', this.#killAll);
    if (late) return;
    for (const { name, ended } of serving) {
      const { how, clean } = await ended;
      if (!clean) throw new Error(`${name} ${how} while it stopped`);
    }
  }
}

/** A worker that is gone already gets nothing, which is no fault. */
function tell(worker: Worker, order: Order): void {
  worker.process.send(order, () => {});
}

/**
 * Node's cluster forgets a connection that was on its way to a worker when that died: open for ever, and read by nobody.
 * The answer, called after the death, closes it, so that its client tries again.
 */
function watchDelivery({ process: child }: Worker): () => void {
  const send = child.send.bind(child) as (message: unknown, handle?: unknown, ...rest: unknown[]) => boolean;
  // One at a time is on its way. Once it has arrived it is closed on this side: to close it again does nothing.
  let last: { close(): void } | undefined;
  child.send = (message: unknown, handle?: unknown, ...rest: unknown[]): boolean => {
    if ((message as { act?: unknown } | null)?.act === 'newconn') last = handle as { close(): void };
    return send(message, handle, ...rest);
  };
  return () => last?.close();
}
