import { type RawBuilder, sql } from 'kysely';
import type { NotificationPriority, NotificationType } from './notification.ts';

/** All given conditions must hold. */
export interface Filter {
  readonly unread?: boolean | undefined;
  readonly types?: readonly NotificationType[] | undefined;
  readonly priorities?: readonly NotificationPriority[] | undefined;
}

/** What a filter asks of `notification n`. */
export function filterConditions({ unread, types, priorities }: Filter): RawBuilder<unknown> {
  const conditions = [
    ...(unread === undefined ? [] : [unread ? sql`n.read_at is null` : sql`n.read_at is not null`]),
    ...(types ? [sql`n.type = any(${types}::text[])`] : []),
    ...(priorities ? [sql`n.priority = any(${priorities}::text[])`] : []),
  ];
  return conditions.length === 0 ? sql`true` : sql.join(conditions, sql` and `);
}
