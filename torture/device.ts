import { setTimeout as delay } from 'node:timers/promises';
import { BEGINNING, type DoorKind, type Inbox } from './population.ts';
import type { Random } from './random.ts';

/** What a device was told, in the words that all doors share. */
export interface Taken {
  kind: 'added' | 'updated' | 'read' | 'deleted' | 'reset' | 'welcome';
  /** Where the event stands; the legacy socket tells it of additions only. */
  cursor?: string | undefined;
  previousCursor?: string | undefined;
  ids: readonly string[];
  /** Of an addition or an update: its state. */
  isRead?: boolean | undefined;
  /** The key that the sender gave it. */
  key?: string | undefined;
  unread?: number | undefined;
}

/** What a door tells the device of one connection. */
export interface Visit {
  url: string;
  inbox: Inbox;
  after: string;
  /** Anything at all came. */
  heard: () => void;
  taken: (event: Taken) => void;
  ended: (reason: string) => void;
}

/** One connection at one door. */
export interface Connection {
  /** How long it may be silent before it counts as dead. */
  readonly silenceMs: number;
  ping(): void;
  pause(): void;
  resume(): void;
  abort(): void;
}

export type Dial = (visit: Visit) => Connection;

export interface DeviceOptions {
  name: string;
  inbox: Inbox;
  kind: DoorKind;
  dial: Dial;
  urls: readonly string[];
  random: Random;
}

/** The words with which a server closes a listener that is too slow, at every door. */
const SLOW = /slow consumer/i;

const BEAT_MS = 1000;
const LEAST_BACKOFF_MS = 20;
const MOST_BACKOFF_MS = 500;

/** One device: keeps a connection to some server as well as it can, resumes with its last cursor, and records all. */
export class Device {
  readonly name: string;
  readonly inbox: Inbox;
  readonly kind: DoorKind;
  readonly taken: Taken[] = [];
  /** How its connections ended, by reason. */
  readonly endings = new Map<string, number>();
  connections = 0;
  resumes = 0;
  slowCloses = 0;
  onTaken: (() => void) | undefined;
  cursor = BEGINNING;
  readonly #options: DeviceOptions;
  #connection: Connection | undefined;
  #stalled = false;

  constructor(options: DeviceOptions) {
    this.#options = options;
    ({ name: this.name, inbox: this.inbox, kind: this.kind } = options);
  }

  /** Stays connected until the signal. */
  async run(signal: AbortSignal): Promise<void> {
    const { random, urls } = this.#options;
    while (!signal.aborted) {
      const reason = await this.#visit(random.pick(urls), signal);
      if (SLOW.test(reason)) this.slowCloses += 1;
      this.endings.set(reason, (this.endings.get(reason) ?? 0) + 1);
      await delay(random.between(LEAST_BACKOFF_MS, MOST_BACKOFF_MS), undefined, { signal }).catch(() => {});
    }
  }

  /** Stops reading for that long, as a suspended device does. */
  async stall(until: Promise<unknown>): Promise<void> {
    this.#stalled = true;
    this.#connection?.pause();
    await until;
    this.#stalled = false;
    this.#connection?.resume();
  }

  /** Resolves with the reason when the connection is over. */
  #visit(url: string, signal: AbortSignal): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<string>();
    const { inbox } = this;
    let over = false;
    let lastHeard = performance.now();
    let first = true;
    const ended = (reason: string): void => {
      if (over) return;
      over = true;
      clearInterval(beat);
      signal.removeEventListener('abort', stop);
      this.#connection = undefined;
      // After this turn: a connection may fail before it is known here.
      queueMicrotask(() => connection.abort());
      resolve(reason);
    };
    const stop = (): void => ended('the run is over');
    const beat = setInterval(() => {
      if (this.#stalled) lastHeard = performance.now();
      else if (performance.now() - lastHeard > connection.silenceMs) ended('silence');
      else connection.ping();
    }, BEAT_MS);
    signal.addEventListener('abort', stop);
    this.connections += 1;
    const connection = this.#options.dial({
      url,
      inbox,
      after: this.cursor,
      heard: () => {
        lastHeard = performance.now();
      },
      taken: (event) => {
        if (over) return;
        if (first && this.connections > 1) this.resumes += 1;
        first = false;
        this.taken.push(event);
        if (event.cursor !== undefined) this.cursor = event.cursor;
        this.onTaken?.();
      },
      ended,
    });
    if (!over) this.#connection = connection;
    if (this.#stalled) connection.pause();
    return promise;
  }
}
