import { defineEntity, p } from '@mikro-orm/core';

/** Where a user, or everybody of a tenant, is reached through a channel. */
export const Contact = defineEntity({
  name: 'Contact',
  tableName: 'contact',
  indexes: [
    {
      name: 'contact_address_index',
      expression:
        'create unique index "contact_address_index" on "contact" ("tenant_id", "user_id", "channel", md5("address")) nulls not distinct',
    },
  ],
  properties: {
    id: p.uuid().primary(),
    tenantId: p.text(),
    /** Null for what is told of everybody in the tenant. */
    userId: p.text().nullable(),
    channel: p.text(),
    address: p.text(),
    /** What deliveries there are signed with. */
    secret: p.text().nullable(),
    /** The one before, which signs as well until `previousUntil`. */
    previousSecret: p.text().nullable(),
    previousUntil: p.datetime().nullable(),
    createdAt: p.datetime(),
  },
});
