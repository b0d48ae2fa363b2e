import type { MikroORM as Database } from '@mikro-orm/postgresql';
import { type RawBuilder, sql } from 'kysely';
import type { Caller } from './caller.ts';
import { NO_EPOCH, encodeCursor } from './cursor.ts';
import { reachDatabase } from './database-failure.ts';
import { isInInbox } from './inbox-filter.ts';
import { type Notification, type NotificationRow, notificationColumns, toNotification } from './notification.ts';
import { type PageLimits, type Paging, mustBePage, relaySize } from './paging.ts';
import { decodeSentCursor, encodeSentCursor } from './sent-cursor.ts';

/** A notification as its sender sees it. */
export interface SentNotification extends Omit<Notification, 'changeCursor'> {
  /** Its place in the list of what the sender sent; of no use in an inbox. */
  readonly cursor: string;
}

/** All given conditions must hold. */
export interface SentFilter {
  /** true: only what its recipient has read; false: only what waits to be read. */
  readonly read?: boolean | null | undefined;
}

export interface SentPage {
  readonly notifications: SentNotification[];
  /** The point of the log of receipts at which the page was read: a stream after it joins without a hole. */
  readonly cursor: string;
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
}

interface Request {
  readonly filter: SentFilter;
  readonly order: 'newest' | 'oldest';
  readonly limit: number;
  /** What the page lies between, as conditions on `n.id`. */
  readonly bounds?: readonly RawBuilder<unknown>[];
  /** Rows to pass over; its cost grows with it. */
  readonly offset?: number;
}

interface Page {
  readonly cursor: string;
  readonly notifications: SentNotification[];
}

type Row = { epoch: string | null; head_version: string | null } & (
  | { id: null }
  | (NotificationRow & { recipient_id: string })
);

/**
 * What the caller sent, to others and to oneself, newest first, with whether it was read. What its recipient deleted, or
 * what has expired, is not there any more; what was recalled is, as RECALLED. A filter is looked for row by row.
 */
export class SentNotifications {
  readonly #database: Database;
  readonly #limits: PageLimits;

  constructor(database: Database, limits: PageLimits) {
    this.#database = database;
    this.#limits = limits;
  }

  /**
   * A Relay page, newest first.
   *
   * @throws CarillonError BAD_USER_INPUT for a size or a cursor that cannot be.
   */
  async list(caller: Caller, paging: Paging, filter: SentFilter = {}): Promise<SentPage> {
    const { backward, size } = relaySize(paging, this.#limits);
    const place = (text: string | null | undefined, field: string) =>
      text == null ? undefined : sql`${decodeSentCursor(caller, text, field)}::uuid`;
    const after = place(paging.after, 'after');
    const before = place(paging.before, 'before');
    const bounds = [...(after ? [sql`n.id < ${after}`] : []), ...(before ? [sql`n.id > ${before}`] : [])];
    const order = backward ? 'oldest' : 'newest';
    const page = await this.#read(caller, { filter, order, limit: size + 1, bounds });
    const more = page.notifications.length > size;
    const notifications = page.notifications.slice(0, size);
    if (backward) notifications.reverse();
    // One more look in the other direction, and only where the caller came from there.
    const beyond = backward ? before && sql`n.id <= ${before}` : after && sql`n.id >= ${after}`;
    const behind = beyond !== undefined && (await this.#any(caller, filter, beyond, backward ? 'newest' : 'oldest'));
    return {
      notifications,
      cursor: page.cursor,
      hasNextPage: backward ? behind : more,
      hasPreviousPage: backward ? more : behind,
    };
  }

  /** A numbered page, newest first, and whether there are more. Cost grows with the page number. */
  async listPage(
    caller: Caller,
    page: number,
    pageSize: number,
  ): Promise<Pick<SentPage, 'notifications' | 'hasNextPage'>> {
    mustBePage(page, pageSize, this.#limits);
    const { notifications } = await this.#read(caller, {
      filter: {},
      order: 'newest',
      limit: pageSize + 1,
      offset: (page - 1) * pageSize,
    });
    return { notifications: notifications.slice(0, pageSize), hasNextPage: notifications.length > pageSize };
  }

  /** The order begins at the bound, where the first that the filter wants is near. */
  async #any(
    caller: Caller,
    filter: SentFilter,
    bound: RawBuilder<unknown>,
    order: Request['order'],
  ): Promise<boolean> {
    const page = await this.#read(caller, { filter, order, limit: 1, bounds: [bound] });
    return page.notifications.length > 0;
  }

  async #read({ tenantId, userId }: Caller, request: Request): Promise<Page> {
    const { filter, order, limit, bounds = [], offset = 0 } = request;
    const direction = order === 'newest' ? sql`desc` : sql`asc`;
    const own = sql`n.tenant_id = ${tenantId} and n.sender_id = ${userId}`;
    const conditions = sql.join([own, ...bounds, ...wanted(filter)], sql` and `);
    const reading = sql<Row>`
      select s.epoch, s.version as head_version, page.*
      from (select 1) as one
      left join sender_log s on s.tenant_id = ${tenantId} and s.user_id = ${userId}
      left join lateral (
        select ${notificationColumns}, (select user_id from inbox where id = n.inbox_id) as recipient_id
        from notification n where ${conditions}
        order by n.id ${direction} limit ${limit} offset ${offset}
      ) page on true
      order by page.id ${direction}
    `.execute(this.#database.em.getConnection().getClient());
    const { rows } = await reachDatabase(reading);
    const epoch = rows[0]?.epoch ?? NO_EPOCH;
    return {
      cursor: encodeCursor(epoch, Number(rows[0]?.head_version ?? 0)),
      notifications: rows.flatMap((row) => (row.id === null ? [] : [toSent(row, { tenantId, userId })])),
    };
  }
}

function toSent(
  row: NotificationRow & { recipient_id: string },
  sender: { tenantId: string; userId: string },
): SentNotification {
  const inbox = { tenantId: sender.tenantId, userId: row.recipient_id, epoch: NO_EPOCH };
  const { changeCursor: _, ...notification } = toNotification(row, inbox);
  return { ...notification, cursor: encodeSentCursor(sender, row.id) };
}

/** What was recalled waits for nobody, and is there in other lists. */
function wanted({ read }: SentFilter): RawBuilder<unknown>[] {
  if (read == null) return [];
  return read ? [sql`n.read_at is not null`] : [sql`n.read_at is null`, isInInbox];
}
