import { CarillonError } from '../errors.ts';
import { NO_EPOCH } from './cursor.ts';
import { reachDatabase } from './database-failure.ts';
import type { InboxEvent, ResetReason, StreamEvent } from './inbox-event.ts';
import type { FeedListener, InboxFeed } from './inbox-feed.ts';
import type { InboxHead } from './inbox-head.ts';
import type { Replay, ReplayReader } from './inbox-replay.ts';

/** The listener fell too far behind and was ended; it can come back with the cursor of the last event it took. */
export class SlowConsumerError extends CarillonError {
  constructor(most: number) {
    super('RATE_LIMITED', `Slow consumer: more than ${most} events were waiting. Come back with your last cursor.`, {
      retryAfterSeconds: 1,
    });
    this.name = 'SlowConsumerError';
  }
}

export interface InboxListenerOptions {
  feed: InboxFeed;
  /** Where to begin in the log; live only when absent. */
  from: number | undefined;
  /** Why the cursor was of no use: the first event says so, and the rest is live. */
  reset: ResetReason | undefined;
  additionsOnly: boolean;
  maxWaiting: number;
  readerAfter: (version: number) => ReplayReader;
  onDetach: () => void;
  /** Called once when the reader is given up as too slow: it may be stuck in a write, far from the next `next()`. */
  onSlow: (() => void) | undefined;
}

/**
 * A reader whose queue is full is too slow when it takes nothing for two of these. Two, because after a busy moment of
 * this very process the first is over before the reader's answers have been looked at.
 */
const STALL_CHECK_MS = 200;

const END: IteratorReturnResult<undefined> = { done: true, value: undefined };

/**
 * One reader of one inbox. It first pages through the log at the reader's own pace, so that a backfill of any length
 * costs one page; when it has reached the feed it attaches, in the same turn, and goes on live through a bounded queue.
 * When the queue is full it goes back to the log, so that a burst ends nobody who reads; who takes nothing is ended.
 * `next()` is for one reader that asks again when it has been answered. A backfill that fails ends the listener.
 */
export class InboxListener implements AsyncIterableIterator<StreamEvent>, FeedListener {
  /** Where the inbox stood when the listener began. */
  readonly head: InboxHead;
  readonly #options: InboxListenerOptions;
  #epoch: string;
  /** Up to here events were taken into the queue or the page, or passed over. */
  #position: number;
  /** The version of the last event that the reader was given, or where it began. */
  #given: number;
  /** From the log, and before what is in the queue. */
  #page: StreamEvent[] = [];
  #queue: StreamEvent[] = [];
  /** Absent while the feed tells what comes. */
  #reader: ReplayReader | undefined;
  #waiting: PromiseWithResolvers<IteratorResult<StreamEvent>> | undefined;
  #ended: Error | true | undefined;
  #stallCheck: NodeJS.Timeout | undefined;
  /** Checks since the reader last took something. */
  #silentChecks = 0;
  /** The reader waits for the log, and not the other way round. */
  #isReading = false;

