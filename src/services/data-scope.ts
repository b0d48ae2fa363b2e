import { type RawBuilder, sql } from 'kysely';

/** Whose data is meant: that of one user, or, without one, of the whole tenant. */
export interface DataScope {
  readonly tenantId: string;
  readonly userId?: string | undefined;
}

/**
 * What makes a row of `alias` one of the scope: its tenant, and, for a user, one of the columns that name users. Without
 * such a column nothing of it is a user's.
 */
export function inScope({ tenantId, userId }: DataScope, alias: string, ...userColumns: string[]): RawBuilder<boolean> {
  const ofTenant = sql<boolean>`${sql.ref(`${alias}.tenant_id`)} = ${tenantId}`;
  if (userId === undefined) return ofTenant;
  const isNamed = userColumns.map((column) => sql`${sql.ref(`${alias}.${column}`)} = ${userId}`);
  return sql`${ofTenant} and (${isNamed.length === 0 ? sql`false` : sql.join(isNamed, sql` or `)})`;
}
