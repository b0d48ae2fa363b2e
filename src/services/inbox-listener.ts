import { CarillonError } from '../errors.ts';
import type { StreamMeter } from '../metrics/meters.ts';
import { NO_EPOCH } from './cursor.ts';
import { END, type EventSink, type EventSource, nextEvent } from './event-source.ts';
import type { InboxEvent, InboxReset, ResetReason, StreamEvent } from './inbox-event.ts';
import type { FeedListener, InboxFeed } from './inbox-feed.ts';
import type { InboxHead } from './inbox-head.ts';
import type { InboxReplays, Replay, ReplayReader } from './inbox-replay.ts';
import { type ReplayPacing, nextPage } from './replay-pacing.ts';

/** The listener fell too far behind and was ended; it can come back with the cursor of the last event it took. */
export class SlowConsumerError extends CarillonError {
  constructor(most: number) {
    super('RATE_LIMITED', `Slow consumer: more than ${most} events were waiting. Come back with your last cursor.`, {
      retryAfterSeconds: 1,
    });
    this.name = 'SlowConsumerError';
  }
}

/** What nobody has put anything into: most listeners wait with nothing in hand. Never changed. */
const NOTHING: StreamEvent[] = [];

/** What all listeners of a hub share. */
export interface ListenerTools {
  readonly maxWaiting: number;
  readonly replays: Pick<InboxReplays, 'after'>;
  readonly meter: StreamMeter;
  readonly pacing: ReplayPacing;
  /** Drops a listener's hold on its feed. */
  readonly release: (feed: InboxFeed) => void;
}

export interface InboxListenerOptions {
  /** Where to begin in the log; live only when absent. */
  from: number | undefined;
  /** Why the cursor was of no use: the first event says so, and the rest is live. */
  reset: ResetReason | undefined;
  additionsOnly: boolean;
  /** Called once when the reader is given up as too slow: it may be stuck in a write, and never ask again. */
  onSlow: (() => void) | undefined;
}

/**
 * A reader whose queue is full is too slow when it takes nothing for two of these. Two, because after a busy moment of
 * this very process the first is over before the reader's answers have been looked at.
 */
const STALL_CHECK_MS = 200;

/**
 * One reader of one inbox. It first pages through the log at the reader's own pace, so that a backfill of any length
 * costs one page; when it has reached the feed it attaches, in the same turn, and goes on live through a bounded queue.
 * When the queue is full it goes back to the log, so that a burst ends nobody who reads; who takes nothing is ended.
 * A backfill that fails ends the listener.
 */
export class InboxListener implements EventSource<StreamEvent>, FeedListener {
  /** Where the inbox stood when the listener began. */
  readonly head: InboxHead;
  readonly #feed: InboxFeed;
  readonly #tools: ListenerTools;
  readonly #additionsOnly: boolean;
  readonly #onSlow: (() => void) | undefined;
  #epoch: string;
  /** Up to here events were taken into the queue or the page, or passed over. */
  #position: number;
  /** The version of the last event that the reader was given, or where it began. */
  #given: number;
  /** From the log, and before what is in the queue. */
  #page: StreamEvent[] = NOTHING;
  #queue: StreamEvent[] = NOTHING;
  /** Absent while the feed tells what comes. */
  #reader: ReplayReader | undefined;
  /** Absent while the reader wants nothing. */
  #sink: EventSink<StreamEvent> | undefined;
  #ended: Error | true | undefined;
  #stallCheck: NodeJS.Timeout | undefined;
  /** Checks since the reader last took something. */
  #silentChecks = 0;
  /** The reader waits for the log, and not the other way round. */
  #isReading = false;

