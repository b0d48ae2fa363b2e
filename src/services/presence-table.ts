import type { MikroORM as Database } from '@mikro-orm/postgresql';
import { type RawBuilder, sql } from 'kysely';
import type { InboxAddress } from './caller.ts';
import { milliseconds } from './notification.ts';

/** Whether a user is connected, on whatever instance. */
export interface UserPresence {
  readonly userId: string;
  readonly online: boolean;
  /** While online: now. Else when the last connection ended; `null` when there never was one. */
  readonly lastSeenAt: Date | null;
  readonly connections: number;
}

/** How many connections a user has to one instance. */
export interface Count {
  readonly address: InboxAddress;
  readonly connections: number;
}

/** An instance that has not said for this long that it lives is dead: three times it should have by then. */
export const DEAD_AFTER_MS = 15_000;

const isAlive = sql`i.alive_at > now() - ${sql.lit(DEAD_AFTER_MS)} * interval '1 millisecond'`;

interface AddressRow {
  tenant_id: string;
  user_id: string;
}

interface PresenceRow {
  user_id: string;
  connections: number;
  seen_at_ms: number | null;
}

const toAddress = ({ tenant_id: tenantId, user_id: userId }: AddressRow): InboxAddress => ({ tenantId, userId });

const toPresence = ({ user_id: userId, connections, seen_at_ms: seenAtMs }: PresenceRow): UserPresence => ({
  userId,
  online: connections > 0,
  lastSeenAt: seenAtMs === null ? null : new Date(seenAtMs),
  connections,
});

/**
 * The tables of who is connected where. All times are those of the database, so that clocks of instances do not matter.
 * Statements that change several users do so in the order of their keys, and so never wait for each other in a circle.
 */
