import type { MikroORM as Database } from '@mikro-orm/postgresql';
import { type RawBuilder, sql } from 'kysely';
import type { InboxAddress } from './caller.ts';
import { NO_EPOCH, encodeCursor } from './cursor.ts';
import type { InboxEvent } from './inbox-event.ts';
import { type Filter, filterConditions, isInInbox } from './inbox-filter.ts';
import { type NotificationRow, milliseconds, notificationColumns, toNotification } from './notification.ts';
import { NO_RECEIPTS, type ReceiptRows, receiptRows } from './receipt-rows.ts';

/** What a change of an inbox did. */
export interface ChangeResult {
  /** Absent when nothing changed: nothing is published then. */
  readonly event: InboxEvent | undefined;
  /** Unread notifications of the inbox after the change. */
  readonly unreadCount: number;
  /** The point of the log that the change led to; without a change, where the log stands. */
  readonly cursor: string;
  /** Whose logs have new receipts, which wait to be numbered; absent when nobody is told. */
  readonly senders: readonly string[] | undefined;
}

interface ChangedRow {
  epoch: string;
  version: string;
  unread: number;
  total: number;
  ids: string[] | null;
  at_ms: number;
  senders: string[] | null;
}

type Change = Pick<InboxEvent, 'epoch' | 'version' | 'previousVersion' | 'unreadCount' | 'totalCount'>;

/**
 * Changes of notifications that are already in an inbox. Each is one statement: it locks the inbox row, changes what
 * still needs changing, and moves the version and the counters; all or nothing.
 *
 * The new counters come of the locked row, `box`, and never of the row as the statement's snapshot has it: PostgreSQL
 * checks constraints on a first try with that one, before it finds that the row has changed meanwhile.
 */
export class InboxChanges {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Marks as read those of the ids that are here and unread. */
  markRead(address: InboxAddress, ids: readonly string[]): Promise<ChangeResult> {
    return this.#markRead(address, sql`n.id = any(${ids}::uuid[])`);
  }

  /** Marks as read the oldest `most` unread ones at positions up to `last` that match. */
  markAllRead(address: InboxAddress, last: number, { types, priorities }: Filter, most: number): Promise<ChangeResult> {
    // What is read meanwhile is passed over by the update itself; then the step is shorter, and another one follows.
    const chosen = sql`n.id in (
      select n.id from notification n
      where n.inbox_id = (select id from box) and n.seq <= ${last}::bigint
        and ${filterConditions({ unread: true, types, priorities })}
      order by n.seq limit ${most}
    )`;
    return this.#markRead(address, chosen);
  }

