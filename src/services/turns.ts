interface Waiting {
  readonly amount: number;
  readonly resolve: () => void;
}

/**
 * Shares the turns of the event loop out, so that much work that becomes ready at once does not hold up everything else:
 * so much of it is done in one turn, and what is beyond comes in the next ones, in order.
 */
export class Turns {
  readonly #most: number;
  /** In this turn. */
  #done = 0;
  #waiting: Waiting[] = [];

  /** @param most what may be done in one turn, in whatever it is measured; what is more than that by itself has one alone. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Resolves when it is the turn of so much work. Nothing, when that is now. */
  take(amount: number): Promise<void> | undefined {
    if (this.#waiting.length === 0 && this.#fits(amount)) {
      this.#do(amount);
      return undefined;
    }
    return new Promise((resolve) => this.#waiting.push({ amount, resolve }));
  }

  #fits(amount: number): boolean {
    return this.#done === 0 || this.#done + amount <= this.#most;
  }

  #do(amount: number): void {
    if (this.#done === 0) setImmediate(() => this.#begin());
    this.#done += amount;
  }

  #begin(): void {
    this.#done = 0;
    for (let next = this.#waiting[0]; next && this.#fits(next.amount); [next] = this.#waiting) {
      this.#waiting.shift();
      this.#do(next.amount);
      next.resolve();
    }
  }
}
