import { AggregatorRegistry } from 'prom-client';
import type { Snapshot } from '../metrics/metrics.ts';
import type { Gathered } from '../metrics/scrapes.ts';

/** A worker that has not answered by then is left out: Prometheus itself waits for ten seconds. */
const PATIENCE_MS = 2000;

interface Asked {
  snapshot: Snapshot | undefined;
  readonly answer: PromiseWithResolvers<Snapshot | undefined>;
}

/** What only rises: a sum that fell would be taken for a restart, and its whole count for new. */
const lasting = (snapshot: Snapshot): Snapshot =>
  snapshot.filter(({ type }) => ['counter', 'histogram'].includes(String(type)));

/**
 * Asks all workers for their metrics. Of one that does not answer, or has died, counters and histograms are as it last
 * told them; the rest of it is left out, and it is missing until it answers again or another one has taken its place.
 */
export class Census<Member> {
  /** How many there should be. */
  readonly #size: number;
  readonly #ask: (member: Member, id: number) => void;
  readonly #last = new Map<Member, Snapshot>();
  readonly #asked = new Map<number, Map<Member, Asked>>();
  /** The sum of those that are gone. */
  #departed: Promise<Snapshot> = Promise.resolve([]);
  #nextId = 0;

  /** `ask` tells a member to measure itself; its answer comes to `answered`. */
  constructor(size: number, ask: (member: Member, id: number) => void) {
    this.#size = size;
    this.#ask = ask;
  }

  /** Never rejects, and takes no longer than the slowest member, or two seconds. */
  async gather(members: Iterable<Member>): Promise<Gathered> {
    const id = (this.#nextId += 1);
    const asked = new Map<Member, Asked>();
    this.#asked.set(id, asked);
    for (const member of members) {
      asked.set(member, { snapshot: undefined, answer: Promise.withResolvers() });
      this.#ask(member, id);
    }
    const timer = setTimeout(() => {
      for (const { answer } of asked.values()) answer.resolve(undefined);
    }, PATIENCE_MS);
    const answers = await Promise.all([...asked.values()].map(({ answer }) => answer.promise));
    clearTimeout(timer);
    this.#asked.delete(id);
    const present = answers.filter((snapshot) => snapshot !== undefined);
    const silent = [...this.#last].filter(([member]) => !asked.get(member)?.snapshot).map(([, snapshot]) => snapshot);
    const missing = Math.max(0, this.#size - present.length);
    return { snapshots: [...present, ...silent, await this.#departed], missing };
  }

  answered(member: Member, id: number, snapshot: Snapshot): void {
    this.#last.set(member, lasting(snapshot));
    const asked = this.#asked.get(id)?.get(member);
    if (!asked) return;
    asked.snapshot = snapshot;
    asked.answer.resolve(snapshot);
  }

  /** A member has died: nobody waits for it. */
  left(member: Member): void {
    for (const asked of this.#asked.values()) asked.get(member)?.answer.resolve(undefined);
    const last = this.#last.get(member);
    if (!last) return;
    this.#last.delete(member);
    this.#departed = this.#departed.then((sum) => AggregatorRegistry.aggregate([sum, last]).getMetricsAsJSON());
  }
}
