import { serverUrl } from '../net/server-url.ts';

export interface DemoUser {
  readonly username: string;
  readonly roles: readonly string[];
}

/** What the server tells of itself to everybody. */
export interface ServerInfo {
  readonly version: string;
  /** Null where there are no demo users. */
  readonly demo: { readonly tenant: string; readonly password: string; readonly users: readonly DemoUser[] } | null;
}

/** Null when the server cannot be asked: the page works without it. */
export async function loadServerInfo(): Promise<ServerInfo | null> {
  try {
    const response = await fetch(`${serverUrl}/console.json`);
    return response.ok ? ((await response.json()) as ServerInfo) : null;
  } catch {
    return null;
  }
}
