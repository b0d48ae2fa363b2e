import { END, type EventSink, type EventSource, nextEvent } from './event-source.ts';
import { SlowConsumerError } from './inbox-listener.ts';

export interface LiveQueueOptions<Event> {
  /** Most events that wait for the reader, besides `first`. */
  maxWaiting: number;
  /** What the reader gets before anything that is pushed. */
  first?: readonly Event[];
  /** Called once when the reader is given up as too slow: it may be stuck in a write, and never ask for its error. */
  onSlow?: (() => void) | undefined;
  /** Called once when the queue is over, however that came about. */
  onEnd: () => void;
}

/**
 * Live events that no log holds: what is pushed reaches the reader in the turn in which it is pushed, or waits. Since
 * nothing could be read again later, a reader for whom too many wait is ended, with SlowConsumerError, and nothing is
 * left out before that.
 */
export class LiveQueue<Event> implements EventSource<Event> {
  readonly #options: LiveQueueOptions<Event>;
  readonly #most: number;
  #waiting: Event[];
  /** Absent while the reader wants nothing. */
  #sink: EventSink<Event> | undefined;
  #ended: Error | true | undefined;

  constructor(options: LiveQueueOptions<Event>) {
    const { first = [], maxWaiting } = options;
    this.#options = options;
    this.#waiting = [...first];
    this.#most = maxWaiting + first.length;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Hands an event to the reader, or keeps it until it is asked for. */
  push(event: Event): void {
    if (this.#ended) return;
    if (!this.#sink && this.#waiting.length >= this.#most) {
      this.fail(new SlowConsumerError(this.#options.maxWaiting));
      this.#options.onSlow?.();
      return;
    }
    this.#waiting.push(event);
    this.#flush();
  }

  /** Ends the queue; what waits is dropped, and the reader is told why. */
  fail(error: Error): void {
    this.#end(error);
  }

  pipe(sink: EventSink<Event>): void {
    this.#sink = sink;
    if (this.#ended) this.#tellEnd(this.#ended);
    else this.#flush();
  }

  /** The next event. For one reader that asks again when it has been answered. Rejects with what ended the queue. */
  next(): Promise<IteratorResult<Event>> {
    return nextEvent(this);
  }

  async return(): Promise<IteratorResult<Event>> {
    this.#end(true);
    return END;
  }

  #flush(): void {
    while (this.#sink && this.#waiting.length > 0) {
      const sink = this.#sink;
      // Before it takes: the sink may ask for more, or end the queue, in the same call.
      this.#sink = undefined;
      if (sink.take(this.#waiting.shift() as Event) && !this.#ended) this.#sink ??= sink;
    }
  }

  #end(how: Error | true): void {
    if (this.#ended) return;
    this.#ended = how;
    this.#waiting = [];
    this.#options.onEnd();
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
