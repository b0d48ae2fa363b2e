import { defineEntity, p } from '@mikro-orm/core';

/**
 * How much of one kind a tenant did in one hour, for its statistics: added up in memory, and written every few seconds. An
 * instance that is killed takes what it has not written with it, so these are no account of anything.
 */
export const TenantActivity = defineEntity({
  name: 'TenantActivity',
  tableName: 'tenant_activity',
  indexes: [{ properties: ['hour'] }],
  properties: {
    tenantId: p.text().primary(),
    /** Its beginning; hours are those of UTC. */
    hour: p.datetime().primary(),
    /** `sent CHANNEL TYPE`: what was sent in that hour. `read`: what of it has been read, whenever that was. */
    kind: p.text().primary(),
    count: p.bigint(),
  },
});
