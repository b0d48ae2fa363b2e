import { Counter, Gauge, type Registry } from 'prom-client';
import type { Buckets } from './buckets.ts';

export type Labels = Readonly<Record<string, string>>;

/** What a metric says now: each combination of labels once. */
export type Readings<T> = readonly (readonly [Labels, T])[];

interface About<T> {
  name: string;
  help: string;
  /** Asked at each scrape. */
  read: () => Readings<T>;
}

const NO_LABELS: Labels = {};

/** The readings of a metric without labels. */
export const only = <T>(value: T): Readings<T> => [[NO_LABELS, value]];

const labelNamesOf = (readings: Readings<unknown>): string[] => Object.keys(readings[0]?.[0] ?? NO_LABELS);

/** A counter whose numbers are kept elsewhere. `read` names all of its labels from the beginning. */
export function exposeCounter(registry: Registry, { name, help, read }: About<number>): void {
  const counter = new Counter({
    name,
    help,
    labelNames: labelNamesOf(read()),
    registers: [registry],
    collect() {
      counter.reset();
      for (const [labels, value] of read()) counter.inc(labels, value);
    },
  });
}

/** A gauge whose numbers are kept elsewhere; over several processes it is their sum. */
export function exposeGauge(registry: Registry, { name, help, read }: About<number>): void {
  const gauge = new Gauge({
    name,
    help,
    labelNames: labelNamesOf(read()),
    registers: [registry],
    collect() {
      for (const [labels, value] of read()) gauge.set(labels, value);
    },
  });
}

/** A histogram whose counts are kept in `Buckets`. */
export function exposeHistogram(registry: Registry, { name, help, read }: About<Buckets>): void {
  const valuesOf = ([labels, buckets]: readonly [Labels, Buckets]) => {
    const bounds = [...buckets.bounds, '+Inf'];
    const counts = buckets.cumulative();
    return [
      ...counts.map((value, nth) => ({
        metricName: `${name}_bucket`,
        labels: { ...labels, le: bounds[nth] as number | string },
        value,
      })),
      { metricName: `${name}_sum`, labels, value: buckets.sum },
      { metricName: `${name}_count`, labels, value: counts.at(-1) as number },
    ];
  };
  const histogram = {
    name,
    get: async () => ({ name, help, type: 'histogram', aggregator: 'sum', values: read().flatMap(valuesOf) }),
  };
  // What a registry needs of a metric is its name and `get`; the type asks for the class.
  registry.registerMetric(histogram as unknown as Counter);
}
