import { AggregatorRegistry, type Registry } from 'prom-client';
import type { Metrics, Snapshot } from './metrics.ts';

/** The metrics of all processes of a server. */
export interface Gathered {
  readonly snapshots: readonly Snapshot[];
  /** Processes whose present state is not among them. */
  readonly missing: number;
}

/** Asks all processes. Never rejects. */
export type Gather = () => Promise<Gathered>;

export interface Pushes {
  readonly delivered: number;
  readonly failed: number;
}

/** What a server answers with that is one process. */
export const gatherAlone =
  (metrics: Metrics): Gather =>
  async () => ({ snapshots: [await metrics.snapshot()], missing: 0 });

/** Metrics as one, whichever process of the server is asked. Questions at the same time share an answer. */
export class Scrapes {
  readonly #gather: Gather;
  #underWay: Promise<Registry> | undefined;

  constructor(gather: Gather) {
    this.#gather = gather;
  }

  /** In the text format of Prometheus, version 0.0.4. */
  async text(): Promise<string> {
    return (await this.#sum()).metrics();
  }

  /** Events for live connections, since the server started. */
  async pushes(): Promise<Pushes> {
    const metrics = await (await this.#sum()).getMetricsAsJSON();
    const values = metrics.find(({ name }) => name === 'carillon_pushes_total')?.values ?? [];
    const sumOf = (outcome: string): number =>
      values.reduce((sum, { labels, value }) => (labels['outcome'] === outcome ? sum + value : sum), 0);
    return { delivered: sumOf('delivered'), failed: sumOf('failed') };
  }

  #sum(): Promise<Registry> {
    this.#underWay ??= this.#gather()
      .then(sumUp)
      .finally(() => {
        this.#underWay = undefined;
      });
    return this.#underWay;
  }
}

function sumUp({ snapshots, missing }: Gathered): Registry {
  const workersMissing = {
    name: 'carillon_workers_missing',
    help: 'Processes of WORKERS that did not answer: what they hold is not in the gauges, and their counters are of before.',
    type: 'gauge',
    aggregator: 'sum',
    values: [{ labels: {}, value: missing }],
  };
  return AggregatorRegistry.aggregate([...snapshots, [workersMissing]]);
}
