/**
 * Which acknowledged notifications have come. Either may be told first: the answer to the sender or the event. What was
 * told of both is forgotten.
 */
export class Arrivals {
  readonly #expected = new Map<string, string>();
  readonly #seen = new Set<string>();
  acknowledged = 0;
  arrived = 0;

  acknowledge(id: string, inbox: string): void {
    this.acknowledged += 1;
    if (!this.#seen.delete(id)) this.#expected.set(id, inbox);
  }

  arrive(id: string): void {
    this.arrived += 1;
    if (!this.#expected.delete(id)) this.#seen.add(id);
  }

  /** It has left its inbox. Whoever was behind just then is told of neither: what came and went is left out. */
  leave(id: string): void {
    this.#expected.delete(id);
  }

  /** Those that were acknowledged and have not come: the id, and whose inbox it was for. */
  get missing(): ReadonlyMap<string, string> {
    return this.#expected;
  }
}
