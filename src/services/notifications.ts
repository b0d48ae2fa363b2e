import { v7 as uuidv7 } from 'uuid';
import type { Config } from '../config.ts';
import type { CarillonError } from '../errors.ts';
import { badInput, forbidden, notFound } from '../errors.ts';
import { Batcher } from './batcher.ts';
import { type Caller, type InboxAddress, hasRole } from './caller.ts';
import { decodeCursor, versionIn } from './cursor.ts';
import { reachDatabase } from './database-failure.ts';
import type { Hub } from './hub.ts';
import type { ChangeResult, InboxChanges } from './inbox-changes.ts';
import type { InboxEvent } from './inbox-event.ts';
import type { InboxListener } from './inbox-listener.ts';
import type { Filter, InboxHead, InboxLog, Page } from './inbox-log.ts';
import type { Notification } from './notification.ts';
import type { Rules, SendInput } from './notification-rules.ts';
import { type SendItem, type SendResult, exclusiveKeyOf } from './send-writer.ts';

export type { Filter } from './inbox-log.ts';
export type { SendInput } from './notification-rules.ts';

/** Relay's paging arguments over a list that is newest first: `after` goes to older ones. */
export interface Paging {
  first?: number | null | undefined;
  after?: string | null | undefined;
  last?: number | null | undefined;
  before?: string | null | undefined;
}

export interface StreamOptions {
  /** The last cursor that the reader has: first comes everything after it. */
  after?: string | null | undefined;
  /** Called when the reader is given up as too slow; it may be stuck in a write and not ask for its error. */
  onSlow?: (() => void) | undefined;
}

export interface NotificationPage {
  readonly notifications: Notification[];
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
  /** How many match the filter. */
  readonly totalCount: () => Promise<number>;
  /** How many of those are unread. */
  readonly unreadCount: () => Promise<number>;
}

export interface NotificationsOptions {
  config: Pick<Config, 'sendPolicy' | 'defaultPageSize' | 'maxPageSize' | 'maxQueuedSends'>;
  rules: Rules;
  log: InboxLog;
  changes: InboxChanges;
  hub: Hub;
  write: (items: readonly SendItem[]) => Promise<readonly (SendResult | CarillonError)[]>;
}

/** Rows of one statement; beyond a few hundred the gain per row is small and every sender waits longer. */
const MAX_BATCH = 500;

/** Two statements: one may wait for a lock, or for the disk, while the other goes on. */
const MAX_IN_FLIGHT = 2;

