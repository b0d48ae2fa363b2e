import { Buckets, LIFETIMES, SECONDS } from './buckets.ts';

/** The doors that hold connections and push. */
export const doors = ['graphql_ws', 'legacy_ws', 'sse'] as const;

export type Door = (typeof doors)[number];

/** Places in the numbers of a meter. */
const OPEN = 0;
const DELIVERED = 1;
const FAILED = 2;
const SLOW = 3;
const SINCE_CLOCK = 4;
/** What `performance.now()` lacks to be the time of day: that clock is one that V8 reads without making an object of it. */
const CLOCK_OFFSET = 5;
const SIZE = 6;

/** An event that goes to many connections has its age taken anew after so many of them: writing to these takes well under a millisecond. */
const PUSHES_PER_CLOCK = 64;

/**
 * Counts what one door does. A push costs a few additions in arrays that are there from the beginning, and allocates
 * nothing; the clock is asked once for each event, and once for every 64 connections that it goes to.
 */
export class DoorMeter {
  /** How old events were when they were written, in seconds. */
  readonly latency = new Buckets(SECONDS);
  /** How long connections lasted, in seconds. */
  readonly lifetimes = new Buckets(LIFETIMES);
  readonly #numbers = new Float64Array(SIZE);
  #event: object | undefined;
  /** When the event was committed is known. */
  #isTimed = false;

  constructor() {
    this.alignClock();
  }

  /** Takes over the time of day: to be called now and then, as that may have been set meanwhile. */
  alignClock(): void {
    this.#numbers[CLOCK_OFFSET] = Date.now() - performance.now();
  }

  get open(): number {
    return this.#numbers[OPEN]!;
  }

  get delivered(): number {
    return this.#numbers[DELIVERED]!;
  }

  get failed(): number {
    return this.#numbers[FAILED]!;
  }

  get slow(): number {
    return this.#numbers[SLOW]!;
  }

  opened(): void {
    this.#numbers[OPEN]! += 1;
  }

  closed(afterMs: number): void {
    this.#numbers[OPEN]! -= 1;
    this.lifetimes.observe(afterMs / 1000);
  }

  /** An event has just been written to a connection: the same object for every connection that it goes to. */
  pushed(event: object): void {
    const numbers = this.#numbers;
    numbers[DELIVERED]! += 1;
    numbers[SINCE_CLOCK]! += 1;
    if (event !== this.#event || numbers[SINCE_CLOCK]! > PUSHES_PER_CLOCK) this.#askClock(event);
    else if (this.#isTimed) this.latency.again();
  }

  #askClock(event: object): void {
    this.#event = event;
    const numbers = this.#numbers;
    numbers[SINCE_CLOCK] = 1;
    const { committedAtMs } = event as { committedAtMs?: number };
    this.#isTimed = committedAtMs !== undefined;
    // The clocks of two machines differ: nothing is written before it was committed.
    if (committedAtMs === undefined) return;
    this.latency.observe(Math.max(0, performance.now() + numbers[CLOCK_OFFSET]! - committedAtMs) / 1000);
  }

  /** An event could not be written any more, as its connection was closing or broken. */
  lost(): void {
    this.#numbers[FAILED]! += 1;
  }

  /** A reader was ended because it did not read: what was next for it could not be written. */
  gaveUp(): void {
    this.#numbers[SLOW]! += 1;
    this.#numbers[FAILED]! += 1;
  }
}
