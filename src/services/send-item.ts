import { createHash } from 'node:crypto';
import { inboxKey } from './caller.ts';
import { NO_EPOCH, encodeCursor } from './cursor.ts';
import type { Target } from './delivery.ts';
import type { InboxEvent } from './inbox-event.ts';
import type { Notification, NotificationStatus } from './notification.ts';
import type { SendContent } from './notification-rules.ts';

/** A send that passed every rule, ready to be stored. */
export interface SendItem extends SendContent {
  readonly id: string;
  readonly tenantId: string;
  readonly recipientId: string;
  readonly senderId: string;
  /** The JSON text of `data`. */
  readonly dataJson: string | null;
  /** Where it goes on its `channels`. */
  readonly targets: readonly Target[];
}

export interface SendResult {
  readonly notification: Notification;
  /** What changed; absent when an idempotency key answered with an earlier notification. */
  readonly event?: InboxEvent;
}

/** The same for two sends exactly when they would make the same notification. */
export function fingerprint(item: SendItem): string {
  const { recipientId, type, priority, channel, title, content, link, dataJson, relatedType, relatedId } = item;
  const parts = [recipientId, type, priority, channel, title, content, link, dataJson, relatedType, relatedId];
  // Not with the others: those without times have the fingerprint that they had before there were times.
  const times = [item.sendAt, item.expiresAt];
  if (times.some((time) => time !== null)) parts.push(...times.map((time) => time?.toISOString() ?? null));
  // Nor with these: what goes out by one channel had its fingerprint before there could be more.
  const { channels, addresses } = item;
  if (channels.length > 1 || addresses.length > 0) parts.push(JSON.stringify({ channels, addresses }));
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url');
}

/** Names a sender's key in maps. */
export const keyName = (tenantId: string, senderId: string, key: string): string =>
  JSON.stringify([tenantId, senderId, key]);

export const exclusiveKeyOf = ({ tenantId, senderId, idempotencyKey }: SendItem): string | undefined =>
  idempotencyKey === null ? undefined : keyName(tenantId, senderId, idempotencyKey);

/** Sends to one inbox wait for its row: those of two statements would wait for each other's commit. */
export const inboxKeyOf = ({ tenantId, recipientId: userId }: SendItem): string => inboxKey({ tenantId, userId });

/** One that has been stored, at its place. */
export const toStored = (
  item: SendItem,
  stored: { id: string; epoch: string; seq: number; createdAtMs: number; status?: NotificationStatus },
): Notification => ({
  id: stored.id,
  cursor: encodeCursor(stored.epoch, stored.seq),
  changeCursor: encodeCursor(stored.epoch, stored.seq),
  tenantId: item.tenantId,
  recipientId: item.recipientId,
  senderId: item.senderId,
  type: item.type,
  priority: item.priority,
  channel: item.channel,
  status: stored.status ?? 'SENT',
  title: item.title,
  content: item.content,
  link: item.link,
  data: item.data,
  relatedType: item.relatedType,
  relatedId: item.relatedId,
  readAt: null,
  createdAt: new Date(stored.createdAtMs),
  expiresAt: item.expiresAt,
  sendAt: null,
});

/** One that waits for its time: it has no place in an inbox yet. */
export const toPending = (item: SendItem, createdAtMs: number, id = item.id): Notification => ({
  ...toStored(item, { id, epoch: NO_EPOCH, seq: 0, createdAtMs, status: 'PENDING' }),
  sendAt: item.sendAt,
});
