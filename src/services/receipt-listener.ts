import { CarillonError, badInput } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { asTenant } from '../scope.ts';
import type { InboxAddress } from './caller.ts';
import { type Cursor, NO_EPOCH, faultIn } from './cursor.ts';
import { reachDatabase } from './database-failure.ts';
import { END, type EventSink, type EventSource, nextEvent } from './event-source.ts';
import type { Receipt, ReceiptDoorbell, SenderHead } from './receipt.ts';
import type { ReceiptLog, ReceiptPage } from './receipt-log.ts';

/** What all listeners of an instance share. */
export interface ReceiptListenerTools {
  readonly log: Pick<ReceiptLog, 'after'>;
  readonly logger: Logger;
  /** Called once when the listener is over. */
  readonly onEnded: (listener: ReceiptListener) => void;
}

/** After a read of the log that failed. */
const RETRY_MS = 500;

/** Nothing in hand: what most listeners hold. Never changed. */
const NOTHING: Receipt[] = [];

/**
 * One reader of one sender's log. It reads the log page by page, at the reader's own pace, and then waits for a doorbell:
 * nothing is held for a reader but one page, however slow it is. While the database is away it tries again.
 */
export class ReceiptListener implements EventSource<Receipt> {
  readonly address: InboxAddress;
  readonly #tools: ReceiptListenerTools;
  #epoch: string = NO_EPOCH;
  /** Up to here the log was read. */
  #position = 0;
  #page: Receipt[] = NOTHING;
  /** The log may hold more. */
  #isBehind = false;
  #isReading = false;
  /** Absent while the reader wants nothing. */
  #sink: EventSink<Receipt> | undefined;
  #ended: Error | true | undefined;
  #retry: NodeJS.Timeout | undefined;

  constructor(address: InboxAddress, tools: ReceiptListenerTools) {
    this.address = address;
    this.#tools = tools;
  }

  /**
   * Begins at the cursor, or at the head. Until then doorbells are kept in mind.
   *
   * @throws CarillonError BAD_USER_INPUT for a cursor that is of no use.
   */
  begin(head: SenderHead, cursor: Cursor | undefined): void {
    if (cursor) mustContinue(head, cursor);
    this.#epoch = head.epoch;
    this.#position = cursor?.version ?? head.version;
    if (this.#position < head.version) this.#isBehind = true;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Hands receipts to the sink until it wants no more or the listener is over. */
  pipe(sink: EventSink<Receipt>): void {
    this.#sink = sink;
    if (this.#ended) this.#tellEnd(this.#ended);
    else this.#flush();
  }

  next(): Promise<IteratorResult<Receipt>> {
    return nextEvent(this);
  }

  async return(): Promise<IteratorResult<Receipt>> {
    this.#end(true);
    return END;
  }

  /** The log may have moved: to the head of the doorbell, or, without one, to who knows where. */
  ring(doorbell?: ReceiptDoorbell): void {
    if (doorbell && doorbell.epoch === this.#epoch && doorbell.version <= this.#position) return;
    this.#isBehind = true;
    this.#flush();
  }

  fail(error: Error): void {
    this.#end(error);
  }

  #flush(): void {
    while (this.#sink && !this.#ended && !this.#isReading) {
      const receipt = this.#page.shift();
      if (receipt) this.#give(this.#sink, receipt);
      else if (this.#isBehind) void this.#readPage();
      else return;
    }
  }

  #give(sink: EventSink<Receipt>, receipt: Receipt): void {
    // Before it takes: the sink may ask for more, or end the listener, in the same call.
    this.#sink = undefined;
    if (sink.take(receipt) && !this.#ended) this.#sink ??= sink;
  }

  async #readPage(): Promise<void> {
    this.#isReading = true;
    // Whoever rings from now on may mean what this read is too early for.
    this.#isBehind = false;
    try {
      const page = await reachDatabase(
        asTenant(this.address.tenantId, () => this.#tools.log.after(this.address, this.#position)),
      );
      if (!this.#ended) this.#turnTo(page);
      this.#isReading = false;
    } catch (error) {
      this.#isBehind = true;
      if (error instanceof CarillonError && error.code === 'UNAVAILABLE') this.#tryAgain(error);
      else this.fail(error as Error);
      return;
    }
    this.#flush();
  }

  /** Still reading, until then. */
  #tryAgain(error: Error): void {
    if (this.#ended) return;
    this.#tools.logger.debug({ err: error }, 'a log of receipts could not be read; trying again');
    this.#retry = setTimeout(() => {
      this.#isReading = false;
      this.#flush();
    }, RETRY_MS).unref();
  }

  #turnTo({ head, receipts, complete }: ReceiptPage): void {
    const isSame = this.#epoch === NO_EPOCH || head.epoch === this.#epoch;
    if (!isSame || head.version < this.#position || head.horizon > this.#position) {
      this.fail(
        new CarillonError(
          'UNAVAILABLE',
          'The receipts began anew, or were out of reach for too long: read sentNotifications, and subscribe anew.',
        ),
      );
      return;
    }
    this.#epoch = head.epoch;
    this.#page = receipts;
    this.#position = complete ? head.version : (receipts.at(-1)?.version ?? this.#position);
    if (!complete) this.#isBehind = true;
  }

  #end(how: Error | true): void {
    if (this.#ended) return;
    this.#ended = how;
    clearTimeout(this.#retry);
    this.#page = NOTHING;
    this.#tools.onEnded(this);
    this.#tellEnd(how);
  }

  /** An error is told once: to the sink that waits, or to the next one. */
  #tellEnd(how: Error | true): void {
    const sink = this.#sink;
    if (!sink) return;
    this.#sink = undefined;
    this.#ended = true;
    sink.ended(how === true ? undefined : how);
  }
}

function mustContinue(head: SenderHead, cursor: Cursor): void {
  if (faultIn(head, cursor)) {
    throw badInput(
      'after',
      'after is not a cursor of your receipts, or of their present life: begin at receiptsCursor.',
    );
  }
  if (cursor.version < head.horizon) {
    throw badInput(
      'after',
      'after is too old to continue from: read sentNotifications anew, and go on from its cursor.',
    );
  }
}
