import { v7 as uuidv7 } from 'uuid';
import type { Config } from '../config.ts';
import { CarillonError, badInput, forbidden, notFound } from '../errors.ts';
import type { Activity } from './activity.ts';
import { Batcher } from './batcher.ts';
import { type Caller, type InboxAddress, hasRole } from './caller.ts';
import { decodeCursor, mustBeIn } from './cursor.ts';
import { reachDatabase } from './database-failure.ts';
import { randomBytesOf } from './entropy.ts';
import type { Deliveries } from './deliveries.ts';
import type { EarlierSends } from './earlier-sends.ts';
import type { Hub } from './hub.ts';
import type { ChangeResult, InboxChanges } from './inbox-changes.ts';
import type { InboxListener } from './inbox-listener.ts';
import { headCursor } from './inbox-head.ts';
import type { Filter } from './inbox-filter.ts';
import type { InboxLog } from './inbox-log.ts';
import type { InboxPages, NotificationPage, NumberedPage } from './inbox-pages.ts';
import type { Notification } from './notification.ts';
import { type Rules, type SendInput, faultOfTimes } from './notification-rules.ts';
import type { Paging } from './paging.ts';
import type { ReceiptSequencer } from './receipt-sequencer.ts';
import type { ScheduledSends } from './scheduled-sends.ts';
import { type SendItem, type SendResult, exclusiveKeyOf, inboxKeyOf } from './send-item.ts';

export type { Filter } from './inbox-filter.ts';
export type { NotificationPage } from './inbox-pages.ts';
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

type WriteSends = (items: readonly SendItem[]) => Promise<readonly (SendResult | CarillonError)[]>;

export interface NotificationsOptions {
  config: Pick<Config, 'sendPolicy' | 'maxQueuedSends' | 'maxSendBatch' | 'maxSendBatchesInFlight'>;
  rules: Rules;
  log: InboxLog;
  pages: InboxPages;
  changes: InboxChanges;
  hub: Hub;
  receipts: Pick<ReceiptSequencer, 'add'>;
  write: WriteSends;
  /** The same for those that go out of the house as well. */
  writeOutward: WriteSends;
  deliveries: Pick<Deliveries, 'targets' | 'begin'>;
  earlierOf: EarlierSends;
  scheduled: ScheduledSends;
  activity: Activity;
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
  readonly #outwardSends: Batcher<SendItem, SendResult>;

  constructor(options: NotificationsOptions) {
    this.#options = options;
    const batcher = (write: WriteSends) =>
      new Batcher<SendItem, SendResult>({
        write,
        exclusiveKey: exclusiveKeyOf,
        groupKey: inboxKeyOf,
        maxBatch: options.config.maxSendBatch,
        maxInFlight: options.config.maxSendBatchesInFlight,
        maxQueued: options.config.maxQueuedSends,
      });
    this.#sends = batcher(options.write);
    this.#outwardSends = batcher(options.writeOutward);
    options.activity.watchQueue(() => this.#sends.waiting + this.#outwardSends.waiting);
  }

  /**
   * Stores a notification and tells every device of the recipient; with `sendAt`, when that time has come, and until then
   * it is PENDING. Resolves after the commit. The sender is the caller.
   *
   * @throws CarillonError also FORBIDDEN by the send policy, CONFLICT for an idempotency key with other content,
   * RATE_LIMITED when too many sends wait.
   */
  async send(caller: Caller, input: SendInput): Promise<Notification> {
    try {
      return await this.#send(caller, input);
    } catch (error) {
      this.#options.activity.refused(error);
      throw error;
    }
  }

  /** Counts a send that a door answers with an error, wherever that came from. */
  refusedAtDoor(error: object): void {
    this.#options.activity.refusedAtDoor(error);
  }

  async #send(caller: Caller, input: SendInput): Promise<Notification> {
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
    const { scheduled, deliveries, hub } = this.#options;
    const { channels, addresses } = content;
    if (channels.length === 0 && addresses.length > 0) {
      throw badInput('addresses', 'addresses need the channels that they are of.');
    }
    const targets = channels.length === 0 ? [] : await deliveries.targets(caller, recipient, channels, addresses);
    const dataJson = content.data === null ? null : JSON.stringify(content.data);
    const item = {
      ...content,
      id: uuidv7({ random: randomBytesOf(16) }),
      tenantId,
      senderId,
      recipientId: recipient,
      dataJson,
      targets,
    };
    const fault = faultOfTimes(item);
    if (fault) return this.#repetitionOf(item, fault);
    if (item.sendAt !== null) return scheduled.add(item);
    const sends = targets.length === 0 ? this.#sends : this.#outwardSends;
    const { notification, event } = await reachDatabase(sends.add(item));
    if (event) hub.publish({ tenantId, userId: recipient }, event);
    if (event && targets.length > 0) deliveries.begin();
    return notification;
  }

  /** Whoever repeats a send by its key may be too late for its times: it is answered all the same. */
  async #repetitionOf(item: SendItem, fault: CarillonError): Promise<Notification> {
    if (item.idempotencyKey === null) throw fault;
    const [earlier] = await reachDatabase(this.#options.earlierOf([item]));
    if (!earlier || earlier instanceof CarillonError) throw fault;
    return earlier.notification;
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
  async drain(): Promise<void> {
    await Promise.all([this.#sends.drain(), this.#outwardSends.drain(), this.#options.scheduled.drain()]);
  }

  async #change(address: InboxAddress, change: Promise<ChangeResult>): Promise<ChangeResult> {
    const result = await reachDatabase(change);
    if (result.event) {
      this.#options.hub.publish(address, result.event);
      this.#options.activity.changed(address.tenantId, result.event);
    }
    if (result.senders) this.#options.receipts.add(address.tenantId, result.senders);
    return result;
  }
}
