import type { MikroORM as Database } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import type { InboxAddress } from './caller.ts';
import type { InboxChanges } from './inbox-changes.ts';
import type { Hub } from './hub.ts';

export interface RetentionOptions {
  database: Database;
  changes: InboxChanges;
  hub: Hub;
  /** How long tombstones are kept: cursors older than that get a reset. */
  tombstonesMs: number;
  /** How long notifications are kept; for ever when absent. */
  notificationsMs: number | undefined;
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

  /** Deletes old notifications as their owner would: with tombstones, counted, and told to who listens. */
  async deleteNotifications(): Promise<boolean> {
    const { notificationsMs, changes, hub } = this.#options;
    if (notificationsMs === undefined) return false;
    const { rows } = await sql<{ tenant_id: string; user_id: string; ids: string[] }>`
      select i.tenant_id, i.user_id, array_agg(old.id) as ids
      from (
        select n.id, n.inbox_id from notification n
        where n.id < ${firstIdAt(Date.now() - notificationsMs)}::uuid order by n.id limit ${STEP}
      ) old
      join inbox i on i.id = old.inbox_id
      group by i.id
    `.execute(this.#db);
    let deleted = 0;
    for (const { tenant_id: tenantId, user_id: userId, ids } of rows) {
      const address: InboxAddress = { tenantId, userId };
      const { event } = await changes.delete(address, ids);
      if (event) hub.publish(address, event);
      deleted += ids.length;
    }
    return deleted === STEP;
  }
}
