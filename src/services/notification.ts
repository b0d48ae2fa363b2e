import { type RawBuilder, sql } from 'kysely';
import { notificationPriorities, notificationStatuses, notificationTypes } from '../entities/notification.ts';
import { encodeCursor } from './cursor.ts';

export { notificationPriorities, notificationStatuses, notificationTypes };

export type NotificationType = (typeof notificationTypes)[number];
export type NotificationPriority = (typeof notificationPriorities)[number];
export type NotificationStatus = (typeof notificationStatuses)[number];
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** A notification as every door shows it, each in its own spelling. */
export interface Notification {
  /** UUIDv7, lower case. */
  readonly id: string;
  /** Its place in the inbox: serves wherever a cursor is asked for. */
  readonly cursor: string;
  /** The cursor of its last change: everything about it up to now lies before. */
  readonly changeCursor: string;
  readonly tenantId: string;
  readonly recipientId: string;
  readonly senderId: string | null;
  readonly type: NotificationType;
  readonly priority: NotificationPriority;
  /** IN_APP, or the first of the channels by which it goes out as well. */
  readonly channel: string;
  readonly status: NotificationStatus;
  readonly title: string;
  readonly content: string;
  readonly link: string | null;
  readonly data: Json;
  readonly relatedType: string | null;
  readonly relatedId: string | null;
  readonly readAt: Date | null;
  readonly createdAt: Date;
  /** From then on it leaves the inbox by itself. */
  readonly expiresAt: Date | null;
  /** When it will be sent; null once it is in an inbox. */
  readonly sendAt: Date | null;
}

/** A row of `notificationColumns`: bigints as text, times in milliseconds since 1970. */
export interface NotificationRow {
  id: string;
  seq: string;
  version: string;
  sender_id: string | null;
  type: NotificationType;
  priority: NotificationPriority;
  channel: string;
  status: NotificationStatus;
  title: string;
  content: string;
  link: string | null;
  data: Json;
  related_type: string | null;
  related_id: string | null;
  read_at_ms: number | null;
  created_at_ms: number;
  expires_at_ms: number | null;
}

/**
 * Whole milliseconds since 1970 of a timestamp column, as a number. By way of microseconds, which a double holds exactly;
 * `extract` counts in decimals, which takes several times as long.
 */
export const milliseconds = (column: string): RawBuilder<number> =>
  sql`((date_part('epoch', ${sql.ref(column)}) * 1000000)::int8 / 1000)::float8`;

/** What to select from `notification n`. */
export const notificationColumns: RawBuilder<NotificationRow> = sql`
  n.id, n.seq, n.version, n.sender_id, n.type, n.priority, n.channel, n.status, n.title, n.content, n.link, n.data,
  n.related_type, n.related_id, ${milliseconds('n.read_at')} as read_at_ms, ${milliseconds('n.created_at')} as created_at_ms,
  ${milliseconds('n.expires_at')} as expires_at_ms`;

export function toNotification(
  row: NotificationRow,
  inbox: { tenantId: string; userId: string; epoch: string },
): Notification {
  return {
    id: row.id,
    cursor: encodeCursor(inbox.epoch, Number(row.seq)),
    changeCursor: encodeCursor(inbox.epoch, Number(row.version)),
    tenantId: inbox.tenantId,
    recipientId: inbox.userId,
    senderId: row.sender_id,
    type: row.type,
    priority: row.priority,
    channel: row.channel,
    status: row.status,
    title: row.title,
    content: row.content,
    link: row.link,
    data: row.data,
    relatedType: row.related_type,
    relatedId: row.related_id,
    readAt: row.read_at_ms === null ? null : new Date(row.read_at_ms),
    createdAt: new Date(row.created_at_ms),
    expiresAt: row.expires_at_ms === null ? null : new Date(row.expires_at_ms),
    sendAt: null,
  };
}
