import { defineEntity, p } from '@mikro-orm/core';
import { Inbox } from './inbox.ts';

/** What remains of a deleted notification, so that a listener that was away learns of the deletion. */
export const Tombstone = defineEntity({
  name: 'Tombstone',
  tableName: 'tombstone',
  indexes: [{ properties: ['inbox', 'version'] }, { properties: ['deletedAt'] }],
  properties: {
    /** That of the inbox; null in rows from before there was this column. */
    tenantId: p.text().nullable(),
    inbox: () => p.manyToOne(Inbox).primary().deleteRule('cascade'),
    notificationId: p.uuid().primary(),
    /** The inbox version of the deletion. */
    version: p.bigint(),
    /** The position that the notification had. */
    seq: p.bigint(),
    deletedAt: p.datetime(),
  },
});
