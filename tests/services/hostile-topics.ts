import { randomUUID } from 'node:crypto';
import type { Topics } from '../../src/pubsub/topics.ts';
import { newEpoch } from '../../src/services/cursor.ts';
import type { createRandom } from './support.ts';

export interface Hostility {
  /** Shares of messages, from 0 to 1. */
  drop: number;
  duplicate: number;
  delay: number;
  /** Nonsense and other people's messages beside the true ones. */
  forge: number;
}

const MOST_DELAY_MS = 30;

/** Topics that do everything that the interface allows, and what no broker should. */
export class HostileTopics implements Topics {
  readonly #subscribers = new Map<string, Set<(message: unknown) => void>>();
  readonly #restored = new Set<() => void>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #random: ReturnType<typeof createRandom>;
  readonly hostility: Hostility;

  constructor(random: ReturnType<typeof createRandom>, hostility: Partial<Hostility> = {}) {
    this.#random = random;
    this.hostility = { drop: 0, duplicate: 0, delay: 0, forge: 0, ...hostility };
  }

  /** Topics that somebody is subscribed to. */
  get size(): number {
    return this.#subscribers.size;
  }

  publish(topic: string, message: unknown): void {
    const { drop, duplicate, delay, forge } = this.hostility;
    const json = JSON.stringify(message);
    if (this.#random.chance(forge)) this.#hand(topic, this.#forged(json));
    const copies = this.#random.chance(drop) ? 0 : this.#random.chance(duplicate) ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      if (this.#random.chance(delay)) this.#later(() => this.#hand(topic, JSON.parse(json)));
      else this.#hand(topic, JSON.parse(json));
    }
  }

  async subscribe(topic: string, onMessage: (message: unknown) => void): Promise<() => Promise<void>> {
    const own = (message: unknown) => onMessage(message);
    const all = this.#subscribers.get(topic) ?? new Set();
    this.#subscribers.set(topic, all.add(own));
    await new Promise((resolve) => setImmediate(resolve));
    return async () => {
      all.delete(own);
      if (all.size === 0) this.#subscribers.delete(topic);
      await new Promise((resolve) => setImmediate(resolve));
    };
  }

  onRestored(callback: () => void): void {
    this.#restored.add(callback);
  }

  restore(): void {
    for (const callback of this.#restored) callback();
  }

  async ping(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
  }

  #hand(topic: string, message: unknown): void {
    for (const onMessage of this.#subscribers.get(topic) ?? []) onMessage(message);
  }

  #later(action: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      action();
    }, this.#random.below(MOST_DELAY_MS));
    this.#timers.add(timer);
  }

  #forged(json: string): unknown {
    const truth = JSON.parse(json) as Record<string, unknown> & { notification?: object };
    const strangers = { ...truth, epoch: newEpoch() };
    const forgeries = [
      null,
      42,
      'text',
      [],
      {},
      { ...truth, kind: 'unknown' },
      { ...truth, version: -1 },
      { ...truth, version: '7' },
      { ...truth, previousVersion: truth['version'] },
      { ...truth, epoch: '-'.repeat(11) },
      { ...truth, notification: null },
      { ...truth, notification: { ...truth.notification, recipientId: 'another' } },
      { ...truth, kind: 'read', ids: [1], readAt: 'yesterday' },
      { ...strangers, kind: 'moved' },
      { ...strangers, kind: 'read', ids: [randomUUID()], readAt: new Date().toISOString() },
      { ...strangers, kind: 'deleted', ids: [randomUUID()], previousVersion: 0 },
      // True as far as the feed can tell, but there is no such version yet: the log knows better.
      { ...truth, kind: 'moved', version: Number(truth['version']) + 100, previousVersion: truth['version'] },
    ];
    return forgeries[this.#random.below(forgeries.length)];
  }
}
