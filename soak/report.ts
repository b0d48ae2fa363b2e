import type { Category, Verdict } from '../torture/verdict.ts';
import type { Arrivals } from './arrivals.ts';
import type { Audience } from './audience.ts';
import { type Growth, type Tolerance, type Watched, bounds, judgeGrowth } from './growth.ts';
import type { SoakOptions } from './run.ts';
import type { DatabaseSample, Sample, Sampler } from './sampler.ts';
import type { Town } from './town.ts';

/** The outcome of a run. */
export interface Report {
  seed: number;
  minutes: number;
  clients: number;
  acts: number;
  sends: number;
  deliveries: number;
  connections: number;
  resumes: number;
  webhooks: number;
  /** How heaps and descriptors went, once warm. */
  growths: Growth[];
  counts: Record<Category, number>;
  details: Record<Category, string[]>;
  /** Answers that nothing explains. */
  surprises: Record<string, number>;
  /** How connections ended that should have stayed. */
  cutOff: Record<string, number>;
  /** Lines of the servers' logs. */
  errors: string[];
  samples: Sample[];
  databaseSamples: DatabaseSample[];
  exitCode: 0 | 1;
}

export interface ReportOptions {
  options: SoakOptions;
  loadMs: number;
  town: Town;
  audience: Audience;
  arrivals: Arrivals;
  sampler: Sampler;
  webhooks: number;
  errors: string[];
  verdict: Verdict;
}

const WATCHED = {
  heap: ({ heapBytes }) => heapBytes,
  descriptors: ({ descriptors }) => descriptors,
} as const satisfies Record<Watched, (sample: Sample) => number | undefined>;

export function createReport(parts: ReportOptions): Report {
  const { options, loadMs, town, audience, arrivals, sampler, webhooks, errors, verdict } = parts;
  const { samples, databaseSamples } = sampler;
  const growths = growthsOf(samples, options);
  const [surprises, cutOff] = [Object.fromEntries(town.surprises), Object.fromEntries(audience.cutOff)];
  const isGood =
    verdict.isClean &&
    errors.length === 0 &&
    Object.keys(surprises).length === 0 &&
    Object.keys(cutOff).length === 0 &&
    growths.every(({ isLeak }) => !isLeak);
  return {
    seed: options.seed,
    minutes: loadMs / 60_000,
    clients: options.clients,
    acts: town.acts,
    sends: arrivals.acknowledged,
    deliveries: audience.deliveries,
    connections: audience.connections,
    resumes: audience.resumes,
    webhooks,
    growths,
    counts: verdict.counts,
    details: verdict.details,
    surprises,
    cutOff,
    errors,
    samples,
    databaseSamples,
    exitCode: isGood ? 0 : 1,
  };
}

/** Of each server, what is watched; without the share of the time that it needs to get warm. */
export function growthsOf(
  samples: readonly Sample[],
  options: Pick<SoakOptions, 'warmUp' | keyof Tolerance>,
): Growth[] {
  const end = samples.at(-1)?.hours ?? 0;
  const warm = samples.filter(({ hours }) => hours >= end * options.warmUp);
  const bound = bounds(options);
  return [...new Set(warm.map(({ server }) => server))].flatMap((server) =>
    (Object.keys(WATCHED) as Watched[]).flatMap((what) => {
      const points = warm.flatMap((sample) => {
        const value = sample.server === server ? WATCHED[what](sample) : undefined;
        return value === undefined ? [] : [{ hours: sample.hours, value }];
      });
      return points.length === 0 ? [] : [judgeGrowth(server, what, points, bound[what])];
    }),
  );
}
