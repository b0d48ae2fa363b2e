import type { MikroORM as Database } from '@mikro-orm/postgresql';
import { type RawBuilder, sql } from 'kysely';
import type { InboxAddress } from './caller.ts';
import type { InboxEvent } from './inbox-event.ts';
import { isInInbox } from './inbox-filter.ts';

/** What left one inbox. */
export interface Departure {
  readonly address: InboxAddress;
  readonly event: InboxEvent & { kind: 'deleted' };
}

/** Whose notifications may be recalled. */
export interface RecallScope {
  readonly tenantId: string;
  /** Only those of this sender; of anybody in the tenant when absent. */
  readonly senderId: string | undefined;
  /** Only those that came no longer ago. */
  readonly windowMs: number;
}

interface DepartedRow {
  tenant_id: string;
  user_id: string;
  epoch: string;
  version: string;
  total: number;
  unread: number;
  ids: string[];
}

/** What is on its way outside does not leave the house any more. */
const CANCELLED = sql`, cancelled as (
  update delivery d set status = 'CANCELLED', content = null, due_at = null, changed_at = now()
  from changed where d.notification_id = changed.id and d.status = 'PENDING'
)`;

/**
 * Notifications that leave inboxes, any number of them, by no doing of their owners. Each method is one statement, all or
 * nothing: it locks the inbox rows in the order in which sends lock them, and moves each version and its counters. The
 * new counters come of the locked rows; see InboxChanges.
 */
export class InboxDepartures {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Takes back those of the ids that are still in inboxes and within the scope. They stay as rows, RECALLED. */
  recall(ids: readonly string[], { tenantId, senderId, windowMs }: RecallScope): Promise<Departure[]> {
    const isMeant = sql`n.id = any(${ids}::uuid[]) and ${isInInbox}
      and n.created_at > now() - ${windowMs}::float8 * interval '1 millisecond'
      ${senderId === undefined ? sql`` : sql`and n.sender_id = ${senderId}`}`;
    return this.#depart(
      sql`
        box as materialized (
          select id, tenant_id, user_id, epoch, version, total, unread from inbox
          where tenant_id = ${tenantId} and id in (select n.inbox_id from notification n where ${isMeant})
          order by tenant_id, user_id for update
        ), changed as (
          update notification n set status = 'RECALLED', version = box.version + 1
          from box where n.inbox_id = box.id and ${isMeant}
          returning n.id, n.inbox_id, n.seq, n.read_at
        )${CANCELLED}`,
      true,
    );
  }

  /**
   * Lets go of up to `most` of those whose time is over, the longest over first, with a tombstone for each. Several
   * instances may do so at once: what one has let go of the others pass over.
   */
  expire(most: number): Promise<Departure[]> {
    return this.#depart(
      sql`
        due as materialized (
          select n.id, n.inbox_id from notification n
          where n.expires_at is not null and n.expires_at <= now() and ${isInInbox}
          order by n.expires_at limit ${most}
        ), box as materialized (
          select id, tenant_id, user_id, epoch, version, total, unread from inbox
          where id in (select inbox_id from due) order by tenant_id, user_id for update
        ), changed as (
          delete from notification n using box, due
          where n.id = due.id and n.inbox_id = box.id and ${isInInbox}
          returning n.id, n.inbox_id, n.seq, n.read_at
        ), buried as (
          insert into tombstone (tenant_id, inbox_id, notification_id, version, seq, deleted_at)
          select box.tenant_id, changed.inbox_id, changed.id, box.version + 1, changed.seq, now()
          from changed join box on box.id = changed.inbox_id
        )${CANCELLED}`,
      false,
    );
  }

  /** `parts` name the locked inboxes, `box`, and what left them, `changed`. */
  async #depart(parts: RawBuilder<unknown>, recalled: boolean): Promise<Departure[]> {
    const { rows } = await sql<DepartedRow>`
      with ${parts}, amount as (
        select inbox_id, count(*)::int as n, (count(*) filter (where read_at is null))::int as unread,
          array_agg(id order by seq) as ids
        from changed group by inbox_id
      ), moved as (
        update inbox i
        set version = box.version + 1, total = box.total - amount.n, unread = box.unread - amount.unread
        from box join amount on amount.inbox_id = box.id where i.id = box.id
        returning i.id, i.version, i.total, i.unread
      )
      select box.tenant_id, box.user_id, box.epoch, moved.version, moved.total, moved.unread, amount.ids
      from moved join box on box.id = moved.id join amount on amount.inbox_id = moved.id
    `.execute(this.#database.em.getConnection().getClient());
    return rows.map(({ tenant_id: tenantId, user_id: userId, epoch, total, unread, ids, ...row }) => {
      const version = Number(row.version);
      const counts = { unreadCount: unread, totalCount: total };
      return {
        address: { tenantId, userId },
        event: { kind: 'deleted', epoch, version, previousVersion: version - 1, ...counts, ids, recalled },
      };
    });
  }
}
