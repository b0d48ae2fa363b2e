import { type Store, createStore } from '../state/store.ts';

/** How the last return after a loss went. */
export interface Resumed {
  /** How many notifications had come meanwhile. */
  readonly caughtUp: number;
}

/** Counts what a connection catches up on after a loss. */
export class Resume {
  readonly store: Store<Resumed | null> = createStore<Resumed | null>(null);
  #backAt: number | null = null;
  #isLost = false;

  lost(): void {
    this.#isLost = true;
  }

  /** @param at ms since the epoch: what was created before came meanwhile */
  live(at: number): void {
    if (!this.#isLost) return;
    this.#isLost = false;
    this.#backAt = at;
    this.store.set({ caughtUp: 0 });
  }

  added(createdAt: string): void {
    if (this.#backAt === null || Date.parse(createdAt) > this.#backAt) return;
    this.store.set({ caughtUp: (this.store.get()?.caughtUp ?? 0) + 1 });
  }
}
