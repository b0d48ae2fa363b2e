import { randomUUID } from 'node:crypto';
import type { Logger } from '../logger.ts';
import { asEveryTenant } from '../scope.ts';
import { apart } from '../tracing/spans.ts';
import { type InboxAddress, inboxKey } from './caller.ts';
import { type Count, DEAD_AFTER_MS, type PresenceTable } from './presence-table.ts';

/** Whoever counts the connections of this process. */
export interface Crowd {
  /** Every user with connections, once, and how many. */
  present(): Iterable<readonly [InboxAddress, number]>;
}

export interface AttendanceOptions {
  table: PresenceTable;
  logger: Logger;
  /** Called after the commit for each user whose stored state has changed. */
  onChanged: (address: InboxAddress) => void;
}

const BEAT_MS = 5000;

/** Whoever comes back within this time had not gone; counts may be that late, too. */
const GRACE_MS = 2000;

/** Least time between two statements: what comes meanwhile shares the next one. */
const GATHER_MS = 100;

const MAX_BATCH = 500;
const RETRY_MS = 1000;

/** Most time that leaving may take: the database may be away. */
const LEAVE_MS = 1000;

interface Due extends Count {
  readonly dueAtMs: number;
}

/**
 * Keeps the tables true to the connections of this process, and removes instances that are dead. Whoever comes is stored
 * at once, whoever goes after a moment, of each user the newest state; never while anybody waits. After a failure
 * everything that this instance had stored is compared with what it counts, and written anew where it differs.
 */
export class Attendance implements AsyncDisposable {
  /** Of this life of the process. */
  readonly #id = randomUUID();
  readonly #options: AttendanceOptions;
  #crowd: Crowd | undefined;
  /** By user; to be written with the next statement. */
  readonly #urgent = new Map<string, Count>();
  /** By user; the one that is due first comes first. */
  readonly #later = new Map<string, Due>();
  #beats: NodeJS.Timeout | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timerAtMs = 0;
  #writing: Promise<void> | undefined;
  #wroteAtMs = Number.NEGATIVE_INFINITY;
  #beating: Promise<void> | undefined;
  #isRegistered = false;
  #mustCompare = false;
  #isTroubled = false;
  #lastBeatMs = Number.NEGATIVE_INFINITY;
  /** Beats have come without a long break since then. */
  #steadySinceMs = Number.POSITIVE_INFINITY;
  #disposed = false;

  constructor(options: AttendanceOptions) {
    this.#options = options;
  }

  /** Begins: from now on this process is an instance. */
  follow(crowd: Crowd): void {
    this.#crowd = crowd;
    this.#beats = setInterval(() => this.#onBeat(), BEAT_MS).unref();
    this.#onBeat();
  }

  /** Takes note that a user has so many connections here now, and had so many before. Costs next to nothing. */
  counted(address: InboxAddress, connections: number, before: number): void {
    const key = inboxKey(address);
    const earlier = this.#later.get(key);
    if (before === 0 && !earlier) {
      this.#urgent.set(key, { address, connections });
      this.#wakeWithin(Math.max(0, this.#wroteAtMs + GATHER_MS - performance.now()));
      return;
    }
    // Those who only change their number keep their place, or a busy one would never be written.
    const keepsPlace = earlier !== undefined && earlier.connections > 0 && connections > 0;
    if (!keepsPlace) this.#later.delete(key);
    const dueAtMs = keepsPlace ? earlier.dueAtMs : performance.now() + GRACE_MS;
    this.#later.set(key, { address, connections, dueAtMs });
    this.#wakeWithin(GRACE_MS);
  }

