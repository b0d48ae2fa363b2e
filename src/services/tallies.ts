/** What one key has spent of its bucket. Times are of `performance.now()`, in whole milliseconds. */
export interface Tally {
  /** Points that are missing from the full bucket, at that moment. */
  spent: number;
  atMs: number;
  /** Refusals until `RateLimit` forgives them, and when the last of them was. */
  refusals: number;
  refusedAtMs: number;
  /** Spent, and not told to other instances yet; and whether it is among those that are told next. */
  untold: number;
  isListed: boolean;
  /** What all instances had spent in their common window when this one last told them, and when that window ends. */
  common: number;
  commonEndsAtMs: number;
}

/** Keys of one generation; there are at most two. */
const MAX_KEYS = 50_000;

/**
 * Tallies by key, for at most twice `maxKeys` keys. Those that are used move on from one generation to the next, and a
 * generation is dropped as a whole: when the next one is full, or when every bucket in it is full again. So a crowd of
 * made-up keys forgets other keys only while these are not used.
 */
export class Tallies {
  readonly #points: number;
  readonly #durationMs: number;
  readonly #maxKeys: number;
  #young = new Map<string, Tally>();
  #old = new Map<string, Tally>();
  #beganAtMs = 0;

  /** An empty bucket is full, of `points`, after `durationMs`, and fills steadily. */
  constructor({ points, durationMs }: { points: number; durationMs: number }, maxKeys = MAX_KEYS) {
    this.#points = points;
    this.#durationMs = durationMs;
    this.#maxKeys = maxKeys;
  }

  /** Keys that are remembered. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /** The tally of a key as it is now. */
  of(key: string, nowMs: number): Tally {
    let tally = this.#young.get(key) ?? this.#move(key, nowMs);
    if (tally === undefined) {
      tally = {
        spent: 0,
        atMs: nowMs,
        refusals: 0,
        refusedAtMs: 0,
        untold: 0,
        isListed: false,
        common: 0,
        commonEndsAtMs: 0,
      };
      this.#young.set(key, tally);
    } else if (tally.atMs !== nowMs) {
      tally.spent = Math.max(0, tally.spent - (this.#points * (nowMs - tally.atMs)) / this.#durationMs);
      tally.atMs = nowMs;
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
