import { createLogger } from '../../src/logger.ts';
import { Metrics } from '../../src/metrics/metrics.ts';
import type { Topics } from '../../src/pubsub/topics.ts';
import type { InboxAddress } from '../../src/services/caller.ts';
import { Hub, type ListenOptions } from '../../src/services/hub.ts';
import type { InboxEvent, InboxReset } from '../../src/services/inbox-event.ts';
import type { InboxListener } from '../../src/services/inbox-listener.ts';
import type { InboxLog } from '../../src/services/inbox-log.ts';
import { InboxReplays, type Replay, type ReplayReader } from '../../src/services/inbox-replay.ts';
import { ofEveryTenant } from '../support/every-tenant.ts';

/** Replays whose pages a test can hold up and break. */
export class ControlledReplays extends InboxReplays {
  /** How many of the next reads fail. */
  failures = 0;
  reads = 0;
  #gate: PromiseWithResolvers<void> | undefined;
  #reading = Promise.withResolvers<void>();
  #postponed:
    | { what: 'read' | 'answer'; asked: PromiseWithResolvers<void>; gate: PromiseWithResolvers<void> }
    | undefined;

  /** Holds up one page: the next read, or the next answer. Resolves, with what lets it go on, when it is held up. */
  async postpone(what: 'read' | 'answer'): Promise<() => void> {
    const [asked, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    this.#postponed = { what, asked, gate };
    await asked.promise;
    return gate.resolve;
  }

  /** Holds answers back until `release`; resolves when the first one is there. */
  hold(): Promise<void> {
    this.#gate = Promise.withResolvers<void>();
    this.#reading = Promise.withResolvers<void>();
    return this.#reading.promise;
  }

  release(): void {
    this.#gate?.resolve();
    this.#gate = undefined;
  }

  override after(...args: Parameters<InboxReplays['after']>): ReplayReader {
    const reader = super.after(...args);
    const next = reader.next.bind(reader);
    reader.next = () => this.#control(next);
    return reader;
  }

  async #control(next: () => Promise<Replay>): Promise<Replay> {
    this.reads += 1;
    await this.#waitFor('read');
    if (this.failures > 0) {
      this.failures -= 1;
      throw Object.assign(new Error('Connection terminated unexpectedly'), { code: '57P01' });
    }
    const replay = await next();
    await this.#waitFor('answer');
    this.#reading.resolve();
    await this.#gate?.promise;
    return replay;
  }

  async #waitFor(what: 'read' | 'answer'): Promise<void> {
    const postponed = this.#postponed;
    if (postponed?.what !== what) return;
    this.#postponed = undefined;
    postponed.asked.resolve();
    await postponed.gate.promise;
  }
}

const HOUR_MS = 3_600_000;

/** A hub that compares with the log only when it is told to. */
export const createHub = (
  topics: Topics,
  { log, replays }: { log: InboxLog; replays: InboxReplays },
  maxWaitingEvents = 100_000,
): Hub =>
  ofEveryTenant(
    new Hub({
      topics,
      log,
      replays,
      metrics: new Metrics(),
      logger: createLogger({ level: 'silent', format: 'json' }),
      maxWaitingEvents,
      sweepIntervalMs: HOUR_MS,
    }),
  );

/** A listener that is read all the time. */
export class Reader implements AsyncDisposable {
  readonly events: InboxEvent[] = [];
  readonly resets: InboxReset[] = [];
  readonly listener: InboxListener;
  /** Resolves when the listener has ended; rejects with its error. */
  readonly done: Promise<void>;
  #arrived = Promise.withResolvers<void>();

  private constructor(listener: InboxListener) {
    this.listener = listener;
    this.done = this.#read();
    this.done.catch(() => {});
  }

  static async open(hub: Hub, address: InboxAddress, options: ListenOptions = {}): Promise<Reader> {
    return new Reader(await hub.listen(address, options));
  }

  /** Resolves with the first reset. */
  async reset(): Promise<InboxReset> {
    for (;;) {
      const [first] = this.resets;
      if (first) return first;
      const ended = await Promise.race([this.#arrived.promise, this.done.then(() => true)]);
      if (ended === true) throw new Error('ended before a reset');
    }
  }

  get versions(): number[] {
    return this.events.map(({ version }) => version);
  }

  /** Resolves when a version has been told; rejects when the listener ends before. */
  async reached(version: number): Promise<void> {
    while ((this.events.at(-1)?.version ?? 0) < version) {
      const ended = await Promise.race([this.#arrived.promise, this.done.then(() => true)]);
      if (ended === true) throw new Error(`ended before version ${version}`);
    }
  }

  async #read(): Promise<void> {
    for await (const event of this.listener) {
      if (event.kind === 'reset') this.resets.push(event);
      else this.events.push(event);
      this.#arrived.resolve();
      this.#arrived = Promise.withResolvers<void>();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.listener.return();
  }
}
