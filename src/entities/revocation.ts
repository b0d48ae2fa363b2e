import { defineEntity, p } from '@mikro-orm/core';

/** Access tokens that end before they expire: those of one session, or all that a user had when it was written. */
export const Revocation = defineEntity({
  name: 'Revocation',
  tableName: 'revocation',
  indexes: [{ properties: ['createdAt'] }, { properties: ['expiresAt'] }],
  properties: {
    id: p.uuid().primary(),
    tenantId: p.text(),
    userId: p.text(),
    /** The family of refresh tokens, which is the `sid` of its access tokens; null for all of the user. */
    sessionId: p.text().nullable(),
    createdAt: p.datetime().defaultRaw('now()'),
    /** From then on every token concerned has expired by itself. */
    expiresAt: p.datetime(),
  },
});
