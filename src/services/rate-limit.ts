import type { Rate } from '../config.ts';
import type { SharedCount, SharedCounts } from './shared-counts.ts';
import { Tallies, type Tally } from './tallies.ts';

/** Keys of which other instances are told at once; those beyond are told of when they are next active. */
const MAX_UNTOLD = 10_000;

/** Commands that share a pipeline. */
const PIPELINE = 1000;

/** Who is refused more often is held short, until half the duration has passed without a refusal. */
export const PROMPT_REFUSALS = 20;

/** What those may spend at once who are held short: what comes back in so long, and no less than so many points. */
const SHORT_MS = 250;
const SHORT_POINTS = 10;

/** Tenths of points do not add up exactly: what is too much by less than this is not. */
const ROUNDING_POINTS = 1e-6;

/**
 * One limit of many keys: a bucket of points for each, which fills steadily. Counts here and decides at once; with
 * `shared` it also adds what it has admitted to the count of all instances, and takes out of the bucket what the others
 * have admitted.
 *
 * Who goes on asking although nothing is left gets what comes back, but may not save it up: else it is there when all of
 * their refusals, which are held back, have been told, and all of them come again at once.
 *
 * The memory limiter of rate-limiter-flexible is not used for what is counted here: it answers by a promise, when what
 * comes next on the same socket may have been served already, keeps a timer for each key, has no bound on keys, and
 * counts in windows, at whose beginning all that is allowed may come at once.
 */
export class RateLimit {
  readonly tallies: Tallies;
  readonly #points: number;
  readonly #shortPoints: number;
  readonly #durationMs: number;
  readonly #shared: SharedCount | undefined;
  #untold = new Map<string, Tally>();

  constructor(name: string, rate: Rate, shared?: SharedCounts) {
    this.#points = rate.points;
    this.#shortPoints = Math.min(rate.points, Math.max(SHORT_POINTS, (rate.points * SHORT_MS) / rate.durationMs));
    this.#durationMs = rate.durationMs;
    this.tallies = new Tallies(rate);
    this.#shared = shared?.count(name, rate);
  }

  /** Whether so many points may be spent now. More than there can be at all count as all that there can be. */
  allows(tally: Tally, points: number): boolean {
    this.#forgive(tally);
    const most = this.#mostAtOnce(tally);
    tally.spent = Math.max(tally.spent, this.#points - most);
    return tally.spent + Math.min(points, most) <= this.#points + ROUNDING_POINTS;
  }

  /** How much of what can be spent at once is spent, from 0 to 1. */
  shareOf({ spent }: Tally): number {
    return spent / this.#points;
  }

  /** Counts a refusal. Returns how many there were until now, this one with them. */
  refuse(tally: Tally): number {
    tally.refusedAtMs = tally.atMs;
    tally.refusals += 1;
    return tally.refusals;
  }

  /** Milliseconds until so many points may be spent. */
  waitOf(tally: Tally, points: number): number {
    const missing = tally.spent + Math.min(points, this.#mostAtOnce(tally)) - this.#points;
    return Math.max(0, (missing * this.#durationMs) / this.#points);
  }

  #forgive(tally: Tally): void {
    if (tally.refusals === 0) return;
    const isForgiven =
      tally.refusals > PROMPT_REFUSALS
        ? tally.atMs - tally.refusedAtMs >= this.#durationMs / 2
        : tally.spent <= this.#points / 2;
    if (isForgiven) tally.refusals = 0;
  }

  #mostAtOnce({ refusals }: Tally): number {
    return refusals > PROMPT_REFUSALS ? this.#shortPoints : this.#points;
  }

  /** Takes points that were not asked for, as many of them as there are. */
  charge(key: string, tally: Tally, points: number): void {
    const worth = Math.min(points, Math.max(0, this.#points - tally.spent));
    if (worth > 0) this.spend(key, tally, worth);
  }

  /** Gives back what was spent just now. */
  refund(key: string, tally: Tally, points: number): void {
    this.spend(key, tally, -Math.min(points, tally.spent));
  }

  spend(key: string, tally: Tally, points: number): void {
    const worth = Math.min(points, this.#points);
    tally.spent += worth;
    if (!this.#shared) return;
    if (!tally.isListed) {
      if (this.#untold.size >= MAX_UNTOLD) return;
      this.#untold.set(key, tally);
      tally.isListed = true;
    }
    tally.untold += worth;
  }

  /** Tells the other instances what was admitted since the last time. What cannot be told is forgotten. Never rejects. */
  async share(): Promise<void> {
    const shared = this.#shared;
    if (!shared || this.#untold.size === 0) return;
    const told = [...this.#untold]
      .map(([key, tally]) => ({ key, tally, points: Math.floor(tally.untold) }))
      .filter(({ points }) => points > 0);
    for (const tally of this.#untold.values()) tally.isListed = false;
    this.#untold = new Map();
    // Windows of Redis count whole points; what is left is told with what comes next.
    for (const { tally, points } of told) tally.untold -= points;
    try {
      for (let start = 0; start < told.length; start += PIPELINE) {
        await Promise.all(
          told.slice(start, start + PIPELINE).map(async ({ key, tally, points }) => {
            this.#learn(tally, points, await shared.add(key, points));
          }),
        );
      }
    } catch {
      // Redis is away, which its connection tells: the limits of this process hold.
    }
  }

  /** Takes out what the others have admitted since the last time. */
  #learn(tally: Tally, own: number, { spent, leftMs }: { spent: number; leftMs: number }): void {
    const now = Math.round(performance.now());
    const isSameWindow = now < tally.commonEndsAtMs && spent >= tally.common + own;
    const ofOthers = spent - own - (isSameWindow ? tally.common : 0);
    tally.common = spent;
    tally.commonEndsAtMs = now + leftMs;
    tally.spent = Math.min(this.#points, tally.spent + ofOthers);
  }
}
