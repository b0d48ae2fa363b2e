import { shuttingDown } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Topics } from '../pubsub/topics.ts';
import { asEveryTenant, mustBeInScope } from '../scope.ts';
import { type SpanOptions, inChild } from '../tracing/spans.ts';
import { type Tracing, noTracing } from '../tracing/tracing.ts';
import type { InboxAddress } from './caller.ts';
import { type Cursor, type CursorFault, faultIn, mustBeIn } from './cursor.ts';
import { type InboxEvent, inboxTopic, toDoorbell } from './inbox-event.ts';
import { InboxFeed, type InboxFeedOptions } from './inbox-feed.ts';
import { EMPTY_HEAD } from './inbox-head.ts';
import type { InboxLog } from './inbox-log.ts';
import type { InboxReplays } from './inbox-replay.ts';
import { InboxListener, type ListenerTools } from './inbox-listener.ts';
import { EVENTS_PER_TURN, type ReplayPrice } from './replay-pacing.ts';
import { Turns } from './turns.ts';

export interface HubOptions {
  topics: Topics;
  log: InboxLog;
  replays: InboxReplays;
  /** See InboxFeedOptions. */
  onPushed?: ((address: InboxAddress, listeners: number) => void) | undefined;
  /** See ReplayPacing. */
  price?: ReplayPrice | undefined;
  metrics: Metrics;
  logger: Logger;
  tracing?: Tracing;
  /** Most events that wait in one listener. */
  maxWaitingEvents: number;
  /** How often live inboxes are compared with the log. */
  sweepIntervalMs: number;
}

export interface ListenOptions {
  /** First everything after this point, from the log; then live. Without it: only what comes from now on. */
  after?: Cursor | undefined;
  /** Only additions, with no room taken by anything else. */
  additionsOnly?: boolean;
  /** Called when the listener is ended for being too slow, besides the error that its reader gets. */
  onSlow?: (() => void) | undefined;
}

const PUBLISH: SpanOptions = {
  kind: 'producer',
  attributes: {
    'messaging.system': 'carillon',
    'messaging.destination.name': 'inbox',
    'messaging.operation.type': 'send',
  },
};

/**
 * The live side of one instance: one feed per inbox that somebody here listens to, each with one topic subscription,
 * whatever the number and kind of its listeners. Feeds and listeners read the log wherever a doorbell was missed.
 */
export class Hub implements AsyncDisposable {
  readonly #options: HubOptions;
  readonly #feeds = new Map<string, InboxFeed>();
  readonly #tools: ListenerTools;
  readonly #feedOptions: InboxFeedOptions;
  readonly #timer: NodeJS.Timeout;
  #sweeping: Promise<void> | undefined;
  #sweepingAgain: Promise<void> | undefined;
  #disposed = false;

  constructor(options: HubOptions) {
    this.#options = options;
    const { topics, log, replays, metrics, logger, price, maxWaitingEvents: maxWaiting } = options;
    this.#tools = {
      maxWaiting,
      replays,
      pacing: { turns: new Turns(EVENTS_PER_TURN), price },
      meter: metrics.streams,
      release: (feed) => this.#release(feed),
    };
    const { tracing = noTracing, onPushed } = options;
    this.#feedOptions = {
      topics,
      log,
      replays,
      logger,
      tracing,
      onPushed,
      onClosed: ({ topic }) => this.#feeds.delete(topic),
    };
    options.topics.onRestored(() => void this.sweep());
    this.#timer = setInterval(() => void this.sweep(), options.sweepIntervalMs).unref();
  }

  /** Inboxes with a topic subscription at this moment. */
  get feedCount(): number {
    return this.#feeds.size;
  }

  /** Tells every listener of the inbox, on all instances, what changed. Call it after the commit; it never fails. */
  publish(address: InboxAddress, event: InboxEvent): void {
    inChild('publish inbox', PUBLISH, (span) => {
      const told = { ...event, committedAtMs: Date.now() };
      const doorbell = toDoorbell(span ? { ...told, traceparent: span.traceparent } : told);
      this.#options.topics.publish(inboxTopic(address), doorbell);
    });
  }

  /**
   * A listener that yields each change of the inbox exactly once, in order. It is attached when the promise resolves:
   * every change committed from then on will be yielded.
   *
   * When `after` is of no use in this inbox, the first event is a reset that says why, and the rest is live.
   *
   * @throws CarillonError with `additionsOnly` instead: BAD_USER_INPUT for such a cursor.
   */
  async listen(
    address: InboxAddress,
    { after, additionsOnly = false, onSlow }: ListenOptions = {},
  ): Promise<InboxListener> {
    // Events come by topics, which know of no scope.
    mustBeInScope(address.tenantId);
    const feed = await this.#open(address);
    try {
      const reset = after && (await this.#faultOf(feed, after, additionsOnly));
      const from = reset ? undefined : after?.version;
      return new InboxListener(feed, this.#tools, { from, reset, additionsOnly, onSlow });
    } catch (error) {
      this.#release(feed);
      throw error;
    }
  }

  async #faultOf(feed: InboxFeed, cursor: Cursor, mustFit: boolean): Promise<CursorFault | undefined> {
    if (!faultIn(feed.head, cursor)) return undefined;
    // The feed may not have heard yet of what made this cursor: the log decides.
    const head = await this.#options.log.headForListener(feed.address);
    // And so the listener does not begin with counts that are older than its cursor.
    await feed.reach(head);
    if (mustFit) mustBeIn(head, cursor, 'after');
    return faultIn(head, cursor);
  }

  /**
   * Compares all live inboxes with the log in one query, and catches up with those that are behind. One that is under
   * way may have read the log too early for this call: another follows it.
   */
  sweep(): Promise<void> {
    if (this.#sweeping) {
      this.#sweepingAgain ??= this.#sweeping.then(() => {
        this.#sweepingAgain = undefined;
        return this.sweep();
      });
      return this.#sweepingAgain;
    }
    this.#sweeping = this.#sweep().finally(() => {
      this.#sweeping = undefined;
    });
    return this.#sweeping;
  }

  async #sweep(): Promise<void> {
    const feeds = [...this.#feeds.values()].filter((feed) => feed.isOpen);
    if (feeds.length === 0 || this.#disposed) return;
    try {
      const heads = await asEveryTenant(() => this.#options.log.heads(feeds.map((feed) => feed.address)));
      await Promise.all(feeds.map((feed, index) => feed.reach(heads.get(index) ?? EMPTY_HEAD)));
    } catch (error) {
      this.#options.logger.warn({ err: error }, 'live inboxes could not be compared with the log; trying again soon');
    }
  }

  async #open(address: InboxAddress): Promise<InboxFeed> {
    if (this.#disposed) throw shuttingDown();
    const topic = inboxTopic(address);
    let feed = this.#feeds.get(topic);
    if (!feed) {
      feed = new InboxFeed({ tenantId: address.tenantId, userId: address.userId }, topic, this.#feedOptions);
      this.#feeds.set(topic, feed);
    }
    feed.hold();
    try {
      await feed.opened();
      if (this.#disposed) throw shuttingDown();
      return feed;
    } catch (error) {
      this.#release(feed);
      throw error;
    }
  }

  #release(feed: InboxFeed): void {
    feed.release().catch((error: unknown) => {
      this.#options.logger.warn({ err: error }, 'a topic subscription did not end cleanly');
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    clearInterval(this.#timer);
    await (this.#sweepingAgain ?? this.#sweeping);
    await Promise.allSettled([...this.#feeds.values()].map((feed) => feed.close()));
  }
}
