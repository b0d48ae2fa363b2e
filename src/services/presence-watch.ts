import type { Logger } from '../logger.ts';
import type { Topics } from '../pubsub/topics.ts';
import { asTenant, mustBeInScope } from '../scope.ts';
import { Batcher } from './batcher.ts';
import type { InboxAddress } from './caller.ts';
import type { EventSource } from './event-source.ts';
import { LiveQueue } from './live-queue.ts';
import type { PresenceTable, UserPresence } from './presence-table.ts';
import { Room, Rooms } from './rooms.ts';

export interface PresenceWatchOptions {
  table: PresenceTable;
  topics: Topics;
  logger: Logger;
  /** Most events that wait for one watcher. */
  maxWaitingEvents: number;
  /** How often all who are watched are read again, in case a doorbell was lost. */
  sweepIntervalMs: number;
}

export interface WatchOptions {
  /** Called when the watcher is ended for being too slow, besides the error that it gets. */
  onSlow?: (() => void) | undefined;
}

/** Who is told of changes of users. */
interface Watcher {
  push(state: UserPresence): void;
}

/** One user whom somebody here watches. */
class WatchedUser extends Room<Watcher> {
  readonly address: InboxAddress;
  /** What watchers were told last; absent until it was read. */
  state: UserPresence | undefined;
  /** A read that has not begun will tell. */
  isAwaitingRead = false;

  constructor(topic: string, { tenantId, userId }: InboxAddress) {
    super(topic);
    this.address = { tenantId, userId };
  }
}

/** Where it is told that the stored state of a user has changed. */
const presenceTopic = ({ tenantId, userId }: InboxAddress): string =>
  `carillon:presence:${encodeURIComponent(tenantId)}:${encodeURIComponent(userId)}`;

/** Users of one statement. */
const MAX_READ_TOGETHER = 500;

/**
 * Tells watchers who comes and goes. Messages of the topics are doorbells and nothing more: the tables decide, and only
 * what has changed there is told. One subscription and one state for each user who is watched, whatever the number of
 * watchers; users who are to be read at about the same time share a statement.
 */
export class PresenceWatch implements AsyncDisposable {
  readonly #options: PresenceWatchOptions;
  readonly #rooms: Rooms<Watcher, WatchedUser>;
  /** One statement at a time: what is read later is newer. */
  readonly #reads: Batcher<WatchedUser, void>;
  readonly #timer: NodeJS.Timeout;

  constructor(options: PresenceWatchOptions) {
    this.#options = options;
    const { topics, logger } = options;
    this.#rooms = new Rooms({ topics, logger, onMessage: (user) => this.#refresh(user) });
    this.#reads = new Batcher({
      write: (users) => this.#read(users),
      maxBatch: MAX_READ_TOGETHER,
      maxInFlight: 1,
      maxQueued: Number.POSITIVE_INFINITY,
    });
    topics.onRestored(() => this.sweep());
    this.#timer = setInterval(() => this.sweep(), options.sweepIntervalMs).unref();
  }

  /** Users with a topic subscription at this moment. */
  get watchedCount(): number {
    return this.#rooms.size;
  }

  /** Says to all instances that the stored state of a user has changed. Call it after the commit; it never fails. */
  changed(address: InboxAddress): void {
    this.#options.topics.publish(presenceTopic(address), null);
  }

  /** The present state of each of these different users, in their order, and then each change of any of them. */
  async watch(addresses: readonly InboxAddress[], { onSlow }: WatchOptions = {}): Promise<EventSource<UserPresence>> {
    for (const { tenantId } of addresses) mustBeInScope(tenantId);
    // Holds the rooms until their states are known; what comes meanwhile is in these states.
    const visitor: Watcher = { push() {} };
    const users = addresses.map((address) =>
      this.#rooms.join(presenceTopic(address), visitor, (topic) => new WatchedUser(topic, address)),
    );
    try {
      await Promise.all(users.map((user) => user.standing));
      await Promise.all(users.filter(({ state }) => !state).map((user) => this.#reads.add(user)));
      const watcher = new LiveQueue<UserPresence>({
        maxWaiting: this.#options.maxWaitingEvents,
        first: users.map((user) => user.state as UserPresence),
        onSlow,
        onEnd: () => {
          for (const { topic } of users) this.#rooms.leave(topic, watcher);
        },
      });
      for (const user of users) user.listeners.add(watcher);
      return watcher;
    } finally {
      for (const { topic } of users) this.#rooms.leave(topic, visitor);
    }
  }

  /** Reads all who are watched again. */
  sweep(): void {
    for (const user of this.#rooms.values()) this.#refresh(user);
  }

  /** Doorbells that come before the read has begun are answered by it. */
  #refresh(user: WatchedUser): void {
    if (user.isAwaitingRead) return;
    user.isAwaitingRead = true;
    asTenant(user.address.tenantId, () => this.#reads.add(user)).catch((error: unknown) => {
      this.#options.logger.warn({ err: error }, 'who is online could not be read; the next sweep will');
    });
  }

  async #read(users: readonly WatchedUser[]): Promise<void[]> {
    for (const user of users) user.isAwaitingRead = false;
    const states = await this.#options.table.read(users.map(({ address }) => address));
    return users.map((user, index) => this.#learn(user, states[index] as UserPresence));
  }

  #learn(user: WatchedUser, state: UserPresence): void {
    if (user.state && isSame(user.state, state)) return;
    const isFirst = user.state === undefined;
    user.state = state;
    // Whoever watches was told of a state before.
    if (!isFirst) for (const watcher of user.listeners) watcher.push(state);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#rooms[Symbol.asyncDispose]();
    await this.#reads.drain();
  }
}

/** While online, the time is that of the read, and no news. */
const isSame = (one: UserPresence, other: UserPresence): boolean =>
  one.connections === other.connections && (one.online || one.lastSeenAt?.getTime() === other.lastSeenAt?.getTime());
