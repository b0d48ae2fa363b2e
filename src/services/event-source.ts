/** Where the events of a source go. */
export interface EventSink<Event> {
  /** Takes an event. `false` means: no more until `pipe` is called again. Must not throw. */
  take(event: Event): boolean;
  /** The source is over: with the error that ended it, or because its owner ended it. Must not throw. */
  ended(error: Error | undefined): void;
}

/**
 * The live events of one reader. Read it with `pipe`, which hands over each event in the very turn in which it happens, or
 * as an iterator, one `next()` at a time. What waits for a reader is bounded.
 */
export interface EventSource<Event> extends AsyncIterableIterator<Event> {
  /** Hands events to the sink, beginning with those that wait, until it wants no more or the source is over. */
  pipe(sink: EventSink<Event>): void;
  /** Ends the source; a sink that waits is told so. */
  return(): Promise<IteratorResult<Event>>;
}

export const isEventSource = (value: object): value is EventSource<object> => 'pipe' in value;

export const END: IteratorReturnResult<undefined> = { done: true, value: undefined };

/** The next event of a source. Rejects with what ended it. */
export function nextEvent<Event>(source: Pick<EventSource<Event>, 'pipe'>): Promise<IteratorResult<Event>> {
  const { promise, resolve, reject } = Promise.withResolvers<IteratorResult<Event>>();
  source.pipe({
    take(value) {
      resolve({ done: false, value });
      return false;
    },
    ended: (error) => (error ? reject(error) : resolve(END)),
  });
  return promise;
}
