import { type Kysely, sql } from 'kysely';
import type { InboxAddress } from './caller.ts';
import type { InboxEvent } from './inbox-event.ts';
import { isInInbox } from './inbox-filter.ts';
import { type NotificationRow, notificationColumns, toNotification } from './notification.ts';

/** What is to be told of one inbox. */
export interface InboxDoorbell {
  readonly address: InboxAddress;
  readonly event: InboxEvent;
}

interface TouchedRow extends NotificationRow {
  tenant_id: string;
  user_id: string;
  epoch: string;
  total: number;
  unread: number;
}

/**
 * Tells of a change around a notification that its own row says nothing of: moves the version of its inbox, and its own
 * with it; counters stay. Nothing for one that is in no inbox.
 */
export async function touchInbox(
  transaction: Pick<Kysely<unknown>, 'getExecutor'>,
  notificationId: string,
): Promise<InboxDoorbell | undefined> {
  const { rows } = await sql<TouchedRow>`
    with box as materialized (
      select id, tenant_id, user_id, epoch, version, total, unread from inbox
      where id = (select inbox_id from notification where id = ${notificationId}::uuid) for update
    ), changed as (
      update notification n set version = box.version + 1 from box
      where n.inbox_id = box.id and n.id = ${notificationId}::uuid and ${isInInbox}
      returning n.*
    ), moved as (
      update inbox i set version = box.version + 1 from box, changed where i.id = box.id
    )
    select ${notificationColumns}, box.tenant_id, box.user_id, box.epoch, box.total, box.unread
    from changed n cross join box
  `.execute(transaction);
  const [row] = rows;
  if (!row) return undefined;
  const address = { tenantId: row.tenant_id, userId: row.user_id };
  const version = Number(row.version);
  return {
    address,
    event: {
      kind: 'updated',
      epoch: row.epoch,
      version,
      previousVersion: version - 1,
      unreadCount: row.unread,
      totalCount: row.total,
      notification: toNotification(row, { ...address, epoch: row.epoch }),
    },
  };
}
