import { CarillonError } from '../errors.ts';
import type { InboxEvent } from './inbox-event.ts';
import type { FeedListener, InboxFeed } from './inbox-feed.ts';
import type { InboxHead, Replay } from './inbox-log.ts';

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
  additionsOnly: boolean;
  maxWaiting: number;
  read: (afterVersion: number, limit: number) => Promise<Replay>;
  onDetach: () => void;
  /** Called once when the reader is given up as too slow: it may be stuck in a write, far from the next `next()`. */
  onSlow: (() => void) | undefined;
}

const BACKFILL_PAGE = 100;

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
export class InboxListener implements AsyncIterableIterator<InboxEvent>, FeedListener {
  /** Where the inbox stood when the listener began. */
  readonly head: InboxHead;
  readonly #options: InboxListenerOptions;
  #position: number;
  #page: InboxEvent[] = [];
  #live = false;
  #queue: InboxEvent[] = [];
  #waiting: PromiseWithResolvers<IteratorResult<InboxEvent>> | undefined;
  #ended: Error | true | undefined;
  #stallCheck: NodeJS.Timeout | undefined;
  /** Checks since the reader last took something. */
  #silentChecks = 0;
  /** The reader waits for the log, and not the other way round. */
  #isReading = false;

  constructor(options: InboxListenerOptions) {
    this.#options = options;
    this.head = options.feed.head;
    this.#position = options.from ?? options.feed.head.version;
    if (options.from === undefined || options.from >= options.feed.head.version) this.#goLive();
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
    this.#position = event.version;
    if (!isWanted) return;
    if (this.#waiting) {
      const { resolve } = this.#waiting;
      this.#waiting = undefined;
      resolve({ done: false, value: event });
    } else {
      this.#queue.push(event);
    }
  }

  fail(error: Error): void {
    if (this.#ended) return;
    // Told once: to the reader that waits, or to the next one that asks.
    this.#end(this.#waiting ? true : error);
    this.#waiting?.reject(error);
    this.#waiting = undefined;
  }

  async next(): Promise<IteratorResult<InboxEvent>> {
    if (this.#ended instanceof Error) {
      const error = this.#ended;
      this.#ended = true;
      throw error;
    }
    this.#silentChecks = 0;
    while (!this.#ended && !this.#live && this.#page.length === 0 && this.#queue.length === 0) await this.#readPage();
    if (this.#ended) return END;
    const event = this.#page.shift() ?? this.#queue.shift();
    if (event) return { done: false, value: event };
    this.#waiting ??= Promise.withResolvers<IteratorResult<InboxEvent>>();
    return this.#waiting.promise;
  }

  async return(): Promise<IteratorResult<InboxEvent>> {
    if (!this.#ended) this.#end(true);
    this.#waiting?.resolve(END);
    this.#waiting = undefined;
    return END;
  }

  async #readPage(): Promise<void> {
    let replay: Replay;
    this.#isReading = true;
    try {
      replay = await this.#options.read(this.#position, BACKFILL_PAGE);
    } catch (error) {
      if (this.#ended) return;
      // Nobody asks again after an error, nor says goodbye: the feed would be held for ever.
      this.#end(true);
      throw error;
    } finally {
      this.#isReading = false;
    }
    if (this.#ended) return;
    const { head, events, complete } = replay;
    this.#page = events;
    this.#position = complete ? Math.max(head.version, this.#position) : (events.at(-1)?.version ?? this.#position);
    // Beyond this point the feed will tell us; what it repeats is dropped by version.
    if (complete && this.#position >= this.#options.feed.head.version) this.#goLive();
  }

  /** Leaves what does not fit to the log, and keeps an eye on the reader until it has caught up. */
  #goBack(): void {
    this.#live = false;
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
    this.#live = true;
    clearInterval(this.#stallCheck);
    this.#stallCheck = undefined;
    this.#options.feed.attach(this, this.#position);
  }

  #end(how: Error | true): void {
    this.#ended = how;
    clearInterval(this.#stallCheck);
    this.#queue = [];
    this.#page = [];
    this.#options.feed.detach(this);
    this.#options.onDetach();
  }
}
