import { deliveryStatuses } from '../entities/delivery.ts';
import type { Outbound } from './channel.ts';
import type { Notification } from './notification.ts';

export { deliveryStatuses };

export type DeliveryStatus = (typeof deliveryStatuses)[number];

/** Where a notification goes beside the inbox. */
export interface Target {
  readonly channel: string;
  readonly address: string;
  /** The contact that the address is of; null for one that came with the send. */
  readonly contactId: string | null;
}

/** A notification on its way to one address, as its sender and its recipient see it. */
export interface Delivery {
  readonly id: string;
  readonly channel: string;
  readonly status: DeliveryStatus;
  /** Attempts that have begun. */
  readonly attempts: number;
  /** Why the last attempt failed; null when it did not. */
  readonly lastError: string | null;
  readonly createdAt: Date;
  readonly lastAttemptAt: Date | null;
  /** While it is PENDING. */
  readonly nextAttemptAt: Date | null;
  /** When it came to its present status. */
  readonly statusAt: Date;
}

/** What of a notification goes out; the same on every attempt. */
export const contentOf = (notification: Notification): Outbound['notification'] => ({
  id: notification.id,
  tenantId: notification.tenantId,
  recipientId: notification.recipientId,
  senderId: notification.senderId,
  type: notification.type,
  priority: notification.priority,
  title: notification.title,
  content: notification.content,
  link: notification.link,
  data: notification.data,
  createdAt: notification.createdAt,
});
