/** How many of something each key has; keys that have none take no room. */
export class Counts {
  readonly #counts = new Map<string, number>();

  /** Keys that have any. */
  get size(): number {
    return this.#counts.size;
  }

  of(key: string): number {
    return this.#counts.get(key) ?? 0;
  }

  /** Answers with the count from now on. */
  add(key: string): number {
    const count = this.of(key) + 1;
    this.#counts.set(key, count);
    return count;
  }

  /** Answers with the count from now on. */
  remove(key: string): number {
    const count = this.of(key) - 1;
    if (count > 0) this.#counts.set(key, count);
    else this.#counts.delete(key);
    return Math.max(0, count);
  }
}
