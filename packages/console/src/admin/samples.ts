import type { StatsQuery } from '../operations/generated.ts';

/** The figures of one moment. */
export interface Sample {
  /** s since the epoch, as uPlot takes it. */
  readonly at: number;
  /** Since the sample before. */
  readonly sends: number;
  readonly connections: number;
  readonly onlineUsers: number;
}

export interface Samples {
  readonly list: readonly Sample[];
  /** The last total, to count from. */
  readonly total: number | null;
}

export const noSamples: Samples = { list: [], total: null };

/** Five minutes of polls. */
const MOST = 150;

/** Adds the figures of now. At midnight the total begins anew. */
export function addSample(
  { list, total }: Samples,
  { onlineUsers, connections, today }: StatsQuery['stats'],
  atMs: number,
): Samples {
  const since = total === null ? 0 : today.sends - total;
  const sends = since < 0 ? today.sends : since;
  return {
    list: [...list, { at: atMs / 1000, sends, connections, onlineUsers }].slice(-MOST),
    total: today.sends,
  };
}