/** Page numbers beyond this are nobody's; the position of the first row must stay a safe number. */
export const MAX_PAGE_NUMBER = 1_000_000;

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
      maxBatch: MAX_BATCH,
      maxInFlight: MAX_IN_FLIGHT,
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
    const item = { ...content, id: uuidv7(), tenantId, senderId, recipientId: recipient, dataJson };
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
  async list(caller: Caller, paging: Paging, filter: Filter = {}): Promise<NotificationPage> {
    const { backward, size } = this.#pageSize(paging);
    const after = paging.after == null ? undefined : decodeCursor(paging.after, 'after');
    const before = paging.before == null ? undefined : decodeCursor(paging.before, 'before');
    const { log } = this.#options;
    const page = await reachDatabase(
      log.page(caller, {
        filter,
        order: backward ? 'oldest' : 'newest',
        limit: size + 1,
        before: after?.version,
        after: before?.version,
      }),
    );
    if (after) versionIn(page.head, after, 'after');
    if (before) versionIn(page.head, before, 'before');
    const more = page.notifications.length > size;
    const notifications = page.notifications.slice(0, size);
    if (backward) notifications.reverse();
    // One more look in the other direction, and only where the caller came from there.
    const behind = backward
      ? before !== undefined && (await this.#any(caller, filter, { before: before.version + 1 }))
      : after !== undefined && (await this.#any(caller, filter, { after: after.version - 1 }));
    return {
      notifications,
      hasNextPage: backward ? behind : more,
      hasPreviousPage: backward ? more : behind,
      totalCount: () => this.#count(caller, filter, page.head),
      unreadCount: () =>
        filter.unread === false ? Promise.resolve(0) : this.#count(caller, { ...filter, unread: true }, page.head),
    };
  }

  /** A numbered page, newest first, and the true total under the filter. Cost grows with the page number. */
  async listPage(caller: Caller, page: number, pageSize: number, filter: Filter): Promise<Page & { total: number }> {
    const { maxPageSize } = this.#options.config;
    if (!Number.isInteger(page) || page < 1 || page > MAX_PAGE_NUMBER) {
      throw badInput('page', `page must be a whole number from 1 to ${MAX_PAGE_NUMBER}.`);
    }
    if (!Number.isInteger(pageSize) || pageSize < 1 || pageSize > maxPageSize) {
      throw badInput('pageSize', `page_size must be a whole number from 1 to ${maxPageSize}.`);
    }
    const request = { filter, order: 'newest' as const, limit: pageSize, offset: (page - 1) * pageSize };
    const found = await reachDatabase(this.#options.log.page(caller, request));
    return { ...found, total: await this.#count(caller, filter, found.head) };
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

  /** Marks many as read. `count` is how many were unread until now; unknown ids and repetitions change nothing. */
  async batchMarkRead(caller: Caller, ids: readonly string[]): Promise<{ count: number; unreadCount: number }> {
    const known = this.#options.rules.ids(ids);
    const { event, unreadCount } = await this.#change(caller, this.#options.changes.markRead(caller, known));
    return { count: event?.kind === 'read' ? event.ids.length : 0, unreadCount };
  }

  async delete(caller: Caller, id: string): Promise<{ id: string; unreadCount: number }> {
    const known = this.#options.rules.id(id);
    if (known === undefined) throw notFound('notification');
    const { event, unreadCount } = await this.#change(caller, this.#options.changes.delete(caller, [known]));
    if (!event) throw notFound('notification');
    return { id: known, unreadCount };
  }

  /**
   * The caller's additions, each once and in order: after a cursor first those that were missed, then live.
   * Attached when the promise resolves. Ends with SlowConsumerError when too many wait.
   */
  async additions(caller: Caller, options: StreamOptions = {}): Promise<AsyncIterableIterator<InboxEvent>> {
    return this.#listen(caller, options, true);
  }

  /**
   * Every change of the caller's inbox, each once and in order, and the head of the inbox at the start: after a cursor
   * first what was missed, then live. Attached when the promise resolves. Ends with SlowConsumerError when too many wait.
   */
  async changes(
    caller: Caller,
    options: StreamOptions = {},
  ): Promise<{ head: InboxHead; events: AsyncIterableIterator<InboxEvent> }> {
    const events = await this.#listen(caller, options, false);
    return { head: events.head, events };
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

  #pageSize({ first, last }: Paging): { backward: boolean; size: number } {
    const { defaultPageSize, maxPageSize } = this.#options.config;
    if (first != null && last != null) throw badInput('last', 'first and last exclude each other.');
    const field = last == null ? 'first' : 'last';
    const size = first ?? last ?? defaultPageSize;
    if (size < 1 || size > maxPageSize) throw badInput(field, `${field} must be from 1 to ${maxPageSize}.`);
    return { backward: last != null, size };
  }

  async #any(caller: Caller, filter: Filter, bounds: { before?: number; after?: number }): Promise<boolean> {
    const page = await reachDatabase(this.#options.log.page(caller, { filter, order: 'newest', limit: 1, ...bounds }));
    return page.notifications.length > 0;
  }

  async #count(caller: Caller, filter: Filter, head: InboxHead | undefined): Promise<number> {
    if (!head) return 0;
    if (filter.types || filter.priorities) return reachDatabase(this.#options.log.count(caller, filter));
    if (filter.unread === undefined) return head.totalCount;
    return filter.unread ? head.unreadCount : head.totalCount - head.unreadCount;
  }
}
