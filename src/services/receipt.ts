import type { InboxAddress } from './caller.ts';
import { NO_EPOCH } from './cursor.ts';

/** A recipient marked a notification as read, or as unread again: what its sender is told. */
export interface Receipt {
  /** Its place in the sender's log: come back after it. */
  readonly cursor: string;
  readonly version: number;
  readonly notificationId: string;
  readonly recipientId: string;
  /** `null` when it was marked as unread again. */
  readonly readAt: Date | null;
}

/** The head of a sender's log of receipts. */
export interface SenderHead {
  readonly epoch: string;
  readonly version: number;
  /** Cursors before this version cannot be continued from: receipts after them may be gone. */
  readonly horizon: number;
}

/** Of a log that does not exist yet. */
export const EMPTY_SENDER_HEAD: SenderHead = { epoch: NO_EPOCH, version: 0, horizon: 0 };

/** What is published when a sender's log has moved. The receipts themselves are read from the log. */
export type ReceiptDoorbell = Pick<SenderHead, 'epoch' | 'version'>;

export const receiptTopic = ({ tenantId, userId }: InboxAddress): string =>
  `carillon:receipts:${encodeURIComponent(tenantId)}:${encodeURIComponent(userId)}`;

/** Reads a message of the topic; `undefined` for anything that is no doorbell, as a broker is never trusted. */
export function receiptDoorbell(message: unknown): ReceiptDoorbell | undefined {
  if (typeof message !== 'object' || message === null) return undefined;
  const { epoch, version } = message as Partial<Record<keyof ReceiptDoorbell, unknown>>;
  if (typeof epoch !== 'string' || epoch.length !== NO_EPOCH.length || !Number.isSafeInteger(version)) return undefined;
  return { epoch, version: version as number };
}
