/** What came, in order; a test waits for as many as it expects. */
export class Messages<T = unknown> {
  readonly all: T[] = [];
  #arrived = Promise.withResolvers<void>();

  readonly add = (message: T): void => {
    this.all.push(message);
    this.#arrived.resolve();
    this.#arrived = Promise.withResolvers<void>();
  };

  /** Resolves with all of them when there are that many. */
  async count(least: number): Promise<T[]> {
    while (this.all.length < least) await this.#arrived.promise;
    return this.all;
  }
}
