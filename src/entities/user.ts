import { defineEntity, p } from '@mikro-orm/core';

/** A person who logs in here. Callers with tokens of another issuer, and recipients, need no such row. */
export const User = defineEntity({
  name: 'User',
  tableName: 'app_user',
  uniques: [{ properties: ['tenantId', 'username'] }],
  indexes: [{ properties: ['username'] }],
  properties: {
    tenantId: p.text().primary(),
    id: p.text().primary(),
    username: p.text(),
    /** See `services/password.ts` for the format. */
    passwordHash: p.text(),
    roles: p.array().columnType('text[]'),
    createdAt: p.datetime(),
  },
});
