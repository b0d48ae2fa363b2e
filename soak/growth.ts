import { type Point, type Slope, slopeOf } from './slope.ts';

/** How something of one server went over the measured time. */
export interface Growth extends Slope {
  readonly server: string;
  readonly what: Watched;
  readonly samples: number;
  /** What it grows by in an hour, of its mean, at the least: its slope less two standard errors. */
  readonly leastShare: number;
  readonly isLeak: boolean;
}

interface Bound {
  /** Of its mean, for each hour. */
  readonly sharePerHour: number;
  /** Rises that are smaller, over the whole measured time, are put down to chance. */
  readonly leastRise: number;
}

const DEVIATIONS = 2;

export type Watched = 'heap' | 'descriptors';

/** What may grow, and is no leak. */
export interface Tolerance {
  /** What a heap may grow by in an hour, of itself. */
  heapShare: number;
  /** What it may grow by in the whole time: code that is compiled late, what one collection leaves and another takes. */
  heapNoiseBytes: number;
  /** What open descriptors may rise by in the whole time: connections of clients and to the database come and go. */
  descriptorNoise: number;
}

export const bounds = ({ heapShare, heapNoiseBytes, descriptorNoise }: Tolerance): Record<Watched, Bound> => ({
  heap: { sharePerHour: heapShare, leastRise: heapNoiseBytes },
  descriptors: { sharePerHour: 0, leastRise: descriptorNoise },
});

/**
 * A leak is what rises surely, two standard errors aside, by more than the bound, and by more than chance does. With
 * fewer than three samples nothing is one.
 */
export function judgeGrowth(server: string, what: Watched, points: readonly Point[], bound: Bound): Growth {
  const slope = slopeOf(points);
  const leastShare = (slope.perHour - DEVIATIONS * slope.standardError) / slope.mean;
  const isLeak = leastShare > bound.sharePerHour && slope.rise > bound.leastRise;
  return { ...slope, server, what, samples: points.length, leastShare, isLeak };
}
