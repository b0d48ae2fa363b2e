/** What one key has spent in its present window. Times are of `performance.now()`, in whole milliseconds. */
export interface Tally {
  spent: number;
  endsAtMs: number;
  /** Refused until then, whatever it has spent here. */
  blockedUntilMs: number;
  /** Spent, and not told to other instances yet. */
  untold: number;
}

/** Keys of one generation; there are at most two. */
const MAX_KEYS = 50_000;

/**
 * Tallies by key, for at most twice `maxKeys` keys. Those that are used move on from one generation to the next, and a
 * generation is dropped as a whole: when the next one is full, or when every window in it is over. So a crowd of made-up
 * keys forgets other keys only while these are not used.
 */
export class Tallies {
  readonly #durationMs: number;
  readonly #maxKeys: number;
  #young = new Map<string, Tally>();
  #old = new Map<string, Tally>();
  #beganAtMs = 0;

  constructor(durationMs: number, maxKeys = MAX_KEYS) {
    this.#durationMs = durationMs;
    this.#maxKeys = maxKeys;
  }

  /** Keys that are remembered. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /** The tally of a key in the window of now. */
  of(key: string, nowMs: number): Tally {
    let tally = this.#young.get(key) ?? this.#move(key, nowMs);
    if (tally === undefined) {
      tally = { spent: 0, endsAtMs: nowMs + this.#durationMs, blockedUntilMs: 0, untold: 0 };
      this.#young.set(key, tally);
    } else if (tally.endsAtMs <= nowMs) {
      tally.spent = 0;
      tally.endsAtMs = nowMs + this.#durationMs;
    }
    return tally;
  }

  #move(key: string, nowMs: number): Tally | undefined {
    if (this.#young.size >= this.#maxKeys || nowMs - this.#beganAtMs >= this.#durationMs) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#beganAtMs = nowMs;
    }
    const tally = this.#old.get(key);
    if (tally) {
      this.#old.delete(key);
      this.#young.set(key, tally);
    }
    return tally;
  }
}
