import { defineEntity, p } from '@mikro-orm/core';

/** A sender's key for one send: the same key within its window answers with the same notification. */
export const IdempotencyKey = defineEntity({
  name: 'IdempotencyKey',
  tableName: 'idempotency_key',
  indexes: [{ properties: ['createdAt'] }],
  properties: {
    tenantId: p.text().primary(),
    senderId: p.text().primary(),
    key: p.text().primary(),
    /** SHA-256 of what was sent, base64url: tells a repetition from a reuse with other content. */
    fingerprint: p.text(),
    notificationId: p.uuid(),
    createdAt: p.datetime(),
  },
});
