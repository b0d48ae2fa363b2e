import type { Rate } from '../config.ts';
import type { SharedCount, SharedCounts } from './shared-counts.ts';
import { Tallies, type Tally } from './tallies.ts';

/** Keys of which other instances are told at once; those beyond are told of when they are next active. */
const MAX_UNTOLD = 10_000;

/** Commands that share a pipeline. */
const PIPELINE = 1000;

/**
 * One limit of many keys. Counts here and decides at once; with `shared` it also adds what it has admitted to the count
 * of all instances, and refuses a key for the rest of the common window once that is used up.
 *
 * The memory limiter of rate-limiter-flexible is not used for what is counted here: it answers by a promise, when what
 * comes next on the same socket may have been served already, keeps a timer for each key, and has no bound on keys.
 */
export class RateLimit {
  readonly tallies: Tallies;
  readonly #points: number;
  readonly #shared: SharedCount | undefined;
  #untold = new Map<string, Tally>();

  constructor(name: string, { points, durationMs }: Rate, shared?: SharedCounts) {
    this.#points = points;
    this.tallies = new Tallies(durationMs);
    this.#shared = shared?.count(name, { points, durationMs });
  }

  /** Whether so many points may be spent now. More than there are at all count as all that there are. */
  allows({ spent, blockedUntilMs }: Tally, points: number, nowMs: number): boolean {
    return blockedUntilMs <= nowMs && spent + Math.min(points, this.#points) <= this.#points;
  }

  /** Milliseconds until a key that is refused is worth another attempt. */
  waitOf({ endsAtMs, blockedUntilMs }: Tally, nowMs: number): number {
    return (blockedUntilMs > nowMs ? blockedUntilMs : endsAtMs) - nowMs;
  }

  spend(key: string, tally: Tally, points: number): void {
    const worth = Math.min(points, this.#points);
    tally.spent += worth;
    if (!this.#shared) return;
    if (tally.untold === 0) {
      if (this.#untold.size >= MAX_UNTOLD) return;
      this.#untold.set(key, tally);
    }
    tally.untold += worth;
  }

  /** Tells the other instances what was admitted since the last time. What cannot be told is forgotten. Never rejects. */
  async share(): Promise<void> {
    const shared = this.#shared;
    if (!shared || this.#untold.size === 0) return;
    const told = [...this.#untold].map(([key, tally]) => ({ key, tally, points: tally.untold }));
    this.#untold = new Map();
    for (const { tally } of told) tally.untold = 0;
    try {
      for (let start = 0; start < told.length; start += PIPELINE) {
        await Promise.all(
          told.slice(start, start + PIPELINE).map(async ({ key, tally, points }) => {
            const { spent, leftMs } = await shared.add(key, points);
            if (spent >= this.#points) tally.blockedUntilMs = Math.round(performance.now()) + leftMs;
          }),
        );
      }
    } catch {
      // Redis is away, which its connection tells: the limits of this process hold.
    }
  }
}
