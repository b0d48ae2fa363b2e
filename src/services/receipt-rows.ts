import { type RawBuilder, sql } from 'kysely';
import type { InboxAddress } from './caller.ts';

/** Parts of a statement that marks notifications: what their senders are told of it. */
export interface ReceiptRows {
  /** Statements to add after the one that is called `changed`. */
  readonly also: RawBuilder<unknown>;
  /** Who is told, as a list of ids; null for nobody. */
  readonly senders: RawBuilder<string[] | null>;
}

/** For changes that senders are not told of. */
export const NO_RECEIPTS: ReceiptRows = { also: sql``, senders: sql`null::text[]` };

/**
 * A receipt for each row of `changed` that somebody else sent than the reader. They have no versions yet: nothing of the
 * sender is locked, so that those who read what one sender sent do not wait for each other.
 */
export const receiptRows = ({ tenantId, userId }: InboxAddress, isRead: boolean): ReceiptRows => ({
  also: sql`, told as (
    insert into receipt (tenant_id, sender_id, notification_id, recipient_id, is_read, changed_at)
    select ${tenantId}::text, sender_id, id, ${userId}::text, ${isRead}::boolean, now() from changed
    where sender_id <> ${userId} order by seq
    returning sender_id
  )`,
  senders: sql`(select array_agg(distinct sender_id) from told)`,
});
