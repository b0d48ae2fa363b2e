import { defineEntity, p } from '@mikro-orm/core';

/** When the last connection of a user to some instance ended. */
export const LastSeen = defineEntity({
  name: 'LastSeen',
  tableName: 'last_seen',
  properties: {
    tenantId: p.text().primary(),
    userId: p.text().primary(),
    at: p.datetime(),
  },
});
