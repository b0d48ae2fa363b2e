import { CarillonError, type ErrorCode } from '@carillon/client';
import type { PaneId } from '../log/frames.ts';
import type { RecordingFetch } from '../net/recording-fetch.ts';
import { serverUrl } from '../net/server-url.ts';
import { expiryOf, userOf } from './jwt.ts';
import { type Store, createStore } from './store.ts';
import { type SessionAnswer, type Tokens, rememberedTokens, toTokens } from './tokens.ts';

export interface User {
  readonly id: string;
  readonly username: string;
  readonly tenantId: string;
  readonly roles: readonly string[];
}

/** `ended`: the last session ended by itself, so that one has to log in again. */
export type SessionState = { readonly user: User } | { readonly user: null; readonly ended: boolean };

export interface Credentials {
  readonly username: string;
  readonly password: string;
  readonly tenant: string;
}

/** A token that is about to expire is exchanged before it is used. */
const SOON_MS = 5000;

/** Who is logged in to one pane. Tokens are in memory; in sessionStorage as well where the user asks for it. */
export class Session {
  readonly state: Store<SessionState> = createStore<SessionState>({ user: null, ended: false });
  readonly #pane: PaneId;
  readonly #requests: RecordingFetch;
  #tokens: Tokens | null = null;
  #refreshing: Promise<string> | null = null;
  #isKept = false;

  constructor(pane: PaneId, requests: RecordingFetch) {
    this.#pane = pane;
    this.#requests = requests;
    const kept = rememberedTokens(this.#key);
    if (kept === null) return;
    this.#isKept = true;
    this.#take(kept);
  }

  /** @throws CarillonError UNAUTHENTICATED, RATE_LIMITED, UNREACHABLE, … */
  async login({ username, password, tenant }: Credentials, keep: boolean): Promise<void> {
    const body = { username, password, ...(tenant === '' ? {} : { tenant_id: tenant }) };
    const answer = await this.#post<SessionAnswer>('login', body);
    this.#isKept = keep;
    this.#take(toTokens(answer));
  }

  /** @throws CarillonError BAD_USER_INPUT for what is no token */
  paste(token: string, keep: boolean): void {
    const access = token.trim().replace(/^Bearer\s+/i, '');
    const user = userOf(access);
    if (!user) throw new CarillonError('BAD_USER_INPUT', 'This is not a token of Carillon.', { field: 'token' });
    this.#isKept = keep;
    this.#take({ access, refresh: null, user });
  }

  /** The session is over here at once, and on the server as soon as it hears of it. */
  async logout(): Promise<void> {
    const refresh = this.#tokens?.refresh;
    this.#end(false);
    // Where the server cannot be told, its tokens expire by themselves.
    if (refresh) await this.#post('logout', { refresh_token: refresh }).catch(() => {});
  }

  /**
   * The access token, a fresh one when the last was refused or is about to expire.
   *
   * @throws CarillonError UNAUTHENTICATED when the session is over, UNREACHABLE
   */
  token = async ({ refused }: { refused: boolean }): Promise<string> => {
    const tokens = this.#tokens;
    if (!tokens) throw new CarillonError('UNAUTHENTICATED', 'Nobody is logged in.');
    const isFresh = !refused && expiryOf(tokens.access) - Date.now() > SOON_MS;
    if (isFresh || (tokens.refresh === null && !refused)) return tokens.access;
    this.#refreshing ??= this.#refresh(tokens).finally(() => (this.#refreshing = null));
    return this.#refreshing;
  };

  async #refresh(tokens: Tokens): Promise<string> {
    try {
      if (tokens.refresh === null) throw new CarillonError('UNAUTHENTICATED', 'The token is not accepted any more.');
      const fresh = toTokens(await this.#post<SessionAnswer>('refresh', { refresh_token: tokens.refresh }));
      if (this.#tokens !== tokens) throw new CarillonError('UNAUTHENTICATED', 'Nobody is logged in.');
      this.#keep(fresh);
      return fresh.access;
    } catch (error) {
      if (this.#tokens === tokens && (error as CarillonError).code === 'UNAUTHENTICATED') this.#end(true);
      throw error;
    }
  }

  async #post<T>(path: string, body: object): Promise<T> {
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    let response: Response;
    try {
      response = await this.#requests.fetch(`${serverUrl}/api/v1/auth/${path}`, init, this.#pane);
    } catch (cause) {
      throw new CarillonError('UNREACHABLE', 'The server cannot be reached.', { cause });
    }
    const answer = (await response.json().catch(() => ({}))) as T & { reason?: ErrorCode; message?: string };
    if (response.ok) return answer;
    throw new CarillonError(answer.reason ?? 'UNREACHABLE', answer.message ?? `The server answers ${response.status}.`);
  }

  #take(tokens: Tokens): void {
    this.#keep(tokens);
    this.state.set({ user: tokens.user });
  }

  #keep(tokens: Tokens): void {
    this.#tokens = tokens;
    this.#requests.owns(this.#pane, tokens.access, tokens.refresh);
    if (this.#isKept) sessionStorage.setItem(this.#key, JSON.stringify(tokens));
    else sessionStorage.removeItem(this.#key);
  }

  #end(ended: boolean): void {
    this.#tokens = null;
    sessionStorage.removeItem(this.#key);
    this.state.set({ user: null, ended });
  }

  get #key(): string {
    return `carillon.session.${this.#pane}`;
  }
}
