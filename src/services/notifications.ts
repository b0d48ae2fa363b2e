import { v7 as uuidv7 } from 'uuid';
import type { Config } from '../config.ts';
import { type CarillonError, badInput, forbidden, notFound } from '../errors.ts';
import { Batcher } from './batcher.ts';
import { type Caller, type InboxAddress, hasRole } from './caller.ts';
import { decodeCursor, mustBeIn } from './cursor.ts';
import { reachDatabase } from './database-failure.ts';
import { randomBytesOf } from './entropy.ts';
import type { Hub } from './hub.ts';
import type { ChangeResult, InboxChanges } from './inbox-changes.ts';
import type { InboxListener } from './inbox-listener.ts';
import { headCursor } from './inbox-head.ts';
import type { Filter } from './inbox-filter.ts';
import type { InboxLog } from './inbox-log.ts';
import type { InboxPages, NotificationPage, NumberedPage, Paging } from './inbox-pages.ts';
import type { Notification } from './notification.ts';
import type { Rules, SendInput } from './notification-rules.ts';
import { type SendItem, type SendResult, exclusiveKeyOf, inboxKeyOf } from './send-writer.ts';

export type { Filter } from './inbox-filter.ts';
export type { NotificationPage, Paging } from './inbox-pages.ts';
export type { SendInput } from './notification-rules.ts';

export interface StreamOptions {
  /** The last cursor that the reader has: first comes everything after it. */
  after?: string | null | undefined;
  /** Called when the reader is given up as too slow; it may be stuck in a write and not ask for its error. */
  onSlow?: (() => void) | undefined;
}

/** Where an inbox stands: the cursor to stream from, and the counts at that point. */
export interface InboxState {
  readonly cursor: string;
  readonly unreadCount: number;
  readonly totalCount: number;
}

/** What a change of many did; `cursor` is the point of the log that it led to. */
export interface BatchResult {
  readonly count: number;
  readonly unreadCount: number;
  readonly cursor: string;
}

export interface NotificationsOptions {
  config: Pick<Config, 'sendPolicy' | 'maxQueuedSends' | 'maxSendBatch' | 'maxSendBatchesInFlight'>;
  rules: Rules;
  log: InboxLog;
  pages: InboxPages;
  changes: InboxChanges;
  hub: Hub;
  write: (items: readonly SendItem[]) => Promise<readonly (SendResult | CarillonError)[]>;
}

/** Rows that one step of `markAllRead` changes. */
const MARK_ALL_STEP = 1000;

/**
 * What the product does, for a caller and within that caller's tenant and inbox. Every door calls these methods, so
 * every rule (who may, what is valid, what is counted) stands here or in `notification-rules.ts`, once.
 *
 * All methods throw CarillonError: BAD_USER_INPUT with the field, NOT_FOUND for what is not in the caller's inbox
 * whether it exists elsewhere or not, UNAVAILABLE when the database is out of reach and trying again makes sense.
 */
export class Notifications {
  readonly #options: NotificationsOptions;
  readonly #sends: Batcher<SendItem, SendResult>;

