import type { Metrics } from '../metrics/metrics.ts';
import type { Gathered } from '../metrics/scrapes.ts';
import type { Order, Report } from './messages.ts';

/** The primary answers within two seconds; one that is too busy even for that must not hold up a scrape. */
const PATIENCE_MS = 3000;

/** A worker's part in the metrics of all: it asks its primary for them, and tells it its own. */
export class Asking {
  readonly #tell: (report: Report) => void;
  readonly #waiting = new Map<number, (gathered: Gathered) => void>();
  readonly #others: number;
  #nextId = 0;

  constructor(workers: number, tell: (report: Report) => void) {
    this.#others = workers - 1;
    this.#tell = tell;
  }

  /** The metrics of all workers; without an answer of the primary those of this one. */
  readonly gather = async (own: Metrics): Promise<Gathered> => {
    const id = (this.#nextId += 1);
    const { promise, resolve } = Promise.withResolvers<Gathered | undefined>();
    this.#waiting.set(id, resolve);
    const timer = setTimeout(() => resolve(undefined), PATIENCE_MS);
    this.#tell({ kind: 'gather', id });
    const gathered = await promise;
    clearTimeout(timer);
    this.#waiting.delete(id);
    return gathered ?? { snapshots: [await own.snapshot()], missing: this.#others };
  };

  /** Takes an order of the primary that is about metrics. */
  async take(order: Order, own: Metrics): Promise<void> {
    if (order.kind === 'gathered') this.#waiting.get(order.id)?.(order.gathered);
    if (order.kind === 'measure') this.#tell({ kind: 'measured', id: order.id, snapshot: await own.snapshot() });
  }
}
