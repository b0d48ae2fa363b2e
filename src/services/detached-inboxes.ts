import { type Kysely, sql } from 'kysely';
import { type DataScope, inScope } from './data-scope.ts';

/** Of no tenant: ids have a character at least. */
const NOBODY = '';

const BATCH = 500;

/** Inboxes that are cleared together. */
const TOGETHER = 100;

/** What one step of clearing deleted. */
export interface Cleared {
  readonly inboxes: number;
  readonly notifications: number;
  readonly tombstones: number;
  readonly deliveries: number;
  /** Whether nothing is left. */
  readonly isDone: boolean;
}

/**
 * Takes inboxes away from their owners, at once and whatever they hold: what comes from then on begins a new inbox, with
 * an epoch of its own. What was in them is nobody’s, and waits to be cleared. Takes some of them; says whether that was all.
 */
export async function detachInboxes(db: Kysely<unknown>, scope: DataScope): Promise<boolean> {
  const { numAffectedRows } = await sql`
    with box as materialized (
      select i.id from inbox i where ${inScope(scope, 'i', 'user_id')}
      order by i.tenant_id, i.user_id limit ${BATCH} for update
    )
    update inbox i set tenant_id = ${NOBODY}, user_id = 'deleted:' || i.id from box where i.id = box.id
  `.execute(db);
  return Number(numAffectedRows ?? 0) < BATCH;
}

/** How many notifications wait to be cleared, those that an earlier run has left included. */
export async function detachedCount(db: Kysely<unknown>): Promise<number> {
  const { rows } = await sql<{ n: number }>`
    select coalesce(sum(total), 0)::float8 as n from inbox where tenant_id = ${NOBODY}
  `.execute(db);
  return rows[0]?.n ?? 0;
}

/**
 * Deletes some of what is in detached inboxes, whoever detached them, with its deliveries; then the inboxes. The inboxes
 * are locked first, and in the order in which everybody locks them.
 */
export async function clearDetached(db: Kysely<unknown>): Promise<Cleared> {
  const { rows: boxes } = await sql<{ id: string }>`
    select id from inbox where tenant_id = ${NOBODY} order by user_id limit ${TOGETHER}
  `.execute(db);
  const ids = boxes.map(({ id }) => id);
  if (ids.length === 0) return { inboxes: 0, notifications: 0, tombstones: 0, deliveries: 0, isDone: true };
  const { rows } = await sql<Omit<Cleared, 'inboxes' | 'isDone'>>`
    with box as materialized (
      select id from inbox where id = any(${ids}::bigint[]) order by tenant_id, user_id for update
    ), gone as (
      delete from notification n using box
      where n.inbox_id = box.id and n.id = any(array(
        select id from notification where inbox_id = any(${ids}::bigint[]) order by inbox_id, seq limit ${BATCH}
      )) returning n.id
    ), dug as (
      delete from tombstone t using box
      where t.inbox_id = box.id and t.ctid = any(array(
        select ctid from tombstone where inbox_id = any(${ids}::bigint[]) limit ${BATCH}
      )) returning t.notification_id
    ), cancelled as (
      delete from delivery d where d.notification_id in (select id from gone union all select notification_id from dug)
      returning 1
    )
    select (select count(*) from gone)::int as notifications, (select count(*) from dug)::int as tombstones,
      (select count(*) from cancelled)::int as deliveries
  `.execute(db);
  const cleared = { notifications: 0, tombstones: 0, deliveries: 0, ...rows[0], isDone: false };
  if (cleared.notifications > 0 || cleared.tombstones > 0) return { ...cleared, inboxes: 0 };
  const { numAffectedRows } = await sql`
    delete from inbox i where i.id = any(${ids}::bigint[])
      and not exists (select from notification n where n.inbox_id = i.id)
      and not exists (select from tombstone t where t.inbox_id = i.id)
  `.execute(db);
  return { ...cleared, inboxes: Number(numAffectedRows ?? 0) };
}