export class PresenceTable {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  get #db() {
    return this.#database.em.getConnection().getClient();
  }

  /**
   * Says that an instance lives. `isNew`: it was not there, or no more. `othersAreDead`: there is something to remove.
   */
  async beat(id: string): Promise<{ isNew: boolean; othersAreDead: boolean }> {
    const { rows } = await sql<{ is_new: boolean; others_are_dead: boolean }>`
      insert into instance (id, alive_at) values (${id}::uuid, now())
      on conflict (id) do update set alive_at = excluded.alive_at
      returning xmax = 0 as is_new,
        exists (select from instance i where i.id <> ${id}::uuid and not ${isAlive}) as others_are_dead
    `.execute(this.#db);
    return { isNew: rows[0]?.is_new === true, othersAreDead: rows[0]?.others_are_dead === true };
  }

  /** Stores what an instance counts, at most one count for each user; answers with those for whom that is news. */
  async write(id: string, counts: readonly Count[]): Promise<InboxAddress[]> {
    const { rows } = await sql<AddressRow>`
      with given as (
        select tenant_id, user_id, connections
        from unnest(
          ${counts.map(({ address }) => address.tenantId)}::text[],
          ${counts.map(({ address }) => address.userId)}::text[],
          ${counts.map(({ connections }) => connections)}::int[]
        ) as given (tenant_id, user_id, connections)
        order by tenant_id, user_id
      ),
      gone as (
        delete from presence p using given g
        where p.instance_id = ${id}::uuid and p.tenant_id = g.tenant_id and p.user_id = g.user_id and g.connections = 0
        returning p.tenant_id, p.user_id
      ),
      seen as (
        insert into last_seen as l (tenant_id, user_id, at)
        select tenant_id, user_id, now() from gone order by tenant_id, user_id
        on conflict (tenant_id, user_id) do update set at = greatest(l.at, excluded.at)
      ),
      here as (
        insert into presence as p (tenant_id, user_id, instance_id, connections, updated_at)
        select tenant_id, user_id, ${id}::uuid, connections, now() from given where connections > 0
        on conflict (tenant_id, user_id, instance_id) do update
          set connections = excluded.connections, updated_at = excluded.updated_at
          where p.connections <> excluded.connections
        returning p.tenant_id, p.user_id
      )
      select tenant_id, user_id from gone union all select tenant_id, user_id from here
    `.execute(this.#db);
    return rows.map(toAddress);
  }

  /** Who is stored as connected to an instance. */
  async usersOf(id: string): Promise<InboxAddress[]> {
    const { rows } = await sql<AddressRow>`
      select tenant_id, user_id from presence where instance_id = ${id}::uuid
    `.execute(this.#db);
    return rows.map(toAddress);
  }

  /** Removes an instance that ends, with its users, who were seen until now; answers with them. */
  remove(id: string): Promise<InboxAddress[]> {
    return this.#remove(sql`i.id = ${id}::uuid`, sql`now()`);
  }

  /** Removes all instances that are dead, with their users, who were seen until then; answers with them. */
  removeDead(): Promise<InboxAddress[]> {
    return this.#remove(sql`not ${isAlive}`, sql`i.alive_at`);
  }

  /** One that another instance is removing just now is left to it. */
  async #remove(which: RawBuilder<unknown>, seenAt: RawBuilder<unknown>): Promise<InboxAddress[]> {
    const { rows } = await sql<AddressRow>`
      with ended as (
        select i.id, ${seenAt} as seen_at from instance i where ${which} order by i.id for update skip locked
      ),
      gone as (
        select p.tenant_id, p.user_id, max(o.seen_at) as seen_at
        from presence p join ended o on o.id = p.instance_id
        group by p.tenant_id, p.user_id
      ),
      seen as (
        insert into last_seen as l (tenant_id, user_id, at)
        select tenant_id, user_id, seen_at from gone order by tenant_id, user_id
        on conflict (tenant_id, user_id) do update set at = greatest(l.at, excluded.at)
      ),
      removed as (delete from instance i using ended o where i.id = o.id)
      select tenant_id, user_id from gone
    `.execute(this.#db);
    return rows.map(toAddress);
  }

  /** The present state of users, in the order in which they are given; who is not known is offline. */
  async read(addresses: readonly InboxAddress[]): Promise<UserPresence[]> {
    const { rows } = await sql<PresenceRow>`
      select asked.user_id, coalesce(p.connections, 0)::int as connections, ${milliseconds('seen.at')} as seen_at_ms
      from unnest(
        ${addresses.map(({ tenantId }) => tenantId)}::text[],
        ${addresses.map(({ userId }) => userId)}::text[]
      ) with ordinality as asked (tenant_id, user_id, nth)
      left join lateral (
        select sum(p.connections) filter (where ${isAlive}) as connections,
          max(i.alive_at) filter (where not ${isAlive}) as dead_at
        from presence p join instance i on i.id = p.instance_id
        where p.tenant_id = asked.tenant_id and p.user_id = asked.user_id
      ) p on true
      left join last_seen l on l.tenant_id = asked.tenant_id and l.user_id = asked.user_id
      cross join lateral (
        select case when p.connections > 0 then now() else greatest(l.at, p.dead_at) end as at
      ) seen
      order by asked.nth
    `.execute(this.#db);
    return rows.map(toPresence);
  }

  /** How many of a tenant are online, and with how many connections. Looks at each of these. */
  async count(tenantId: string): Promise<{ users: number; connections: number }> {
    const { rows } = await sql<{ users: number; connections: number }>`
      select count(distinct p.user_id)::int as users, coalesce(sum(p.connections), 0)::int as connections
      from presence p join instance i on i.id = p.instance_id
      where p.tenant_id = ${tenantId} and ${isAlive}
    `.execute(this.#db);
    return rows[0] ?? { users: 0, connections: 0 };
  }

  /** Users of a tenant who are online, in the order of their ids. */
  async online(tenantId: string, after: string, limit: number): Promise<UserPresence[]> {
    const { rows } = await sql<PresenceRow>`
      select u.user_id, u.connections, ${milliseconds('u.at')} as seen_at_ms
      from (
        select p.user_id, sum(p.connections)::int as connections, now() as at
        from presence p join instance i on i.id = p.instance_id
        where p.tenant_id = ${tenantId} and p.user_id > ${after} and ${isAlive}
        group by p.user_id order by p.user_id limit ${limit}
      ) u
      order by u.user_id
    `.execute(this.#db);
    return rows.map(toPresence);
  }

  /** Whether somebody of the tenant is online whose id is not after this one. */
  async isAnyOnlineUpTo(tenantId: string, userId: string): Promise<boolean> {
    const { rows } = await sql`
      select from presence p join instance i on i.id = p.instance_id
      where p.tenant_id = ${tenantId} and p.user_id <= ${userId} and ${isAlive} limit 1
    `.execute(this.#db);
    return rows.length > 0;
  }
}
