import type { MikroORM as Database } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import type { InboxAddress } from './caller.ts';
import type { InboxChanges } from './inbox-changes.ts';
import { isInInbox } from './inbox-filter.ts';
import { ACTIVITY_DAYS } from './tenant-activity.ts';
import type { Hub } from './hub.ts';

export interface RetentionOptions {
  database: Database;
  changes: InboxChanges;
  hub: Hub;
  /** How long tombstones and receipts are kept: cursors older than that cannot be continued from. */
  tombstonesMs: number;
  /** How long notifications are kept; for ever when absent. */
  notificationsMs: number | undefined;
  /** How long deliveries are kept that nothing is left to do for. */
  deliveriesMs: number;
}

/** Rows of one step: a step holds an inbox for milliseconds. */
const STEP = 500;

/** The least UUIDv7 of a millisecond (RFC 9562 section 5.7): ids are in the order of their times, and indexed anyway. */
function firstIdAt(ms: number): string {
  const time = Math.max(0, Math.floor(ms)).toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-000000000000`;
}

const ago = (ms: number) => sql`now() - ${ms}::float8 * interval '1 millisecond'`;

/** Lets go of what is old, in small steps beside the traffic. Each step says whether there may be more to do. */
export class Retention {
  readonly #options: RetentionOptions;

  constructor(options: RetentionOptions) {
    this.#options = options;
  }

  get #db() {
    return this.#options.database.em.getConnection().getClient();
  }

  /**
   * Forgets old tombstones, and moves the horizons of their inboxes in the same statement. The inboxes are locked in the
   * order in which sends lock them.
   */
  async forgetTombstones(): Promise<boolean> {
    const { rows } = await sql<{ forgotten: number }>`
      with old as (
        select inbox_id, notification_id from tombstone where deleted_at <= ${ago(this.#options.tombstonesMs)}
        order by deleted_at limit ${STEP} for update skip locked
      ), forgotten as (
        delete from tombstone t using old
        where t.inbox_id = old.inbox_id and t.notification_id = old.notification_id
        returning t.inbox_id, t.version
      ), horizons as (
        select inbox_id, max(version) as version from forgotten group by inbox_id
      ), locked as materialized (
        select id from inbox where id in (select inbox_id from horizons) order by tenant_id, user_id for update
      ), moved as (
        update inbox i set horizon = greatest(i.horizon, horizons.version)
        from horizons join locked on locked.id = horizons.inbox_id where i.id = locked.id
      )
      select count(*)::int as forgotten from forgotten
    `.execute(this.#db);
    return rows[0]?.forgotten === STEP;
  }

  /**
   * Forgets old receipts, and moves the horizons of their senders in the same statement. Ids are in the order of their
   * times, nearly, so the oldest are the first ones. The heads are locked in the order in which receipts are numbered.
   */
  async forgetReceipts(): Promise<boolean> {
    const { rows } = await sql<{ forgotten: number }>`
      with old as (
        select id from receipt
        where id = any(array(select id from receipt order by id limit ${STEP}))
          and version is not null and changed_at <= ${ago(this.#options.tombstonesMs)}
        for update skip locked
      ), forgotten as (
        delete from receipt r using old where r.id = old.id returning r.tenant_id, r.sender_id, r.version
      ), horizons as (
        select tenant_id, sender_id as user_id, max(version) as version from forgotten group by tenant_id, sender_id
      ), locked as materialized (
        select s.tenant_id, s.user_id from sender_log s join horizons h using (tenant_id, user_id)
        order by s.tenant_id, s.user_id for update of s
      ), moved as (
        update sender_log s set horizon = greatest(s.horizon, h.version)
        from horizons h join locked using (tenant_id, user_id)
        where s.tenant_id = h.tenant_id and s.user_id = h.user_id
      )
      select count(*)::int as forgotten from forgotten
    `.execute(this.#db);
    // What a step passed over, as it was locked or has no version yet, says nothing of what comes after it.
    return (rows[0]?.forgotten ?? 0) > 0;
  }

  /** Forgets what tenants did more than 90 days ago. By their places: by their keys PostgreSQL would read the whole table. */
  async forgetActivity(): Promise<boolean> {
    const { numAffectedRows } = await sql`
      delete from tenant_activity where ctid = any(array(
        select ctid from tenant_activity
        where hour < now() - ${ACTIVITY_DAYS} * interval '1 day' order by hour limit ${STEP} for update skip locked
      ))
    `.execute(this.#db);
    return Number(numAffectedRows ?? 0) === STEP;
  }

  /**
   * Deletes old notifications as their owner would: with tombstones, counted, and told to who listens. Recalled ones left
   * the inbox when they were recalled; a tombstone of that version takes their place.
   */
  async deleteNotifications(): Promise<boolean> {
    const { notificationsMs, changes, hub } = this.#options;
    if (notificationsMs === undefined) return false;
    const { rows } = await sql<{ tenant_id: string; user_id: string; ids: string[] | null; recalled: string[] | null }>`
      select i.tenant_id, i.user_id, array_agg(old.id) filter (where in_inbox) as ids,
        array_agg(old.id) filter (where not in_inbox) as recalled
      from (
        select n.id, n.inbox_id, ${isInInbox} as in_inbox from notification n
        where n.id < ${firstIdAt(Date.now() - notificationsMs)}::uuid order by n.id limit ${STEP}
      ) old
      join inbox i on i.id = old.inbox_id
      group by i.id
    `.execute(this.#db);
    const gone = rows.flatMap(({ recalled }) => recalled ?? []);
    if (gone.length > 0) await this.#buryRecalled(gone);
    let deleted = gone.length;
    for (const { tenant_id: tenantId, user_id: userId, ids } of rows) {
      if (!ids) continue;
      const address: InboxAddress = { tenantId, userId };
      const { event } = await changes.delete(address, ids);
      if (event) hub.publish(address, event);
      deleted += ids.length;
    }
    return deleted === STEP;
  }

  /** Needs no lock of an inbox: a recalled row never changes, and who reads finds either it or its tombstone. */
  async #buryRecalled(ids: readonly string[]): Promise<void> {
    await sql`
      with gone as (
        delete from notification n where n.id = any(${ids}::uuid[]) and not (${isInInbox})
        returning n.tenant_id, n.inbox_id, n.id, n.version, n.seq
      )
      insert into tombstone (tenant_id, inbox_id, notification_id, version, seq, deleted_at)
      select tenant_id, inbox_id, id, version, seq, now() from gone
    `.execute(this.#db);
  }

  /** Forgets what became of old deliveries, once nothing is left to do for them. */
  async forgetDeliveries(): Promise<boolean> {
    const { numAffectedRows } = await sql`
      delete from delivery where id in (
        select id from delivery where created_at <= ${ago(this.#options.deliveriesMs)} and due_at is null
        order by created_at limit ${STEP} for update skip locked
      )
    `.execute(this.#db);
    return Number(numAffectedRows ?? 0) === STEP;
  }
}
