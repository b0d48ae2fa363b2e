import { defineEntity, p } from '@mikro-orm/core';

/** A process that holds connections. It says every few seconds that it lives; who has not for a while is dead. */
export const Instance = defineEntity({
  name: 'Instance',
  tableName: 'instance',
  properties: {
    id: p.uuid().primary(),
    aliveAt: p.datetime(),
  },
});
