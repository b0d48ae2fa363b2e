import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { DataScope } from './data-scope.ts';
import { REVOKED_FOR_MS } from './users.ts';

/** Jobs of one statement. */
const BATCH = 1000;

/** Whose tokens may be out: of a tenant, those who have an account or a session, are connected, or had their tokens revoked. */
const owners = ({ tenantId, userId }: DataScope): RawBuilder<unknown> =>
  userId === undefined
    ? sql`
        select id as user_id from app_user where tenant_id = ${tenantId}
        union select user_id from refresh_token where tenant_id = ${tenantId}
        union select user_id from presence where tenant_id = ${tenantId}
        union select user_id from revocation where tenant_id = ${tenantId}`
    : sql`select ${userId}::text as user_id`;

/**
 * Ends all tokens that were issued until now: every server refuses them, and ends their connections, within two seconds.
 * For each user one revocation stays, in the place of all earlier ones: without it tokens that are out would be good again.
 */
export async function revokeTokens(db: Kysely<unknown>, scope: DataScope): Promise<void> {
  const { tenantId } = scope;
  await sql`
    with owner as materialized (${owners(scope)}), replaced as (
      delete from revocation r using owner where r.tenant_id = ${tenantId} and r.user_id = owner.user_id
    )
    insert into revocation (id, tenant_id, user_id, session_id, expires_at)
    select gen_random_uuid(), ${tenantId}, user_id, null, now() + ${REVOKED_FOR_MS}::float8 * interval '1 millisecond'
    from owner
  `.execute(db);
}

/** Removes the jobs of deliveries that are gone. One that a worker holds finds nothing to do, and ends by itself. */
export async function cancelOrphanedJobs(db: Kysely<unknown>): Promise<number> {
  for (let cancelled = 0; ; ) {
    const { rows } = await sql<{ n: number }>`
      select count(*)::int as n from graphile_worker.complete_jobs(array(
        select j.id from graphile_worker._private_jobs j join graphile_worker._private_tasks t on t.id = j.task_id
        where t.identifier in ('deliver', 'confirm') and j.locked_at is null
          and not exists (select from delivery d where d.id = (j.payload->>'id')::uuid)
        limit ${BATCH}
      ))
    `.execute(db);
    const n = rows[0]?.n ?? 0;
    cancelled += n;
    if (n === 0) return cancelled;
  }
}
