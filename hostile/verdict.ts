import { isFlawless, sumFaults } from '../bench/measure.ts';
import type { Trial } from './run.ts';

/** What good clients may wait longer beside a hostile one. */
export const MOST_RATIO = 1.2;

/** Below this a difference is the clock's and the system's. */
const NOISE_MS = 2;

/** What the heap may hold more after the attack than before: what it has learnt, such as compiled code and documents. */
const MOST_LEFT = 1.25;
const MOST_LEFT_BYTES = 32 * 2 ** 20;

/** What the process may take more at its peak. */
const MOST_PEAK_BYTES = 512 * 2 ** 20;

const MOST_DESCRIPTORS_LEFT = 50;

export interface Judged {
  /** Under attack by quiet; of the median and of the slowest of a hundred. */
  readonly ratios: { readonly p50: number; readonly p99: number };
  /** Promises that were broken, in words. */
  readonly broken: readonly string[];
}

/** Holds a trial against what is promised of it. */
export function judge({ quiet, attacked, holding, errors }: Trial, mostRatio = MOST_RATIO): Judged {
  const of = (outcome: typeof quiet) => [outcome.p50Ms ?? Number.NaN, outcome.p99Ms ?? Number.NaN] as const;
  const [[quiet50, quiet99], [attacked50, attacked99]] = [of(quiet), of(attacked)];
  const broken: string[] = [];
  const slower = (name: string, quietMs: number, attackedMs: number): void => {
    const isFine = attackedMs <= Math.max(quietMs * mostRatio, quietMs + NOISE_MS);
    if (!isFine) broken.push(`${name} is ${attackedMs.toFixed(1)} ms under attack, ${quietMs.toFixed(1)} ms without`);
  };
  slower('p50', quiet50, attacked50);
  slower('p99', quiet99, attacked99);
  const faults = sumFaults([quiet.faults, attacked.faults]);
  if (!isFlawless(faults)) broken.push(`good clients had ${JSON.stringify(faults)}`);
  const { before, peak, after } = holding;
  if (after.heapBytes > Math.max(before.heapBytes * MOST_LEFT, before.heapBytes + MOST_LEFT_BYTES)) {
    broken.push('the heap does not come back');
  }
  if (peak.rssBytes > before.rssBytes + MOST_PEAK_BYTES) broken.push('memory is not bounded');
  if ((after.descriptors ?? 0) > (before.descriptors ?? 0) + MOST_DESCRIPTORS_LEFT) {
    broken.push('descriptors do not come back');
  }
  if (errors.length > 0) broken.push(`${errors.length} lines of errors are in the log: ${errors[0]}`);
  return { ratios: { p50: attacked50 / quiet50, p99: attacked99 / quiet99 }, broken };
}
