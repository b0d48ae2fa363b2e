import { defineEntity, p } from '@mikro-orm/core';

/**
 * One row per (tenant, user) that ever received something: the head of that user's log.
 *
 * Every change of the inbox takes the next `version` under this row's lock, in the same statement as the change, and
 * moves the counters with it. So versions are in commit order, and `total` and `unread` are always exact.
 */
export const Inbox = defineEntity({
  name: 'Inbox',
  tableName: 'inbox',
  uniques: [{ properties: ['tenantId', 'userId'] }],
  checks: [{ name: 'inbox_counters_check', expression: 'unread >= 0 and unread <= total' }],
  properties: {
    id: p.bigint().primary(),
    tenantId: p.text(),
    userId: p.text(),
    /** Eleven random URL-safe characters drawn when the inbox comes into being; part of every cursor. */
    epoch: p.text(),
    version: p.bigint(),
    total: p.integer(),
    unread: p.integer(),
    /** Deletions up to this version have lost their tombstones: older cursors cannot be continued from. */
    horizon: p.bigint().default(0),
  },
});
