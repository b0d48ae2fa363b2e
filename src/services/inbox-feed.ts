import { shuttingDown } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { Topics, Unsubscribe } from '../pubsub/topics.ts';
import { asTenant } from '../scope.ts';
import { type ActiveSpan, inSpan } from '../tracing/spans.ts';
import type { Tracing } from '../tracing/tracing.ts';
import type { InboxAddress } from './caller.ts';
import { NO_EPOCH } from './cursor.ts';
import { EMPTY_HEAD, type InboxHead } from './inbox-head.ts';
import { type Doorbell, type InboxEvent, type ResetReason, fromTopic } from './inbox-event.ts';
import type { InboxLog } from './inbox-log.ts';
import type { InboxReplays } from './inbox-replay.ts';

/** What a feed drives. */
export interface FeedListener {
  /** The next change, in order. Must not throw. */
  push(event: InboxEvent): void;
  /** What was told so far cannot be continued, as the inbox was lost and began anew: what follows is after this head. */
  restart(head: InboxHead, reason: ResetReason): void;
  /** The feed cannot go on; the listener ends and its owner comes back with a cursor. */
  fail(error: Error): void;
}

/** What all feeds of a hub share. */
export interface InboxFeedOptions {
  topics: Topics;
  log: InboxLog;
  replays: InboxReplays;
  logger: Logger;
  tracing: Tracing;
  /** Told how many listeners were told of an event. Must not throw. */
  onPushed?: ((address: InboxAddress, listeners: number) => void) | undefined;
  onClosed: (feed: InboxFeed) => void;
}

/** Doorbells of two instances overtake each other by milliseconds: waiting this long spares most reads of the log. */
const OVERTAKEN_WAIT_MS = 25;

/** How many early doorbells wait for the one before them; past that the log is read at once. */
const MAX_EARLY = 64;

/** Most feeds never hear of anything early. Never changed. */
const NONE_EARLY: Map<number, Doorbell> = new Map();

/** After a failed read of the log. */
const RETRY_MS = 500;

/**
 * One inbox as this instance sees it live: a topic subscription and the version up to which listeners were told.
 * Doorbells that repeat are dropped; those that come early wait; a missing one is read from the log.
 */
export class InboxFeed {
  readonly address: InboxAddress;
  readonly topic: string;
  readonly #options: InboxFeedOptions;
  readonly #listeners = new Set<FeedListener>();
  #early: Map<number, Doorbell> = NONE_EARLY;
  /** A doorbell was let go because too many were early: the log has it. */
  #letGo = false;
  #head: InboxHead = EMPTY_HEAD;
  #holders = 0;
  #opening: Promise<void> | undefined;
  #unsubscribe: Unsubscribe | undefined;
  #open = false;
  #closed: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #catchingUp: Promise<void> | undefined;

  constructor(address: InboxAddress, topic: string, options: InboxFeedOptions) {
    this.address = address;
    this.topic = topic;
    this.#options = options;
  }

  /** The version, epoch and counters up to which listeners were told. */
  get head(): InboxHead {
    return this.#head;
  }

  get isOpen(): boolean {
    return this.#open;
  }

  hold(): void {
    this.#holders += 1;
  }

