/** Bounds for what takes part of a second, and for how long something lasts; in seconds. */
export const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
export const LIFETIMES = [1, 10, 60, 300, 900, 3600, 14_400, 43_200, 86_400, 604_800];

/**
 * The counts of a histogram. Unlike those of prom-client these are numbers of an array that is there from the beginning:
 * to observe a value allocates nothing.
 */
export class Buckets {
  /** Upper bounds, inclusive, rising; beyond the last one is one more bucket. */
  readonly bounds: readonly number[];
  /** One for each bucket, then the sum, then the value that was observed last. */
  readonly #numbers: Float64Array;
  readonly #sum: number;
  #bucket = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.#numbers = new Float64Array(bounds.length + 3);
    this.#sum = bounds.length + 1;
  }

  observe(value: number): void {
    // Not as an argument: V8 would make an object of a fraction that it hands to a function.
    this.#numbers[this.#sum + 1] = value;
    this.#place();
  }

  #place(): void {
    const { bounds } = this;
    const value = this.#numbers[this.#sum + 1]!;
    let bucket = 0;
    while (bucket < bounds.length && value > bounds[bucket]!) bucket += 1;
    this.#bucket = bucket;
    this.again();
  }

  /** Observes the value that was observed last once more. */
  again(): void {
    const numbers = this.#numbers;
    numbers[this.#bucket]! += 1;
    numbers[this.#sum]! += numbers[this.#sum + 1]!;
  }

  get sum(): number {
    return this.#numbers[this.#sum]!;
  }

  get count(): number {
    return this.cumulative().at(-1)!;
  }

  /** How many values were at most each of the bounds, and how many there were at all. */
  cumulative(): number[] {
    let count = 0;
    return Array.from(this.#numbers.subarray(0, this.bounds.length + 1), (own) => (count += own));
  }
}
