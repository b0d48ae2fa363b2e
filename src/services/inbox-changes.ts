import { sql } from 'kysely';
import type { MikroORM as Database } from '@mikro-orm/postgresql';
import type { InboxAddress } from './caller.ts';
import type { InboxEvent } from './inbox-event.ts';
import { milliseconds } from './notification.ts';

/** What a change of an inbox did. */
export interface ChangeResult {
  /** Absent when nothing changed: nothing is published then. */
  readonly event: InboxEvent | undefined;
  /** Unread notifications of the inbox after the change. */
  readonly unreadCount: number;
}

interface ChangedRow {
  epoch: string;
  version: string;
  unread: number;
  total: number;
  ids: string[] | null;
  at_ms: number;
}

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

  get #db() {
    return this.#database.em.fork().getKysely();
  }

  /** Marks as read those of the ids that are here and unread. */
  async markRead({ tenantId, userId }: InboxAddress, ids: readonly string[]): Promise<ChangeResult> {
    const { rows } = await sql<ChangedRow>`
      with box as materialized (
        select id, epoch, version, total, unread from inbox
        where tenant_id = ${tenantId} and user_id = ${userId} for update
      ), changed as (
        update notification n set read_at = now(), status = 'READ', version = box.version + 1
        from box
        where n.inbox_id = box.id and n.id = any(${ids}::uuid[]) and n.read_at is null
        returning n.id, n.seq
      ), amount as (
        select count(*)::int as n, array_agg(id order by seq) as ids from changed
      ), moved as (
        update inbox i set version = box.version + 1, total = box.total, unread = box.unread - amount.n
        from box, amount where i.id = box.id and amount.n > 0
        returning i.version, i.total, i.unread
      )
      select box.epoch, coalesce(moved.version, box.version) as version, coalesce(moved.total, box.total) as total,
        coalesce(moved.unread, box.unread) as unread, amount.ids, ${milliseconds('now')} as at_ms
      from box cross join amount left join moved on true cross join (select now() as now) clock
    `.execute(this.#db);
    return toResult(rows[0], (change, changed, at) => ({ ...change, kind: 'read', ids: changed, readAt: at }));
  }

  /** Deletes those of the ids that are here, and leaves a tombstone for each. */
  async delete({ tenantId, userId }: InboxAddress, ids: readonly string[]): Promise<ChangeResult> {
    const { rows } = await sql<ChangedRow>`
      with box as materialized (
        select id, epoch, version, total, unread from inbox
        where tenant_id = ${tenantId} and user_id = ${userId} for update
      ), changed as (
        delete from notification n using box
        where n.inbox_id = box.id and n.id = any(${ids}::uuid[])
        returning n.id, n.inbox_id, n.seq, n.read_at, box.version + 1 as version
      ), buried as (
        insert into tombstone (inbox_id, notification_id, version, seq, deleted_at)
        select inbox_id, id, version, seq, now() from changed
      ), amount as (
        select count(*)::int as n, (count(*) filter (where read_at is null))::int as unread,
          array_agg(id order by seq) as ids
        from changed
      ), moved as (
        update inbox i
        set version = box.version + 1, total = box.total - amount.n, unread = box.unread - amount.unread
        from box, amount where i.id = box.id and amount.n > 0
        returning i.version, i.total, i.unread
      )
      select box.epoch, coalesce(moved.version, box.version) as version, coalesce(moved.total, box.total) as total,
        coalesce(moved.unread, box.unread) as unread, amount.ids, ${milliseconds('now')} as at_ms
      from box cross join amount left join moved on true cross join (select now() as now) clock
    `.execute(this.#db);
    return toResult(rows[0], (change, changed) => ({ ...change, kind: 'deleted', ids: changed }));
  }
}

type ChangeOf = (
  change: Pick<InboxEvent, 'epoch' | 'version' | 'previousVersion' | 'unreadCount' | 'totalCount'>,
  ids: string[],
  at: Date,
) => InboxEvent;

function toResult(row: ChangedRow | undefined, toEvent: ChangeOf): ChangeResult {
  if (!row) return { event: undefined, unreadCount: 0 };
  const version = Number(row.version);
  const { epoch, unread: unreadCount, total: totalCount } = row;
  const change = { epoch, version, previousVersion: version - 1, unreadCount, totalCount };
  return { event: row.ids ? toEvent(change, row.ids, new Date(row.at_ms)) : undefined, unreadCount };
}
