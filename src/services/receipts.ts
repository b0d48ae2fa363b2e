import { shuttingDown } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { Topics, Unsubscribe } from '../pubsub/topics.ts';
import { mustBeInScope } from '../scope.ts';
import type { Caller } from './caller.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';
import { reachDatabase } from './database-failure.ts';
import { receiptDoorbell, receiptTopic } from './receipt.ts';
import { ReceiptListener } from './receipt-listener.ts';
import type { ReceiptLog } from './receipt-log.ts';

export interface ReceiptsOptions {
  log: ReceiptLog;
  topics: Topics;
  logger: Logger;
  /** How often listeners look into the log without a doorbell, in case one was lost. */
  sweepIntervalMs: number;
}

/**
 * What became of the notifications that the caller sent to others: each marking as read, or as unread again, once and in
 * order, on any instance. Doors call these methods.
 */
export class Receipts implements AsyncDisposable {
  readonly #options: ReceiptsOptions;
  readonly #listeners = new Map<ReceiptListener, Unsubscribe>();
  readonly #ending = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout;
  #disposed = false;

  constructor(options: ReceiptsOptions) {
    this.#options = options;
    options.topics.onRestored(() => this.sweep());
    this.#timer = setInterval(() => this.sweep(), options.sweepIntervalMs).unref();
  }

  /** Listeners at this moment. */
  get listenerCount(): number {
    return this.#listeners.size;
  }

  /** Where the caller's receipts stand now: a stream after it tells whatever comes. */
  async cursor({ tenantId, userId }: Caller): Promise<string> {
    const { epoch, version } = await reachDatabase(this.#options.log.head({ tenantId, userId }));
    return encodeCursor(epoch, version);
  }

  /**
   * The caller's receipts: after a cursor first those that were missed, then live; without one what comes from now on.
   * Attached when the promise resolves. Who reads slowly is waited for, and holds no more than a page meanwhile.
   *
   * @throws CarillonError BAD_USER_INPUT for a cursor that is garbled, of somebody else, or from before what is forgotten.
   */
  async stream({ tenantId, userId }: Caller, after?: string | null): Promise<ReceiptListener> {
    const cursor = after == null ? undefined : decodeCursor(after, 'after');
    if (this.#disposed) throw shuttingDown();
    // Doorbells come by topics, which know of no scope.
    mustBeInScope(tenantId);
    const { log, topics, logger } = this.#options;
    const address = { tenantId, userId };
    const listener = new ReceiptListener(address, { log, logger, onEnded: (ended) => this.#release(ended) });
    const unsubscribe = await topics.subscribe(receiptTopic(address), (message) => {
      const doorbell = receiptDoorbell(message);
      if (doorbell) listener.ring(doorbell);
      else logger.warn('a message that is no doorbell of receipts came by their topic; ignored');
    });
    this.#listeners.set(listener, unsubscribe);
    try {
      // Only now, so that nothing falls between the two.
      listener.begin(await reachDatabase(log.head(address)), cursor);
      if (this.#disposed) throw shuttingDown();
      return listener;
    } catch (error) {
      await listener.return();
      throw error;
    }
  }

  /** Sees to it that every listener looks into the log. */
  sweep(): void {
    for (const listener of this.#listeners.keys()) listener.ring();
  }

  #release(listener: ReceiptListener): void {
    const unsubscribe = this.#listeners.get(listener);
    if (!unsubscribe) return;
    this.#listeners.delete(listener);
    const ending = unsubscribe()
      .catch((error: unknown) => {
        this.#options.logger.warn({ err: error }, 'a topic subscription did not end cleanly');
      })
      .finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    clearInterval(this.#timer);
    for (const listener of [...this.#listeners.keys()]) listener.fail(shuttingDown());
    await Promise.all(this.#ending);
  }
}
