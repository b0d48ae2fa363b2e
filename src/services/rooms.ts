import { shuttingDown } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { Topics, Unsubscribe } from '../pubsub/topics.ts';

/** Those in this process who listen to one topic, and what they share. */
export class Room<Listener> {
  readonly topic: string;
  readonly listeners = new Set<Listener>();
  /** Resolves once messages come; rejects when they never will. */
  standing!: Promise<Unsubscribe>;

  constructor(topic: string) {
    this.topic = topic;
  }
}

export interface RoomsOptions<R> {
  topics: Topics;
  logger: Logger;
  /** A message of the room's topic, of whatever shape. Must not throw. */
  onMessage: (room: R, message: unknown) => void;
}

/** One topic subscription for all who listen to the same topic here, from the first who comes to the last who leaves. */
export class Rooms<Listener, R extends Room<Listener>> implements AsyncDisposable {
  readonly #options: RoomsOptions<R>;
  readonly #rooms = new Map<string, R>();
  #disposed = false;

  constructor(options: RoomsOptions<R>) {
    this.#options = options;
  }

  /** Topics with a subscription at this moment. */
  get size(): number {
    return this.#rooms.size;
  }

  values(): Iterable<R> {
    return this.#rooms.values();
  }

  /**
   * Lets a listener in. It misses nothing once the room is `standing`; until it leaves, the room is kept, even if it
   * should never stand.
   *
   * @throws CarillonError UNAVAILABLE when the server is about to end.
   */
  join(topic: string, listener: Listener, open: (topic: string) => R): R {
    if (this.#disposed) throw shuttingDown();
    let room = this.#rooms.get(topic);
    if (!room) {
      room = this.#open(open(topic));
      this.#rooms.set(topic, room);
    }
    room.listeners.add(listener);
    return room;
  }

  /** Forgets a listener; with the last one the topic subscription ends. Once is enough, more does no harm. */
  leave(topic: string, listener: Listener): void {
    const room = this.#rooms.get(topic);
    if (!room?.listeners.delete(listener) || room.listeners.size > 0) return;
    this.#rooms.delete(topic);
    void this.#close(room);
  }

  #open(room: R): R {
    const { topics, onMessage } = this.#options;
    room.standing = topics.subscribe(room.topic, (message) => onMessage(room, message));
    // Whoever joins awaits it; one that is not awaited in time must not be an unhandled rejection.
    room.standing.catch(() => {});
    return room;
  }

  /** Never rejects. An unsubscribe that overtook its own subscribe would leave a ghost in the broker. */
  async #close(room: R): Promise<void> {
    try {
      const unsubscribe = await room.standing;
      await unsubscribe();
    } catch (error) {
      this.#options.logger.warn({ err: error }, 'a topic subscription did not end cleanly');
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    const rooms = [...this.#rooms.values()];
    this.#rooms.clear();
    await Promise.all(rooms.map((room) => this.#close(room)));
  }
}
