/** Tasks of one key go one after the other, in the order in which they come; those of others go beside them. */
export class Lanes {
  /** The end of the last task of each key that has any. */
  readonly #ends = new Map<string, Promise<void>>();

  /** Settles as the task does, which is not begun before the earlier ones of its key have settled, whichever way. */
  async run<T>(key: string, task: () => Promise<T>): Promise<T> {
    const turn = (this.#ends.get(key) ?? Promise.resolve()).then(task);
    const end = turn.then(
      () => {},
      () => {},
    );
    this.#ends.set(key, end);
    try {
      return await turn;
    } finally {
      if (this.#ends.get(key) === end) this.#ends.delete(key);
    }
  }
}
