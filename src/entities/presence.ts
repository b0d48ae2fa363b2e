import { defineEntity, p } from '@mikro-orm/core';
import { Instance } from './instance.ts';

/** A user with live connections to one instance. There is no row for none. */
export const Presence = defineEntity({
  name: 'Presence',
  tableName: 'presence',
  indexes: [{ properties: ['instance'] }],
  properties: {
    tenantId: p.text().primary(),
    userId: p.text().primary(),
    instance: () => p.manyToOne(Instance).primary().deleteRule('cascade'),
    connections: p.integer(),
    updatedAt: p.datetime(),
  },
});
