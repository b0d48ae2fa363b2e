import type { User } from './session.ts';

export interface Tokens {
  readonly access: string;
  /** Null for a token that was pasted. */
  readonly refresh: string | null;
  readonly user: User;
}

/** What the server answers to a login and to a refresh. */
export interface SessionAnswer {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly user: {
    readonly id: string;
    readonly username: string;
    readonly tenant_id: string;
    readonly roles: readonly string[];
  };
}

export const toTokens = ({ access_token: access, refresh_token: refresh, user }: SessionAnswer): Tokens => ({
  access,
  refresh,
  user: { id: user.id, username: user.username, tenantId: user.tenant_id, roles: user.roles },
});

/** What the tab remembers under this key; null where that is nothing, or cannot be read. */
export function rememberedTokens(key: string): Tokens | null {
  try {
    return JSON.parse(sessionStorage.getItem(key) ?? 'null') as Tokens | null;
  } catch {
    return null;
  }
}