  constructor(feed: InboxFeed, tools: ListenerTools, { from, reset, additionsOnly, onSlow }: InboxListenerOptions) {
    this.#feed = feed;
    this.#tools = tools;
    this.#additionsOnly = additionsOnly;
    this.#onSlow = onSlow;
    this.head = feed.head;
    this.#epoch = this.head.epoch;
    this.#position = from ?? this.head.version;
    this.#given = this.#position;
    if (reset) this.#page = [this.#resetAt(this.head, this.head.version, reset)];
    else if (from !== undefined) tools.meter.resumed();
    if (this.#position >= this.head.version) feed.attach(this);
    else this.#reader = this.#readerAfter(this.#position);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Hands events to the sink, beginning with those that wait, until it wants no more or the listener is over. */
  pipe(sink: EventSink<StreamEvent>): void {
    this.#sink = sink;
    this.#silentChecks = 0;
    if (this.#ended) this.#tellEnd(this.#ended);
    else this.#flush();
  }

  /** The next event. For one reader that asks again when it has been answered. Rejects with what ended the listener. */
  next(): Promise<IteratorResult<StreamEvent>> {
    return nextEvent(this);
  }

  /** Ends the listener; a sink that waits is told so. */
  async return(): Promise<IteratorResult<StreamEvent>> {
    this.#end(true);
    return END;
  }

  push(event: InboxEvent): void {
    if (this.#ended || event.version <= this.#position) return;
    const isWanted = !this.#additionsOnly || event.kind === 'added';
    if (isWanted && !this.#sink && this.#queue.length >= this.#tools.maxWaiting) {
      this.#goBack();
      return;
    }
    this.#epoch = event.epoch;
    this.#position = event.version;
    if (isWanted) this.#deliver(event);
  }

  restart(head: InboxHead, reason: ResetReason): void {
    if (this.#ended) return;
    if (this.#additionsOnly) {
      this.fail(
        new CarillonError(
          'UNAVAILABLE',
          'The inbox began anew, or was out of reach for too long: read the list, and subscribe anew.',
        ),
      );
      return;
    }
    const reset = this.#resetAt(head, this.#position, reason);
    this.#page = NOTHING;
    this.#queue = NOTHING;
    this.#epoch = head.epoch;
    this.#position = head.version;
    if (this.#reader) this.#reader = this.#readerAfter(head.version);
    this.#deliver(reset);
  }

  fail(error: Error): void {
    this.#end(error);
  }

  #readerAfter(version: number): ReplayReader {
    return this.#tools.replays.after(this.#feed.address, version, { additionsOnly: this.#additionsOnly });
  }

  #deliver(event: StreamEvent): void {
    if (this.#sink) this.#give(this.#sink, event);
    else if (this.#queue === NOTHING) this.#queue = [event];
    else this.#queue.push(event);
  }

  /** Gives what waits, and reads on in the log when that is all. */
  #flush(): void {
    while (this.#sink && !this.#ended && !this.#isReading) {
      const event = this.#page.shift() ?? this.#queue.shift();
      if (event) this.#give(this.#sink, event);
      else if (this.#reader) void this.#readPage(this.#reader);
      else return;
    }
  }

  #give(sink: EventSink<StreamEvent>, event: StreamEvent): void {
    this.#silentChecks = 0;
    // Before it takes: the sink may ask for more, or end the listener, in the same call.
    this.#sink = undefined;
    if (sink.take(this.#tied(event)) && !this.#ended) this.#sink ??= sink;
  }

  /**
   * Changes that left no trace, such as an addition that is deleted again, move the version without an event: the next
   * event is tied to the one that this reader had before, so that nobody takes such a step for a hole.
   */
  #tied(event: StreamEvent): StreamEvent {
    const previousVersion = this.#given;
    this.#given = event.version;
    const isTied = event.previousVersion === previousVersion || event.kind === 'reset' || this.#additionsOnly;
    return isTied ? event : { ...event, previousVersion };
  }

  async #readPage(reader: ReplayReader): Promise<void> {
    this.#isReading = true;
    try {
      const replay = await nextPage(reader, this.#feed.address, this.#tools.pacing, () => !this.#ended);
      // The inbox was lost and began anew: either the feed has not heard of it, or this page is from before.
      if (replay && replay.head.epoch !== this.#feed.head.epoch) await this.#feed.reach(replay.head);
      if (replay && !this.#ended) this.#turnTo(reader, replay);
    } catch (error) {
      this.fail(error as Error);
    } finally {
      this.#isReading = false;
    }
    this.#flush();
  }

  #turnTo(reader: ReplayReader, { head, events, complete, expired }: Replay): void {
    const isOld = head.epoch !== this.#feed.head.epoch;
    if (isOld || (this.#epoch !== NO_EPOCH && head.epoch !== this.#epoch)) {
      this.restart(isOld ? this.#feed.head : head, 'INBOX_BEGAN_ANEW');
      return;
    }
    this.#epoch = head.epoch;
    if (expired) {
      this.#page = [this.#resetAt(head, this.#position, 'EXPIRED_CURSOR')];
      this.#position = head.version;
      this.#reader = this.#readerAfter(head.version);
      return;
    }
    // Of its own: others may have been given the same page.
    this.#page = [...events];
    this.#position = reader.reached;
    // Beyond this point the feed will tell; what it repeats is dropped by version.
    if (complete && this.#position >= this.#feed.head.version) this.#goLive();
  }

  #resetAt(head: InboxHead, previousVersion: number, reason: ResetReason): InboxReset {
    this.#tools.meter.reset(reason);
    const { epoch, version, unreadCount, totalCount } = head;
    return { kind: 'reset', epoch, version, previousVersion, unreadCount, totalCount, reason };
  }

  /** Leaves what does not fit to the log, and keeps an eye on the reader until it has caught up. */
  #goBack(): void {
    this.#reader = this.#readerAfter(this.#position);
    this.#feed.detach(this);
    this.#silentChecks = 0;
    this.#stallCheck ??= setInterval(() => this.#checkStall(), STALL_CHECK_MS).unref();
  }

  #checkStall(): void {
    this.#silentChecks += 1;
    if (this.#silentChecks < 2 || this.#isReading) return;
    this.fail(new SlowConsumerError(this.#tools.maxWaiting));
    this.#onSlow?.();
  }

  #goLive(): void {
    this.#reader = undefined;
    clearInterval(this.#stallCheck);
    this.#stallCheck = undefined;
    this.#feed.attach(this);
  }

  #end(how: Error | true): void {
    if (this.#ended) return;
    this.#ended = how;
    clearInterval(this.#stallCheck);
    this.#page = NOTHING;
    this.#queue = NOTHING;
    this.#reader = undefined;
    this.#feed.detach(this);
    this.#tools.release(this.#feed);
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
