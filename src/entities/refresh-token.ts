import { defineEntity, p } from '@mikro-orm/core';

/** One link in a chain of refresh tokens. Using a link twice revokes its whole family. */
export const RefreshToken = defineEntity({
  name: 'RefreshToken',
  tableName: 'refresh_token',
  indexes: [{ properties: ['familyId'] }, { properties: ['tenantId', 'userId'] }, { properties: ['expiresAt'] }],
  properties: {
    /** SHA-256 of the token, base64url: the table does not help whoever reads it. */
    hash: p.text().primary(),
    familyId: p.uuid(),
    tenantId: p.text(),
    userId: p.text(),
    expiresAt: p.datetime(),
    usedAt: p.datetime().nullable(),
  },
});
