import type { CarillonError, ConnectionStatus } from '@carillon/client';
import { type Store, createStore } from '../state/store.ts';
import { Resume } from './resume.ts';
import { serverUrl } from './server-url.ts';

export interface LegacyState {
  readonly status: ConnectionStatus;
  /** ms since the epoch; null unless `offline`. */
  readonly retryAt: number | null;
  /** As the socket last told. */
  readonly unreadCount: number | null;
  /** Of the last notification that it brought; it comes back with it. */
  readonly cursor: string | null;
}

interface Message {
  readonly type: string;
  readonly timestamp: string;
  readonly unread_count?: number;
  readonly code?: string;
  readonly notification?: { readonly cursor: string; readonly created_at: string };
}

export interface LegacyOptions {
  token: (context: { refused: boolean }) => Promise<string>;
  webSocketImpl: typeof WebSocket;
  /** The cursor to begin with, where one is known: what comes after it is not missed in a loss before the first push. */
  firstCursor: () => string | null;
}

/** The token has expired, or was revoked. */
const REFUSED = 4401;
const FIRST_WAIT_MS = 500;
const MOST_WAIT_MS = 30_000;

/** The raw socket of one user. After a loss it comes back with its last cursor, until `disconnect`. */
export class LegacyConnection {
  readonly state: Store<LegacyState> = createStore<LegacyState>({
    status: 'idle',
    retryAt: null,
    unreadCount: null,
    cursor: null,
  });
  readonly resume = new Resume();
  readonly #options: LegacyOptions;
  #socket: WebSocket | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;
  /** Changes with each connect and disconnect, so that what was on its way for the last one is dropped. */
  #attempt = 0;

  constructor(options: LegacyOptions) {
    this.#options = options;
  }

  /** While it waits for the next attempt, makes it at once. */
  connect = (): void => {
    if (this.#socket !== null) return;
    if (this.state.get().cursor === null) this.#change({ cursor: this.#options.firstCursor() });
    void this.#open(false);
  };

  disconnect = (): void => {
    this.#attempt += 1;
    clearTimeout(this.#timer);
    this.#socket?.close(1000);
    this.#socket = null;
    this.#failures = 0;
    this.#change({ status: 'idle', retryAt: null });
  };

  ping = (): void => this.#socket?.send('{"type":"ping"}');

  async #open(refused: boolean): Promise<void> {
    clearTimeout(this.#timer);
    const attempt = ++this.#attempt;
    this.#change({ status: 'connecting', retryAt: null });
    let token: string;
    try {
      token = await this.#options.token({ refused });
    } catch (error) {
      if (attempt === this.#attempt && (error as CarillonError).code !== 'UNAUTHENTICATED') this.#wait(refused);
      return;
    }
    if (attempt !== this.#attempt) return;
    const { cursor } = this.state.get();
    const query = new URLSearchParams({ token, ...(cursor === null ? {} : { since: cursor }) });
    const address = `${serverUrl.replace(/^http/, 'ws')}/api/v1/notifications/ws?${query.toString()}`;
    const socket = new this.#options.webSocketImpl(address);
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => this.#take(JSON.parse(String(data)) as Message));
    socket.addEventListener('close', ({ code }) => {
      if (socket !== this.#socket) return;
      this.#socket = null;
      this.#wait(code === REFUSED);
    });
  }

  #wait(refused: boolean): void {
    this.resume.lost();
    this.#failures += 1;
    const full = Math.min(FIRST_WAIT_MS * 2 ** (this.#failures - 1), MOST_WAIT_MS);
    const waitMs = full / 2 + (Math.random() * full) / 2;
    this.#change({ status: 'offline', retryAt: Date.now() + waitMs });
    this.#timer = setTimeout(() => void this.#open(refused), waitMs);
  }

  #take({ type, timestamp, unread_count: unreadCount, notification, code }: Message): void {
    if (type === 'welcome') {
      this.#failures = 0;
      this.resume.live(Date.parse(timestamp));
      this.#change({ status: 'live', retryAt: null });
    }
    // A cursor that is of no use any more.
    if (type === 'error' && code === 'BAD_USER_INPUT') this.#change({ cursor: null });
    if (unreadCount !== undefined) this.#change({ unreadCount });
    if (type !== 'notification' || !notification) return;
    this.#change({ cursor: notification.cursor });
    this.resume.added(notification.created_at);
  }

  #change(change: Partial<LegacyState>): void {
    this.state.set({ ...this.state.get(), ...change });
  }
}
