import { setTimeout as delay } from 'node:timers/promises';

const TICK_MS = 50;

/** Past this many unanswered requests nothing new is begun until some are answered. */
const MOST_UNDER_WAY = 1500;

/** Begins tasks at a steady rate, whatever becomes of those before, and knows which are still under way. */
export class Load {
  readonly #underWay = new Set<Promise<void>>();

  get underWay(): number {
    return this.#underWay.size;
  }

  add(task: Promise<void>): void {
    const tracked = task.finally(() => this.#underWay.delete(tracked));
    this.#underWay.add(tracked);
  }

  /** Until the signal; `rate` is per second. */
  async run(rate: number, begin: () => Promise<void>, signal: AbortSignal): Promise<void> {
    let due = 0;
    let last = performance.now();
    while (!signal.aborted) {
      await delay(TICK_MS, undefined, { signal }).catch(() => {});
      const now = performance.now();
      due += ((now - last) / 1000) * rate;
      last = now;
      for (; due >= 1 && !signal.aborted; due -= 1) if (this.#underWay.size < MOST_UNDER_WAY) this.add(begin());
    }
  }

  /** Resolves when nothing is under way. */
  async drained(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }
}