  /** Drops one hold; with the last one the topic subscription ends. A hold taken meanwhile keeps it. */
  async release(): Promise<void> {
    this.#holders -= 1;
    if (this.#holders > 0) return;
    await this.#opening?.catch(() => {});
    if (this.#holders === 0) await this.close();
  }

  /** Resolves once the topic is subscribed and the head is read: from then on nothing is missed. */
  opened(): Promise<void> {
    this.#opening ??= this.#doOpen();
    return this.#opening;
  }

  async #doOpen(): Promise<void> {
    const { topics, log } = this.#options;
    this.#unsubscribe = await topics.subscribe(this.topic, (message) => this.#onMessage(message));
    this.#head = await asTenant(this.address.tenantId, () => log.headForListener(this.address));
    this.#open = true;
    this.#drainEarly();
  }

  /** The listener may have read the log by itself further than this feed has heard. */
  attach(listener: FeedListener): void {
    if (this.#closed) listener.fail(shuttingDown());
    else this.#listeners.add(listener);
  }

  detach(listener: FeedListener): void {
    this.#listeners.delete(listener);
  }

  /** Makes sure that listeners are told everything up to this head. */
  async reach(head: InboxHead): Promise<void> {
    if (!this.#isBehind(head)) return;
    await this.#catchUp();
    // It may have been under way already, and have read the log before this head was there.
    if (this.#isBehind(head)) await this.#catchUp();
  }

  #isBehind({ epoch, version }: InboxHead): boolean {
    return !this.#closed && (epoch !== this.#head.epoch || version > this.#head.version);
  }

  #onMessage(message: unknown): void {
    if (this.#closed) return;
    const doorbell = fromTopic(message, this.address);
    if (!doorbell) {
      this.#options.logger.warn('a message that is no doorbell of this inbox came by its topic; ignored');
      return;
    }
    if (doorbell.epoch === this.#head.epoch && doorbell.version <= this.#head.version) return;
    if (this.#open && !this.#catchingUp && this.#follows(doorbell)) {
      this.#tell(doorbell);
      this.#drainEarly();
      return;
    }
    if (this.#early === NONE_EARLY) this.#early = new Map();
    if (this.#early.size < MAX_EARLY) this.#early.set(doorbell.previousVersion, doorbell);
    else this.#letGo = true;
    if (this.#open && !this.#catchingUp) this.#waitForEarlier();
  }

  /** An inbox that did not exist yet gets its epoch from the log: any stranger's doorbell would fit it. */
  #follows(doorbell: Doorbell): doorbell is InboxEvent {
    const { epoch, version } = this.#head;
    return doorbell.kind !== 'moved' && doorbell.epoch === epoch && doorbell.previousVersion === version;
  }

  #tell(event: InboxEvent): void {
    const { epoch, version, totalCount, unreadCount } = event;
    this.#head = { epoch, version, totalCount, unreadCount, horizon: this.#head.horizon };
    const push = (): void => {
      for (const listener of this.#listeners) listener.push(event);
      this.#options.onPushed?.(this.address, this.#listeners.size);
    };
    if (event.traceparent === undefined || this.#listeners.size === 0) push();
    else inSpan(this.#beginPush(event.traceparent), push);
  }

  #beginPush(traceparent: string): ActiveSpan | undefined {
    const attributes = {
      'messaging.system': 'carillon',
      'messaging.destination.name': 'inbox',
      'messaging.operation.type': 'process',
      'carillon.listeners': this.#listeners.size,
    };
    return this.#options.tracing.begin('push inbox', { kind: 'consumer', traceparent, attributes });
  }

  #drainEarly(): void {
    for (const [previous, doorbell] of this.#early)
      if (doorbell.version <= this.#head.version) this.#early.delete(previous);
    for (let next = this.#early.get(this.#head.version); next && this.#follows(next); ) {
      this.#early.delete(next.previousVersion);
      this.#tell(next);
      next = this.#early.get(this.#head.version);
    }
    this.#waitForEarlier();
  }

  /** Sees to it that early doorbells are not early for long. One whose turn it is, and which stayed, needs the log. */
  #waitForEarlier(): void {
    if (this.#closed) return;
    if (this.#letGo || this.#early.has(this.#head.version)) {
      void this.#catchUp();
    } else if (this.#early.size === 0) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    } else {
      this.#timer ??= setTimeout(() => void this.#catchUp(), OVERTAKEN_WAIT_MS);
    }
  }

  /** Tells from the log what the topic did not. Never rejects: after a failure it tries again by itself. */
  #catchUp(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#catchingUp ??= this.#readLog()
      .then(() => {
        this.#catchingUp = undefined;
        if (!this.#closed) this.#drainEarly();
      })
      .catch((error: unknown) => {
        this.#catchingUp = undefined;
        this.#letGo = true;
        this.#options.logger.warn({ err: error }, 'the log could not be read for a live inbox; trying again');
        if (!this.#closed) this.#timer ??= setTimeout(() => void this.#catchUp(), RETRY_MS);
      });
    return this.#catchingUp;
  }

  async #readLog(): Promise<void> {
    // Every doorbell that came before the log is read is in the log, or was no true one: none of them waits on.
    const answered = [...this.#early];
    this.#letGo = false;
    // Whoever rang, or listens, is of no account here.
    await asTenant(this.address.tenantId, () => this.#tellFromLog());
    for (const [previous, doorbell] of answered) {
      if (this.#early.get(previous) === doorbell) this.#early.delete(previous);
    }
  }

  async #tellFromLog(): Promise<void> {
    const { version } = this.#head;
    // A listener that has read further may come while the log is being read, and knows of what is deleted just then.
    const reader = this.#options.replays.after(this.address, version, { everyDeletion: true });
    for (;;) {
      const replay = await reader.next();
      if (this.#closed) return;
      const { epoch } = this.#head;
      const beganAnew = epoch !== NO_EPOCH && replay.head.epoch !== epoch;
      if (beganAnew || replay.expired) {
        this.#head = replay.head;
        const reason = beganAnew ? 'INBOX_BEGAN_ANEW' : 'EXPIRED_CURSOR';
        for (const listener of [...this.#listeners]) listener.restart(replay.head, reason);
        return;
      }
      for (const event of replay.events) this.#tell(event);
      if (!replay.complete) continue;
      // What left no trace has moved the version, too.
      if (replay.head.version > this.#head.version) this.#head = replay.head;
      return;
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#doClose();
    return this.#closed;
  }

  async #doClose(): Promise<void> {
    this.#options.onClosed(this);
    clearTimeout(this.#timer);
    for (const listener of [...this.#listeners]) listener.fail(shuttingDown());
    // An unsubscribe that overtakes its own subscribe would leave a ghost in the broker.
    await this.#opening?.catch(() => {});
    this.#open = false;
    await this.#unsubscribe?.();
  }
}