  #wakeWithin(ms: number): void {
    if (this.#writing || this.#disposed) return;
    const atMs = performance.now() + ms;
    if (this.#timer && this.#timerAtMs <= atMs) return;
    clearTimeout(this.#timer);
    this.#timerAtMs = atMs;
    this.#timer = setTimeout(() => apart(() => this.#write()), ms).unref();
  }

  /** One statement at a time: what is written later is newer. */
  #write(): void {
    this.#timer = undefined;
    this.#wroteAtMs = performance.now();
    this.#writing = asEveryTenant(() => this.#writeNext()).then((isWritten) => {
      this.#writing = undefined;
      const waitMs = isWritten ? this.#nextMs() : RETRY_MS;
      if (waitMs !== undefined) this.#wakeWithin(waitMs);
    });
  }

  /** How long what is still to be written may wait; `undefined` when there is nothing. */
  #nextMs(): number | undefined {
    if (this.#mustCompare || this.#urgent.size >= MAX_BATCH) return 0;
    if (this.#urgent.size > 0) return GATHER_MS;
    const [first] = this.#later.values();
    return first && Math.max(GATHER_MS, first.dueAtMs - performance.now());
  }

  /** Never rejects; answers whether it could. */
  async #writeNext(): Promise<boolean> {
    try {
      if (!this.#isRegistered) await this.#beat();
      if (this.#mustCompare) await this.#compare();
      const batch = this.#take();
      if (batch.length > 0) {
        for (const address of await this.#options.table.write(this.#id, batch)) this.#options.onChanged(address);
      }
      this.#recovered();
      return true;
    } catch (error) {
      this.#failed(error);
      return false;
    }
  }

  #take(): Count[] {
    const now = performance.now();
    for (const [key, due] of this.#later) {
      if (due.dueAtMs > now) break;
      this.#later.delete(key);
      this.#urgent.set(key, due);
    }
    const batch: Count[] = [];
    for (const [key, count] of this.#urgent) {
      if (batch.length === MAX_BATCH) break;
      this.#urgent.delete(key);
      batch.push(count);
    }
    return batch;
  }

  /** Whatever differs between what is stored of this instance and what it counts is to be written. */
  async #compare(): Promise<void> {
    const stored = await this.#options.table.usersOf(this.#id);
    this.#mustCompare = false;
    this.#urgent.clear();
    for (const [address, connections] of this.#crowd?.present() ?? []) {
      this.#urgent.set(inboxKey(address), { address, connections });
    }
    for (const address of stored) {
      const key = inboxKey(address);
      if (this.#urgent.has(key) || this.#later.has(key)) continue;
      this.#later.set(key, { address, connections: 0, dueAtMs: performance.now() + GRACE_MS });
    }
  }

  #onBeat(): void {
    this.#beating ??= asEveryTenant(() => this.#beat())
      .then(() => this.#recovered())
      .catch((error: unknown) => this.#failed(error))
      .finally(() => {
        this.#beating = undefined;
      });
  }

  async #beat(): Promise<void> {
    const { isNew, othersAreDead } = await this.#options.table.beat(this.#id);
    const now = performance.now();
    // After a break of the database's all others look dead as well: they get the time to say that they live.
    if (now - this.#lastBeatMs > DEAD_AFTER_MS) this.#steadySinceMs = now;
    this.#lastBeatMs = now;
    if (isNew && this.#isRegistered) {
      this.#mustCompare = true;
      this.#wakeWithin(0);
    }
    this.#isRegistered = true;
    if (!othersAreDead || now - this.#steadySinceMs < DEAD_AFTER_MS) return;
    for (const address of await this.#options.table.removeDead()) this.#options.onChanged(address);
  }

  #failed(error: unknown): void {
    // What was under way may be stored or not, and others may have removed this instance meanwhile.
    this.#mustCompare = true;
    this.#isRegistered = false;
    if (this.#disposed || this.#isTroubled) return;
    this.#isTroubled = true;
    this.#options.logger.warn({ err: error }, 'who is online could not be stored; trying again until it can');
  }

  #recovered(): void {
    if (!this.#isTroubled) return;
    this.#isTroubled = false;
    this.#options.logger.info('who is online is stored again');
    this.#wakeWithin(0);
  }

  /** Takes this instance out of the tables: nobody is connected to it any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    clearInterval(this.#beats);
    clearTimeout(this.#timer);
    if (!this.#crowd) return;
    const late = new AbortController();
    const tooLate = new Promise<void>((resolve) => late.signal.addEventListener('abort', () => resolve()));
    const timer = setTimeout(() => late.abort(), LEAVE_MS);
    await Promise.race([this.#leave(late.signal), tooLate]);
    clearTimeout(timer);
  }

  async #leave(late: AbortSignal): Promise<void> {
    await this.#writing;
    await this.#beating;
    try {
      const gone = await asEveryTenant(() => this.#options.table.remove(this.#id));
      if (!late.aborted) for (const address of gone) this.#options.onChanged(address);
    } catch (error) {
      this.#options.logger.debug({ err: error }, 'this instance could not be taken out; another one will do it');
    }
  }
}
