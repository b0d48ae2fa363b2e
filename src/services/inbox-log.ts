import { type RawBuilder, sql } from 'kysely';
import type { MikroORM as Database } from '@mikro-orm/postgresql';
import type { InboxAddress } from './caller.ts';
import { NO_EPOCH } from './cursor.ts';
import type { InboxEvent } from './inbox-event.ts';
import {
  type Notification,
  type NotificationPriority,
  type NotificationRow,
  type NotificationType,
  notificationColumns,
  toNotification,
} from './notification.ts';

/** The head of an inbox's log: its newest version, and its counters at that version. */
export interface InboxHead {
  readonly epoch: string;
  readonly version: number;
  readonly totalCount: number;
  readonly unreadCount: number;
}

export interface Filter {
  readonly unread?: boolean | undefined;
  readonly types?: readonly NotificationType[] | undefined;
  readonly priorities?: readonly NotificationPriority[] | undefined;
}

export interface PageRequest {
  readonly filter: Filter;
  /** Newest first, or oldest first. */
  readonly order: 'newest' | 'oldest';
  /** Most rows. */
  readonly limit: number;
  /** Only positions before this version. */
  readonly before?: number | undefined;
  /** Only positions after this version. */
  readonly after?: number | undefined;
  /** Rows to pass over; for page numbers only, its cost grows with it. */
  readonly offset?: number;
}

export interface Page {
  readonly head: InboxHead | undefined;
  readonly notifications: Notification[];
}

export interface Replay {
  readonly head: InboxHead;
  readonly events: InboxEvent[];
  /** Whether `events` reach up to `head`. */
  readonly complete: boolean;
}

interface HeadRow {
  epoch: string;
  version: string;
  total: number;
  unread: number;
}

const EMPTY_HEAD: InboxHead = { epoch: NO_EPOCH, version: 0, totalCount: 0, unreadCount: 0 };

const toHead = (row: HeadRow): InboxHead => ({
  epoch: row.epoch,
  version: Number(row.version),
  totalCount: row.total,
  unreadCount: row.unread,
});

const all = (conditions: RawBuilder<unknown>[]): RawBuilder<unknown> => sql.join(conditions, sql` and `);

function filterConditions({ unread, types, priorities }: Filter): RawBuilder<unknown>[] {
  return [
    ...(unread === undefined ? [] : [unread ? sql`n.read_at is null` : sql`n.read_at is not null`]),
    ...(types ? [sql`n.type = any(${types}::text[])`] : []),
    ...(priorities ? [sql`n.priority = any(${priorities}::text[])`] : []),
  ];
}