  constructor(options: NotificationsOptions) {
    this.#options = options;
    this.#sends = new Batcher<SendItem, SendResult>({
      write: options.write,
      exclusiveKey: exclusiveKeyOf,
      groupKey: inboxKeyOf,
      maxBatch: options.config.maxSendBatch,
      maxInFlight: options.config.maxSendBatchesInFlight,
      maxQueued: options.config.maxQueuedSends,
    });
  }

  /**
   * Stores a notification and tells every device of the recipient. Resolves after the commit. The sender is the caller.
   *
   * @throws CarillonError also FORBIDDEN by the send policy, CONFLICT for an idempotency key with other content,
   * RATE_LIMITED when too many sends wait.
   */
  async send(caller: Caller, input: SendInput): Promise<Notification> {
    const { recipientId, ...content } = this.#options.rules.send(input);
    const { tenantId, userId: senderId } = caller;
    const recipient = recipientId ?? senderId;
    if (
      this.#options.config.sendPolicy === 'privileged' &&
      recipient !== senderId &&
      !hasRole(caller, 'sender', 'admin')
    ) {
      throw forbidden('Sending to others needs the role sender or admin.');
    }
    if (content.channel !== 'IN_APP') {
      throw badInput('channel', `channel ${content.channel} is not configured on this server; use IN_APP.`);
    }
    const dataJson = content.data === null ? null : JSON.stringify(content.data);
    const item = {
      ...content,
      id: uuidv7({ random: randomBytesOf(16) }),
      tenantId,
      senderId,
      recipientId: recipient,
      dataJson,
    };
    const { notification, event } = await reachDatabase(this.#sends.add(item));
    if (event) this.#options.hub.publish({ tenantId, userId: recipient }, event);
    return notification;
  }

  async find(caller: Caller, id: string): Promise<Notification | undefined> {
    const known = this.#options.rules.id(id);
    return known === undefined ? undefined : reachDatabase(this.#options.log.find(caller, known));
  }

  async get(caller: Caller, id: string): Promise<Notification> {
    const found = await this.find(caller, id);
    if (!found) throw notFound('notification');
    return found;
  }

  /** A Relay page, newest first. Page and counts belong to one moment. */
  list(caller: Caller, paging: Paging, filter: Filter = {}): Promise<NotificationPage> {
    return this.#options.pages.list(caller, paging, filter);
  }

  /** A numbered page, newest first, and the true total under the filter. Cost grows with the page number. */
  listPage(caller: Caller, page: number, pageSize: number, filter: Filter): Promise<NumberedPage> {
    return this.#options.pages.listPage(caller, page, pageSize, filter);
  }

  async unreadCount(caller: Caller, filter: Filter = {}): Promise<number> {
    if (filter.unread === false) return 0;
    return reachDatabase(this.#options.log.count(caller, { ...filter, unread: true }));
  }

  /** Marks one as read; one that is read already stays as it is. */
  async markRead(caller: Caller, id: string): Promise<Notification> {
    const known = this.#options.rules.id(id);
    if (known !== undefined) await this.#change(caller, this.#options.changes.markRead(caller, [known]));
    return this.get(caller, id);
  }

  /** Marks one as unread; one that is unread already stays as it is. */
  async markUnread(caller: Caller, id: string): Promise<Notification> {
    const known = this.#options.rules.id(id);
    if (known !== undefined) await this.#change(caller, this.#options.changes.markUnread(caller, known));
    return this.get(caller, id);
  }

  /** Marks many as read. `count` is how many were unread until now; unknown ids and repetitions change nothing. */
  async batchMarkRead(caller: Caller, ids: readonly string[]): Promise<BatchResult> {
    const known = this.#options.rules.ids(ids);
    const { event, unreadCount, cursor } = await this.#change(caller, this.#options.changes.markRead(caller, known));
    return { count: event?.kind === 'read' ? event.ids.length : 0, unreadCount, cursor };
  }

  /**
   * Marks all unread ones that match as read, up to and including the cursor `upTo`: what came after it stays unread,
   * as the person has not seen it. Without `upTo`, up to what is there now. Goes in steps of a thousand, each a change
   * of its own, so that a large inbox is not locked for long; `count` is over all of them.
   */
  async markAllRead(caller: Caller, upTo: string | null | undefined, filter: Filter = {}): Promise<BatchResult> {
    const cursor = upTo == null ? undefined : decodeCursor(upTo, 'upTo');
    const head = await reachDatabase(this.#options.log.head(caller));
    if (cursor) mustBeIn(head, cursor, 'upTo');
    const last = cursor?.version ?? head.version;
    if (filter.unread === false) return { count: 0, unreadCount: head.unreadCount, cursor: headCursor(head) };
    let count = 0;
    for (;;) {
      const result = await this.#change(caller, this.#options.changes.markAllRead(caller, last, filter, MARK_ALL_STEP));
      const step = result.event?.kind === 'read' ? result.event.ids.length : 0;
      count += step;
      // A short step may only mean that others read some of it meanwhile.
      if (step === 0) return { count, unreadCount: result.unreadCount, cursor: result.cursor };
    }
  }

  /** Where the inbox stands now. */
  async state(caller: Caller): Promise<InboxState> {
    const head = await reachDatabase(this.#options.log.head(caller));
    return { cursor: headCursor(head), unreadCount: head.unreadCount, totalCount: head.totalCount };
  }

  async delete(caller: Caller, id: string): Promise<{ id: string; unreadCount: number; cursor: string }> {
    const known = this.#options.rules.id(id);
    if (known === undefined) throw notFound('notification');
    const { event, unreadCount, cursor } = await this.#change(caller, this.#options.changes.delete(caller, [known]));
    if (!event) throw notFound('notification');
    return { id: known, unreadCount, cursor };
  }

  /**
   * The caller's additions, each once and in order: after a cursor first those that were missed, then live.
   * Attached when the promise resolves. Ends with SlowConsumerError when too many wait.
   */
  additions(caller: Caller, options: StreamOptions = {}): Promise<InboxListener> {
    return this.#listen(caller, options, true);
  }

  /**
   * Every change of the caller's inbox, each once and in order: after a cursor
   * first what was missed, then live. A cursor of no use gets a reset first. Attached when the promise resolves. Ends
   * with SlowConsumerError when too many wait.
   */
  changes(caller: Caller, options: StreamOptions = {}): Promise<InboxListener> {
    return this.#listen(caller, options, false);
  }

  async #listen(caller: Caller, { after, onSlow }: StreamOptions, additionsOnly: boolean): Promise<InboxListener> {
    const cursor = after == null ? undefined : decodeCursor(after, 'after');
    return reachDatabase(this.#options.hub.listen(caller, { after: cursor, additionsOnly, onSlow }));
  }

  /** Resolves when every send that was taken has been answered. */
  drain(): Promise<void> {
    return this.#sends.drain();
  }

  async #change(address: InboxAddress, change: Promise<ChangeResult>): Promise<ChangeResult> {
    const result = await reachDatabase(change);
    if (result.event) this.#options.hub.publish(address, result.event);
    return result;
  }
}
