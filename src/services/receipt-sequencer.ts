import type { Logger } from '../logger.ts';
import type { Topics } from '../pubsub/topics.ts';
import { asEveryTenant, asTenant } from '../scope.ts';
import { Batcher } from './batcher.ts';
import { type InboxAddress, inboxKey } from './caller.ts';
import { receiptTopic } from './receipt.ts';
import type { ReceiptLog } from './receipt-log.ts';

export interface ReceiptSequencerOptions {
  log: ReceiptLog;
  topics: Topics;
  logger: Logger;
  /** How often is looked for receipts that were left without a version; that of the product unless a test says otherwise. */
  sweepIntervalMs?: number;
}

const SWEEP_INTERVAL_MS = 5000;

/** Senders that one statement numbers. */
const SENDERS_TOGETHER = 100;
const STATEMENTS = 2;

/**
 * Gives receipts their places in their senders' logs, after the commits that wrote them, and rings for whoever listens.
 * One statement per sender is under way at a time; what readers do meanwhile shares the next one. A process that ends
 * between a commit and this leaves receipts without versions: any instance finds them within seconds.
 */
export class ReceiptSequencer implements AsyncDisposable {
  readonly #options: ReceiptSequencerOptions;
  readonly #senders: Batcher<InboxAddress, undefined>;
  /** Senders whose next statement has not begun: it will see whatever is committed by now. */
  readonly #waiting = new Set<string>();
  readonly #timer: NodeJS.Timeout;
  #sweeping: Promise<void> | undefined;

  constructor(options: ReceiptSequencerOptions) {
    this.#options = options;
    this.#senders = new Batcher({
      write: (addresses) => this.#number(addresses),
      exclusiveKey: inboxKey,
      maxBatch: SENDERS_TOGETHER,
      maxInFlight: STATEMENTS,
      maxQueued: Number.POSITIVE_INFINITY,
    });
    this.#timer = setInterval(() => {
      this.#sweeping ??= this.sweep()
        .catch((error: unknown) =>
          options.logger.debug({ err: error }, 'receipts without a version were not looked for'),
        )
        .finally(() => {
          this.#sweeping = undefined;
        });
    }, options.sweepIntervalMs ?? SWEEP_INTERVAL_MS).unref();
  }

  /** Sees to the new receipts of these senders. Call it after the commit; it never fails. */
  add(tenantId: string, senders: readonly string[]): void {
    for (const userId of senders) void asTenant(tenantId, () => this.#add({ tenantId, userId }));
  }

  /** Sees to receipts that somebody left without a version. */
  async sweep(): Promise<void> {
    const addresses = await asEveryTenant(() => this.#options.log.unnumbered());
    await Promise.all(addresses.map((address) => asTenant(address.tenantId, () => this.#add(address))));
  }

  /** Resolves when nothing is under way. */
  drain(): Promise<void> {
    return this.#senders.drain();
  }

  async #add(address: InboxAddress): Promise<void> {
    const key = inboxKey(address);
    if (this.#waiting.has(key)) return;
    this.#waiting.add(key);
    try {
      await this.#senders.add(address);
    } catch (error) {
      this.#options.logger.warn({ err: error }, 'receipts could not be numbered; trying again soon');
    }
  }

  async #number(addresses: readonly InboxAddress[]): Promise<undefined[]> {
    for (const address of addresses) this.#waiting.delete(inboxKey(address));
    const { log, topics } = this.#options;
    for (const { address, head, more } of await log.number(addresses)) {
      topics.publish(receiptTopic(address), head);
      if (more) void asTenant(address.tenantId, () => this.#add(address));
    }
    return addresses.map(() => undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#sweeping;
    await this.drain();
  }
}
