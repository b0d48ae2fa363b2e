import type { MikroORM as Database } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { CarillonError } from '../errors.ts';
import { NO_EPOCH } from './cursor.ts';
import { type NotificationStatus, milliseconds } from './notification.ts';
import {
  type SendItem,
  type SendResult,
  exclusiveKeyOf,
  fingerprint,
  keyName,
  toPending,
  toStored,
} from './send-item.ts';

interface EarlierRow {
  tenant_id: string;
  sender_id: string;
  key: string;
  fingerprint: string;
  notification_id: string;
  created_at_ms: number;
  epoch: string | null;
  seq: string | null;
  /** Of the notification, while it is there. */
  status: NotificationStatus | null;
  came_at_ms: number | null;
  is_scheduled: boolean;
}

export type EarlierSends = (items: readonly SendItem[]) => Promise<(SendResult | CarillonError | undefined)[]>;

const reused = (): CarillonError =>
  new CarillonError('CONFLICT', 'This idempotency key was already used with other content.', {
    field: 'idempotencyKey',
  });

/** Puts what their keys stand for in the places of those that were kept out. */
export async function orEarlier<Result>(
  items: readonly SendItem[],
  results: readonly (Result | undefined)[],
  earlierOf: EarlierSends,
): Promise<(Result | SendResult | CarillonError)[]> {
  const kept = items.filter((_, index) => !results[index]);
  const earlier = kept.length === 0 ? [] : await earlierOf(kept);
  return results.map((result) => result ?? earlier.shift() ?? reused());
}

/**
 * Looks up what the keys of items stand for: the earlier notification, CONFLICT when its content differs, or nothing
 * when the key is free. Its content is the repeated item's own: the fingerprint says that it is the same.
 */
export function createEarlierSends(database: Database): EarlierSends {
  return async function earlierOf(items) {
    const { rows } = await sql<EarlierRow>`
      select k.tenant_id, k.sender_id, k.key, k.fingerprint, k.notification_id,
        ${milliseconds('k.created_at')} as created_at_ms, i.epoch, coalesce(n.seq, t.seq) as seq, n.status,
        ${milliseconds('n.created_at')} as came_at_ms, s.id is not null as is_scheduled
      from unnest(${items.map((item) => item.tenantId)}::text[], ${items.map((item) => item.senderId)}::text[],
        ${items.map((item) => item.idempotencyKey)}::text[], ${items.map((item) => item.recipientId)}::text[])
        as asked (tenant_id, sender_id, key, user_id)
      join idempotency_key k using (tenant_id, sender_id, key)
      left join inbox i on i.tenant_id = asked.tenant_id and i.user_id = asked.user_id
      left join notification n on n.id = k.notification_id
      left join tombstone t on t.inbox_id = i.id and t.notification_id = k.notification_id
      left join scheduled_send s on s.id = k.notification_id
    `.execute(database.em.getConnection().getClient());
    const byKey = new Map(rows.map((row) => [keyName(row.tenant_id, row.sender_id, row.key), row]));
    return items.map((item) => {
      const row = byKey.get(exclusiveKeyOf(item) ?? '');
      return row && toEarlier(item, row);
    });
  };
}

function toEarlier(item: SendItem, row: EarlierRow): SendResult | CarillonError {
  if (row.fingerprint !== fingerprint(item)) return reused();
  const { notification_id: id, created_at_ms: claimedAtMs } = row;
  if (row.is_scheduled) return { notification: toPending(item, claimedAtMs, id) };
  // A sender learns nothing of what the recipient did. What is nowhere, although it was scheduled, was cancelled.
  const isCancelled = item.sendAt !== null && row.seq === null;
  const status = row.status === 'RECALLED' || isCancelled ? 'RECALLED' : 'SENT';
  const createdAtMs = item.sendAt === null || isCancelled ? claimedAtMs : (row.came_at_ms ?? item.sendAt.getTime());
  const place = { epoch: row.epoch ?? NO_EPOCH, seq: Number(row.seq ?? 0) };
  return {
    notification: toStored(item, { id, ...(isCancelled ? { epoch: NO_EPOCH, seq: 0 } : place), createdAtMs, status }),
  };
}
