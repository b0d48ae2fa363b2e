import type { InboxAddress } from './caller.ts';
import { decodeCursor, mustBeIn } from './cursor.ts';
import { reachDatabase } from './database-failure.ts';
import { EMPTY_HEAD, type InboxHead, headCursor } from './inbox-head.ts';
import type { Filter } from './inbox-filter.ts';
import type { InboxLog } from './inbox-log.ts';
import type { Page } from './inbox-page-reader.ts';
import type { Notification } from './notification.ts';
import { type PageLimits, type Paging, mustBePage, relaySize } from './paging.ts';

export interface NotificationPage {
  readonly notifications: Notification[];
  /** The point of the log at which the page was read: a stream after it joins without a hole or an overlap. */
  readonly cursor: string;
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
  /** How many match the filter. */
  readonly totalCount: () => Promise<number>;
  /** How many of those are unread. */
  readonly unreadCount: () => Promise<number>;
}

/** A page by its number. */
export interface NumberedPage extends Page {
  /** How many match the filter. */
  readonly total: number;
}

/** Pages of inboxes, newest first, within the limits of the settings. */
export class InboxPages {
  readonly #log: InboxLog;
  readonly #limits: PageLimits;

  constructor(log: InboxLog, limits: PageLimits) {
    this.#log = log;
    this.#limits = limits;
  }

  /** A Relay page, newest first. Page and counts belong to one moment. */
  async list(address: InboxAddress, paging: Paging, filter: Filter): Promise<NotificationPage> {
    const { backward, size } = relaySize(paging, this.#limits);
    const after = paging.after == null ? undefined : decodeCursor(paging.after, 'after');
    const before = paging.before == null ? undefined : decodeCursor(paging.before, 'before');
    const page = await reachDatabase(
      this.#log.page(address, {
        filter,
        order: backward ? 'oldest' : 'newest',
        limit: size + 1,
        before: after?.version,
        after: before?.version,
      }),
    );
    if (after) mustBeIn(page.head, after, 'after');
    if (before) mustBeIn(page.head, before, 'before');
    const more = page.notifications.length > size;
    const notifications = page.notifications.slice(0, size);
    if (backward) notifications.reverse();
    // One more look in the other direction, and only where the caller came from there.
    const behind = backward
      ? before !== undefined && (await this.#any(address, filter, { before: before.version + 1 }))
      : after !== undefined && (await this.#any(address, filter, { after: after.version - 1 }));
    return {
      notifications,
      cursor: headCursor(page.head ?? EMPTY_HEAD),
      hasNextPage: backward ? behind : more,
      hasPreviousPage: backward ? more : behind,
      totalCount: () => this.#count(address, filter, page.head),
      unreadCount: () =>
        filter.unread === false ? Promise.resolve(0) : this.#count(address, { ...filter, unread: true }, page.head),
    };
  }

  /** A numbered page, newest first, and the true total under the filter. Cost grows with the page number. */
  async listPage(address: InboxAddress, page: number, pageSize: number, filter: Filter): Promise<NumberedPage> {
    mustBePage(page, pageSize, this.#limits);
    const request = { filter, order: 'newest' as const, limit: pageSize, offset: (page - 1) * pageSize };
    const found = await reachDatabase(this.#log.page(address, request));
    return { ...found, total: await this.#count(address, filter, found.head) };
  }

  async #any(address: InboxAddress, filter: Filter, bounds: { before?: number; after?: number }): Promise<boolean> {
    const page = await reachDatabase(this.#log.page(address, { filter, order: 'newest', limit: 1, ...bounds }));
    return page.notifications.length > 0;
  }

  async #count(address: InboxAddress, filter: Filter, head: InboxHead | undefined): Promise<number> {
    if (!head) return 0;
    if (filter.types || filter.priorities) return reachDatabase(this.#log.count(address, filter));
    if (filter.unread === undefined) return head.totalCount;
    return filter.unread ? head.unreadCount : head.totalCount - head.unreadCount;
  }
}
