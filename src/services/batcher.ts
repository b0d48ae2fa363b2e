import { CarillonError } from '../errors.ts';
import { type Scope, currentScope, unionOf, within } from '../scope.ts';
import { type ActiveSpan, activeSpan, together } from '../tracing/spans.ts';
import { isRowAtFault } from './database-failure.ts';

export interface BatcherOptions<Item, Result> {
  /** Writes a batch in one statement; answers in the order of the items. An `Error` among them is that item's own. */
  write: (items: readonly Item[]) => Promise<readonly (Result | Error)[]>;
  /** Two items with the same key never share a statement, nor run beside each other. */
  exclusiveKey?: (item: Item) => string | undefined;
  /**
   * Items of one group share a statement or come one after the other, so that no statement under way waits for a lock of
   * another one.
   */
  groupKey?: (item: Item) => string;
  /** Most items of one statement. */
  maxBatch: number;
  /** Most statements under way. */
  maxInFlight: number;
  /**
   * For a second after a batch that many shared, a batch that is not full waits for more: until nobody has come for a
   * moment, and no longer than this after the one before it. In a storm of askers a few large statements cost less than
   * many small ones. Without it nothing ever waits.
   */
  spacingMs?: number;
  /** Most items that wait; past that `add` refuses with RATE_LIMITED. */
  maxQueued: number;
}

/** A batch of so many was shared by many. */
const STORM = 8;
const STORM_LASTS_MS = 1000;

/** Those who wait are all there are when nobody has come for this long. */
const LULL_MS = 4;

interface Waiting<Item, Result> {
  item: Item;
  scope: Scope;
  key: string | undefined;
  group: string | undefined;
  /** What asked for it, in a trace. */
  asker: ActiveSpan | undefined;
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
}

/**
 * Natural batching: what arrives while a statement is under way joins the next one, so an idle server adds no delay and
 * a busy one shares each round trip and each sync of the disk. An item is answered after the commit that holds it. One
 * bad item never fails its neighbours: a batch that fails for a row's sake is tried again in halves. A statement runs within
 * the scopes of all whose items it holds, and no other.
 */
export class Batcher<Item, Result> {
  readonly #options: BatcherOptions<Item, Result>;
  #waiting: Waiting<Item, Result>[] = [];
  readonly #keysInFlight = new Set<string>();
  readonly #groupsInFlight = new Set<string>();
  #inFlight = 0;
  #scheduled = false;
  /** Not before this moment, in the time of `performance.now()`. */
  #notBefore = 0;
  #stormUntil = 0;
  #drained: PromiseWithResolvers<void> | undefined;

  constructor(options: BatcherOptions<Item, Result>) {
    this.#options = options;
  }

  /** Items that are in no statement yet. */
  get waiting(): number {
    return this.#waiting.length;
  }

  add(item: Item): Promise<Result> {
    if (this.#waiting.length >= this.#options.maxQueued) {
      return Promise.reject(
        new CarillonError('RATE_LIMITED', 'More is being sent than can be stored right now.', { retryAfterSeconds: 1 }),
      );
    }
    return new Promise((resolve, reject) => {
      const { exclusiveKey, groupKey } = this.#options;
      const waiting = {
        item,
        scope: currentScope(),
        asker: activeSpan(),
        key: exclusiveKey?.(item),
        group: groupKey?.(item),
        resolve,
        reject,
      };
      this.#waiting.push(waiting);
      this.#schedule();
    });
  }

  /** Resolves when nothing waits and nothing is under way. */
  async drain(): Promise<void> {
    if (this.#waiting.length === 0 && this.#inFlight === 0) return;
    this.#drained ??= Promise.withResolvers<void>();
    await this.#drained.promise;
  }

  #schedule(): void {
    if (this.#scheduled || this.#waiting.length === 0 || this.#inFlight >= this.#options.maxInFlight) return;
    this.#scheduled = true;
    // After the input that is already there: requests read in the same turn share the statement.
    if (this.#notBefore <= performance.now()) setImmediate(() => this.#start());
    else this.#awaitLull(0);
  }

  #awaitLull(waitingBefore: number): void {
    const { length } = this.#waiting;
    const isOver = length === waitingBefore || length >= this.#options.maxBatch || this.#notBefore <= performance.now();
    if (isOver) this.#start();
    else setTimeout(() => this.#awaitLull(length), LULL_MS);
  }

  #start(): void {
    this.#scheduled = false;
    const batch = this.#take();
    if (batch.length === 0) return;
    const { spacingMs = 0 } = this.#options;
    const now = performance.now();
    if (batch.length >= STORM) this.#stormUntil = now + STORM_LASTS_MS;
    this.#notBefore = now < this.#stormUntil ? now + spacingMs : 0;
    void this.#run(batch);
    this.#schedule();
  }

  #take(): Waiting<Item, Result>[] {
    const batch: Waiting<Item, Result>[] = [];
    const left: Waiting<Item, Result>[] = [];
    for (const [index, waiting] of this.#waiting.entries()) {
      if (batch.length === this.#options.maxBatch) {
        left.push(...this.#waiting.slice(index));
        break;
      }
      const isHeldUp =
        (waiting.key !== undefined && this.#keysInFlight.has(waiting.key)) ||
        (waiting.group !== undefined && this.#groupsInFlight.has(waiting.group));
      if (isHeldUp) {
        left.push(waiting);
        continue;
      }
      if (waiting.key !== undefined) this.#keysInFlight.add(waiting.key);
      batch.push(waiting);
    }
    this.#waiting = left;
    // Only now: those of this batch may share groups.
    for (const { group } of batch) if (group !== undefined) this.#groupsInFlight.add(group);
    return batch;
  }

  async #run(batch: Waiting<Item, Result>[]): Promise<void> {
    this.#inFlight += 1;
    await this.#write(batch);
    for (const { key, group } of batch) {
      if (key !== undefined) this.#keysInFlight.delete(key);
      if (group !== undefined) this.#groupsInFlight.delete(group);
    }
    this.#inFlight -= 1;
    this.#schedule();
    if (this.#waiting.length === 0 && this.#inFlight === 0) {
      this.#drained?.resolve();
      this.#drained = undefined;
    }
  }

  async #write(batch: Waiting<Item, Result>[]): Promise<void> {
    try {
      const scope = unionOf(batch.map((waiting) => waiting.scope));
      const askers = batch.map(({ asker }) => asker);
      const items = batch.map(({ item }) => item);
      const results = await within(scope, () => together(askers, () => this.#options.write(items)));
      for (const [index, { resolve, reject }] of batch.entries()) {
        const result = results[index] as Result | Error;
        if (result instanceof Error) reject(result);
        else resolve(result);
      }
    } catch (error) {
      if (batch.length > 1 && isRowAtFault(error)) {
        const middle = batch.length >> 1;
        await this.#write(batch.slice(0, middle));
        await this.#write(batch.slice(middle));
        return;
      }
      for (const { reject } of batch) reject(error);
    }
  }
}