/** Reads of the log. Every method is one statement, so that what it answers belongs to one moment. */
export class InboxLog {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  get #db() {
    return this.#database.em.fork().getKysely();
  }

  /** The head of each inbox that exists, by its place in `addresses`. */
  async heads(addresses: readonly InboxAddress[]): Promise<Map<number, InboxHead>> {
    const { rows } = await sql<HeadRow & { nth: number }>`
      select asked.nth::int, i.epoch, i.version, i.total, i.unread
      from unnest(${addresses.map((one) => one.tenantId)}::text[], ${addresses.map((one) => one.userId)}::text[])
        with ordinality as asked (tenant_id, user_id, nth)
      join inbox i using (tenant_id, user_id)
    `.execute(this.#db);
    return new Map(rows.map((row) => [row.nth - 1, toHead(row)]));
  }

  /** The head of an inbox; version 0 and no epoch when it does not exist yet. */
  async head(address: InboxAddress): Promise<InboxHead> {
    return (await this.heads([address])).get(0) ?? EMPTY_HEAD;
  }

  async find({ tenantId, userId }: InboxAddress, id: string): Promise<Notification | undefined> {
    const { rows } = await sql<NotificationRow & { epoch: string }>`
      select ${notificationColumns}, i.epoch
      from notification n join inbox i on i.id = n.inbox_id
      where n.id = ${id}::uuid and i.tenant_id = ${tenantId} and i.user_id = ${userId}
    `.execute(this.#db);
    const row = rows[0];
    return row && toNotification(row, { tenantId, userId, epoch: row.epoch });
  }

  async page({ tenantId, userId }: InboxAddress, request: PageRequest): Promise<Page> {
    const { filter, order, limit, before, after, offset = 0 } = request;
    const conditions = all([
      sql`n.inbox_id = i.id`,
      ...(before === undefined ? [] : [sql`n.seq < ${before}::bigint`]),
      ...(after === undefined ? [] : [sql`n.seq > ${after}::bigint`]),
      ...filterConditions(filter),
    ]);
    const direction = order === 'newest' ? sql`desc` : sql`asc`;
    const { rows } = await sql<HeadRow & (NotificationRow | { id: null })>`
      select i.epoch, i.version, i.total, i.unread, page.*
      from inbox i
      left join lateral (
        select ${notificationColumns} from notification n
        where ${conditions} order by n.seq ${direction} limit ${limit} offset ${offset}
      ) page on true
      where i.tenant_id = ${tenantId} and i.user_id = ${userId}
      order by page.seq ${direction}
    `.execute(this.#db);
    const first = rows[0];
    if (!first) return { head: undefined, notifications: [] };
    const inbox = { tenantId, userId, epoch: first.epoch };
    return {
      head: toHead(first),
      notifications: rows.flatMap((row) => (row.id === null ? [] : [toNotification(row, inbox)])),
    };
  }

  /** How many match. Without types and priorities the inbox row knows; else the matching rows are counted. */
  async count({ tenantId, userId }: InboxAddress, filter: Filter): Promise<number> {
    if (!filter.types && !filter.priorities) {
      const head = await this.head({ tenantId, userId });
      if (filter.unread === undefined) return head.totalCount;
      return filter.unread ? head.unreadCount : head.totalCount - head.unreadCount;
    }
    const { rows } = await sql<{ count: number }>`
      select count(*)::int as count from notification n join inbox i on i.id = n.inbox_id
      where i.tenant_id = ${tenantId} and i.user_id = ${userId} and ${all(filterConditions(filter))}
    `.execute(this.#db);
    return rows[0]?.count ?? 0;
  }

  /**
   * What changed after a version, in order of version, at most about `limit` events: additions that still stand, with
   * their present state; then reads and deletions of what was there. What came and went meanwhile is left out, and
   * counts are those of the head. With `additionsOnly`, only additions. Whoever knows of additions up to `knownUpTo` is
   * told when they were deleted.
   */
  async changesSince(
    address: InboxAddress,
    after: number,
    limit: number,
    additionsOnly = false,
    knownUpTo = after,
  ): Promise<Replay> {
    const { tenantId, userId } = address;
    const others = additionsOnly ? sql`false` : sql`true`;
    // A group of rows that changed together is one event, so it is never cut: "with ties".
    const { rows } = await sql<HeadRow & Partial<ChangeRow> & { kind: 'added' | 'read' | 'deleted' | null }>`
      with box as materialized (
        select id, epoch, version, total, unread from inbox where tenant_id = ${tenantId} and user_id = ${userId}
      ), changes as (
        (select n.seq as at, 'added' as kind, ${notificationColumns} from notification n
          where n.inbox_id = (select id from box) and n.seq > ${after}::bigint order by n.seq limit ${limit})
        union all
        (select n.version, 'read', ${notificationColumns} from notification n
          where n.inbox_id = (select id from box) and n.version > ${after}::bigint and n.version > n.seq and ${others}
          order by n.version fetch first ${sql.lit(limit)} rows with ties)
        union all
        (select t.version, 'deleted', t.notification_id, t.seq, null, null, null, null, null, null, null, null, null,
            null, null, null, null from tombstone t
          where t.inbox_id = (select id from box) and t.version > ${after}::bigint and t.seq <= ${knownUpTo}::bigint
            and ${others}
          order by t.version fetch first ${sql.lit(limit)} rows with ties)
      )
      select box.epoch, box.version, box.total, box.unread, changes.*
      from box left join changes on true order by changes.at
    `.execute(this.#db);
    const first = rows[0];
    if (!first) return { head: EMPTY_HEAD, events: [], complete: true };
    const head = toHead(first);
    const changes = rows.filter((row): row is HeadRow & ChangeRow => row.kind !== null);
    return { head, ...toEvents(changes, { ...head, ...address }, after, limit) };
  }
}

interface ChangeRow extends NotificationRow {
  at: string;
  kind: 'added' | 'read' | 'deleted';
}

/** Joins rows that changed together, and stops where one of the cut lists may hold something earlier. */
function toEvents(
  rows: readonly ChangeRow[],
  head: InboxHead & InboxAddress,
  after: number,
  limit: number,
): { events: InboxEvent[]; complete: boolean } {
  let end = Number.POSITIVE_INFINITY;
  for (const kind of ['added', 'read', 'deleted'] as const) {
    const ofKind = rows.filter((row) => row.kind === kind);
    if (ofKind.length >= limit) end = Math.min(end, Number(ofKind.at(-1)?.at));
  }
  const events: InboxEvent[] = [];
  let ids: string[] = [];
  for (const row of rows) {
    const version = Number(row.at);
    if (version > end) break;
    const last = events.at(-1);
    if (last?.version === version && row.kind !== 'added') {
      ids.push(row.id);
      continue;
    }
    const change = {
      epoch: head.epoch,
      version,
      previousVersion: last?.version ?? after,
      unreadCount: head.unreadCount,
      totalCount: head.totalCount,
    };
    ids = [row.id];
    if (row.kind === 'added') events.push({ ...change, kind: 'added', notification: toNotification(row, head) });
    else if (row.kind === 'deleted') events.push({ ...change, kind: 'deleted', ids });
    else events.push({ ...change, kind: 'read', ids, readAt: new Date(row.read_at_ms ?? row.created_at_ms) });
  }
  return { events, complete: end === Number.POSITIVE_INFINITY };
}
