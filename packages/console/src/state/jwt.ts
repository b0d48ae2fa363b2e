import type { User } from './session.ts';

interface Claims {
  readonly user_id?: string;
  readonly sub?: string;
  readonly tenant_id?: string;
  readonly roles?: unknown;
  readonly metadata?: { readonly roles?: unknown };
  readonly scope?: unknown;
  readonly exp?: number;
}

/** What a token says of its bearer. It is not verified: the server does that. `null` when it is no JWT of Carillon. */
export function userOf(token: string): User | null {
  const claims = claimsOf(token);
  const id = claims?.user_id ?? claims?.sub;
  if (claims === null || typeof id !== 'string' || typeof claims.tenant_id !== 'string') return null;
  const roles = [claims.roles, claims.metadata?.roles].find(Array.isArray) as unknown[] | undefined;
  const scope = typeof claims.scope === 'string' ? claims.scope.split(' ') : [];
  return {
    id,
    username: id,
    tenantId: claims.tenant_id,
    roles: (roles ?? scope).filter((role) => typeof role === 'string'),
  };
}

/** When it expires, in ms since the epoch. */
export function expiryOf(token: string): number {
  return (claimsOf(token)?.exp ?? Number.POSITIVE_INFINITY) * 1000;
}

function claimsOf(token: string): Claims | null {
  try {
    const part = (token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(part), (character) => character.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes)) as Claims;
  } catch {
    return null;
  }
}
