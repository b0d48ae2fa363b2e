import { defineEntity, p } from '@mikro-orm/core';

/**
 * What a sender is told: a notification was marked as read, or as unread again, by its recipient. Written in the statement
 * that marks it, without a version: the sender's own order comes after the commit, so that readers wait for nobody.
 */
export const Receipt = defineEntity({
  name: 'Receipt',
  tableName: 'receipt',
  indexes: [
    {
      name: 'receipt_log_index',
      expression:
        'create unique index "receipt_log_index" on "receipt" ("tenant_id", "sender_id", "version") where "version" is not null',
    },
    {
      name: 'receipt_unnumbered_index',
      expression:
        'create index "receipt_unnumbered_index" on "receipt" ("tenant_id", "sender_id", "id") where "version" is null',
    },
  ],
  properties: {
    /** In the order in which one notification was marked: each of its markings holds the lock of its inbox. */
    id: p.bigint().primary(),
    tenantId: p.text(),
    senderId: p.text(),
    notificationId: p.uuid(),
    recipientId: p.text(),
    isRead: p.boolean(),
    changedAt: p.datetime(),
    /** Its place in the sender's log; null until it is numbered. */
    version: p.bigint().nullable(),
  },
});