  async #markRead(address: InboxAddress, chosen: RawBuilder<unknown>): Promise<ChangeResult> {
    const row = await this.#changeMany(
      address,
      sql`
        update notification n set read_at = now(), status = 'READ', version = box.version + 1
        from box
        where n.inbox_id = box.id and n.read_at is null and ${isInInbox} and ${chosen}
        returning n.id, n.inbox_id, n.seq, n.sender_id, 1 as was_unread, 0 as gone, box.version + 1 as version`,
      receiptRows(address, true),
    );
    return toResult(row, (change, ids, at) => ({ ...change, kind: 'read', ids, readAt: at }));
  }

  /** Deletes those of the ids that are here, and leaves a tombstone for each. */
  async delete(address: InboxAddress, ids: readonly string[]): Promise<ChangeResult> {
    const row = await this.#changeMany(
      address,
      sql`
        delete from notification n using box
        where n.inbox_id = box.id and n.id = any(${ids}::uuid[]) and ${isInInbox}
        returning n.id, n.inbox_id, n.seq, (n.read_at is null)::int as was_unread, 1 as gone, box.version + 1 as version`,
      {
        ...NO_RECEIPTS,
        also: sql`, buried as (
          insert into tombstone (tenant_id, inbox_id, notification_id, version, seq, deleted_at)
          select ${address.tenantId}::text, inbox_id, id, version, seq, now() from changed
        )`,
      },
    );
    return toResult(row, (change, changed) => ({ ...change, kind: 'deleted', ids: changed, recalled: false }));
  }

  /** Marks one as unread, if it is here and read. */
  async markUnread({ tenantId, userId }: InboxAddress, id: string): Promise<ChangeResult> {
    const { also, senders } = receiptRows({ tenantId, userId }, false);
    const { rows } = await sql<ChangedRow & Omit<NotificationRow, 'version'> & { row_version: string }>`
      with box as materialized (
        select id, epoch, version, total, unread from inbox
        where tenant_id = ${tenantId} and user_id = ${userId} for update
      ), changed as (
        update notification n set read_at = null, status = 'SENT', version = box.version + 1
        from box
        where n.inbox_id = box.id and n.id = ${id}::uuid and n.read_at is not null and ${isInInbox}
        returning n.*
      )${also}, moved as (
        update inbox i set version = box.version + 1, total = box.total, unread = box.unread + 1
        from box, changed where i.id = box.id
        returning i.version, i.total, i.unread
      )
      select ${notificationColumns}, n.version as row_version, box.epoch,
        coalesce(moved.version, box.version) as version, coalesce(moved.total, box.total) as total,
        coalesce(moved.unread, box.unread) as unread,
        case when moved.version is not null then array[n.id] end as ids, 0::float8 as at_ms, ${senders} as senders
      from box left join moved on true left join changed n on true
    `.execute(this.#database.em.getConnection().getClient());
    const [row] = rows;
    return toResult(row, (change) => {
      const notification = toNotification(
        { ...(row as typeof row & object), version: row?.row_version ?? '' },
        {
          tenantId,
          userId,
          epoch: change.epoch,
        },
      );
      return { ...change, kind: 'updated', notification };
    });
  }

  /** `change` names the rows that it changed, and what each was; `also` may add statements that read `changed`. */
  async #changeMany(
    { tenantId, userId }: InboxAddress,
    change: RawBuilder<unknown>,
    { also, senders }: ReceiptRows,
  ): Promise<ChangedRow | undefined> {
    const { rows } = await sql<ChangedRow>`
      with box as materialized (
        select id, epoch, version, total, unread from inbox
        where tenant_id = ${tenantId} and user_id = ${userId} for update
      ), changed as (${change})${also}, amount as (
        select count(*)::int as n, sum(was_unread)::int as unread, sum(gone)::int as gone, array_agg(id order by seq) as ids
        from changed
      ), moved as (
        update inbox i
        set version = box.version + 1, total = box.total - amount.gone, unread = box.unread - amount.unread
        from box, amount where i.id = box.id and amount.n > 0
        returning i.version, i.total, i.unread
      )
      select box.epoch, coalesce(moved.version, box.version) as version, coalesce(moved.total, box.total) as total,
        coalesce(moved.unread, box.unread) as unread, amount.ids, ${milliseconds('now')} as at_ms,
        ${senders} as senders
      from box cross join amount left join moved on true cross join (select now() as now) clock
    `.execute(this.#database.em.getConnection().getClient());
    return rows[0];
  }
}

function toResult(
  row: ChangedRow | undefined,
  toEvent: (change: Change, ids: string[], at: Date) => InboxEvent,
): ChangeResult {
  if (!row) return { event: undefined, unreadCount: 0, cursor: encodeCursor(NO_EPOCH, 0), senders: undefined };
  const version = Number(row.version);
  const { epoch, unread: unreadCount, total: totalCount } = row;
  const change = { epoch, version, previousVersion: version - 1, unreadCount, totalCount };
  return {
    event: row.ids ? toEvent(change, row.ids, new Date(row.at_ms)) : undefined,
    unreadCount,
    cursor: encodeCursor(epoch, version),
    senders: row.senders ?? undefined,
  };
}
