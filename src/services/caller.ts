/** Who is calling, as the verified token says. Everything a service does is within this tenant and user. */
export interface Caller {
  readonly tenantId: string;
  readonly userId: string;
  readonly roles: readonly string[];
  /** When the token ends, in milliseconds since 1970. */
  readonly expiresAtMs: number;
  /** When it was issued, likewise; 0 when it does not say. */
  readonly issuedAtMs: number;
  /** The login that it came of; `undefined` for tokens of other issuers. */
  readonly sessionId: string | undefined;
}

/** The address of one inbox. */
export interface InboxAddress {
  readonly tenantId: string;
  readonly userId: string;
}

/** Names an inbox, or its user, in maps. */
export const inboxKey = ({ tenantId, userId }: InboxAddress): string => `${tenantId.length}:${tenantId}${userId}`;

export const hasRole = (caller: Pick<Caller, 'roles'>, ...roles: string[]): boolean =>
  roles.some((role) => caller.roles.includes(role));
