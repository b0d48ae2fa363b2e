import { type RawBuilder, sql } from 'kysely';
import type { NotificationPriority, NotificationType } from './notification.ts';

/** All given conditions must hold. */
export interface Filter {
  readonly unread?: boolean | undefined;
  readonly types?: readonly NotificationType[] | undefined;
  readonly priorities?: readonly NotificationPriority[] | undefined;
}

/** What makes `notification n` one of its inbox: recalled ones stay in the table for their senders only. */
export const isInInbox: RawBuilder<boolean> = sql`n.status <> 'RECALLED'`;

/** What a filter asks of `notification n`, beside being in the inbox. */
export function filterConditions({ unread, types, priorities }: Filter): RawBuilder<unknown> {
  const conditions = [
    isInInbox,
    ...(unread === undefined ? [] : [unread ? sql`n.read_at is null` : sql`n.read_at is not null`]),
    ...(types ? [sql`n.type = any(${types}::text[])`] : []),
    ...(priorities ? [sql`n.priority = any(${priorities}::text[])`] : []),
  ];
  return sql.join(conditions, sql` and `);
}