  constructor(options: InboxListenerOptions) {
    const { feed, from, reset } = options;
    this.#options = options;
    this.head = feed.head;
    this.#epoch = this.head.epoch;
    this.#position = from ?? this.head.version;
    this.#given = this.#position;
    if (reset) this.#page.push(resetAt(this.head, this.head.version, reset));
    if (this.#position >= this.head.version) feed.attach(this, this.#position);
    else this.#reader = options.readerAfter(this.#position);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  push(event: InboxEvent): void {
    if (this.#ended || event.version <= this.#position) return;
    const isWanted = !this.#options.additionsOnly || event.kind === 'added';
    if (isWanted && !this.#waiting && this.#queue.length >= this.#options.maxWaiting) {
      this.#goBack();
      return;
    }
    this.#epoch = event.epoch;
    this.#position = event.version;
    if (isWanted) this.#deliver(event);
  }

  restart(head: InboxHead, reason: ResetReason): void {
    if (this.#ended) return;
    if (this.#options.additionsOnly) {
      this.fail(
        new CarillonError(
          'UNAVAILABLE',
          'The inbox began anew, or was out of reach for too long: read the list, and subscribe anew.',
        ),
      );
      return;
    }
    const reset = resetAt(head, this.#position, reason);
    this.#page = [];
    this.#queue = [];
    this.#epoch = head.epoch;
    this.#position = head.version;
    if (this.#reader) this.#reader = this.#options.readerAfter(head.version);
    this.#deliver(reset);
  }

  fail(error: Error): void {
    if (this.#ended) return;
    // Told once: to the reader that waits, or to the next one that asks.
    this.#end(this.#waiting ? true : error);
    this.#waiting?.reject(error);
    this.#waiting = undefined;
  }

  async next(): Promise<IteratorResult<StreamEvent>> {
    this.#silentChecks = 0;
    while (!this.#ended && this.#reader && this.#page.length === 0 && this.#queue.length === 0) {
      await this.#readPage(this.#reader);
    }
    if (this.#ended instanceof Error) {
      const error = this.#ended;
      this.#ended = true;
      throw error;
    }
    if (this.#ended) return END;
    const event = this.#page.shift() ?? this.#queue.shift();
    if (event) return this.#give(event);
    this.#waiting ??= Promise.withResolvers<IteratorResult<StreamEvent>>();
    return this.#waiting.promise;
  }

  async return(): Promise<IteratorResult<StreamEvent>> {
    if (!this.#ended) this.#end(true);
    this.#waiting?.resolve(END);
    this.#waiting = undefined;
    return END;
  }

  #deliver(event: StreamEvent): void {
    if (this.#waiting) {
      const { resolve } = this.#waiting;
      this.#waiting = undefined;
      resolve(this.#give(event));
    } else {
      this.#queue.push(event);
    }
  }

  /**
   * Changes that left no trace, such as an addition that is deleted again, move the version without an event: the next
   * event is tied to the one that this reader had before, so that nobody takes such a step for a hole.
   */
  #give(event: StreamEvent): IteratorYieldResult<StreamEvent> {
    const previousVersion = this.#given;
    this.#given = event.version;
    const isTied = event.previousVersion === previousVersion || event.kind === 'reset' || this.#options.additionsOnly;
    return { done: false, value: isTied ? event : { ...event, previousVersion } };
  }

  async #readPage(reader: ReplayReader): Promise<void> {
    const { feed, readerAfter } = this.#options;
    const { head, events, complete, expired } = await this.#read(reader);
    if (this.#ended) return;
    if (this.#epoch !== NO_EPOCH && head.epoch !== this.#epoch) {
      this.restart(head, 'INBOX_BEGAN_ANEW');
      return;
    }
    this.#epoch = head.epoch;
    if (expired) {
      this.#page = [resetAt(head, this.#position, 'EXPIRED_CURSOR')];
      this.#position = head.version;
      this.#reader = readerAfter(head.version);
      return;
    }
    this.#page = events;
    this.#position = reader.reached;
    if (!complete) return;
    // Beyond this point the feed will tell; what it repeats is dropped by version.
    if (this.#position >= feed.head.version) this.#goLive();
  }

  async #read(reader: ReplayReader): Promise<Replay> {
    this.#isReading = true;
    try {
      return await reachDatabase(reader.next());
    } catch (error) {
      // Nobody asks again after an error, nor says goodbye: the feed would be held for ever.
      if (!this.#ended) this.#end(true);
      throw error;
    } finally {
      this.#isReading = false;
    }
  }

  /** Leaves what does not fit to the log, and keeps an eye on the reader until it has caught up. */
  #goBack(): void {
    this.#reader = this.#options.readerAfter(this.#position);
    this.#options.feed.detach(this);
    this.#silentChecks = 0;
    this.#stallCheck ??= setInterval(() => this.#checkStall(), STALL_CHECK_MS).unref();
  }

  #checkStall(): void {
    this.#silentChecks += 1;
    if (this.#silentChecks < 2 || this.#isReading) return;
    this.fail(new SlowConsumerError(this.#options.maxWaiting));
    this.#options.onSlow?.();
  }

  #goLive(): void {
    this.#reader = undefined;
    clearInterval(this.#stallCheck);
    this.#stallCheck = undefined;
    this.#options.feed.attach(this, this.#position);
  }

  #end(how: Error | true): void {
    this.#ended = how;
    clearInterval(this.#stallCheck);
    this.#page = [];
    this.#queue = [];
    this.#reader = undefined;
    this.#options.feed.detach(this);
    this.#options.onDetach();
  }
}

function resetAt({ epoch, version, unreadCount, totalCount }: InboxHead, previousVersion: number, reason: ResetReason) {
  return { kind: 'reset', epoch, version, previousVersion, unreadCount, totalCount, reason } as const;
}
