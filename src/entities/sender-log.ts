import { defineEntity, p } from '@mikro-orm/core';

/** The head of one sender's log of receipts: one row per (tenant, user) that was ever told of a reader. */
export const SenderLog = defineEntity({
  name: 'SenderLog',
  tableName: 'sender_log',
  properties: {
    tenantId: p.text().primary(),
    userId: p.text().primary(),
    /** Eleven random URL-safe characters drawn when the log comes into being; part of every cursor. */
    epoch: p.text(),
    version: p.bigint().default(0),
    /** Receipts up to this version may be forgotten: older cursors cannot be continued from. */
    horizon: p.bigint().default(0),
  },
});
