import { backoffMs } from './backoff.ts';
import { CHANGES, DELETE, MARK_ALL_READ, MARK_READ, MARK_UNREAD, PAGE, SEND } from './documents.ts';
import type { CarillonError } from './errors.ts';
import { type TokenSource, post } from './http.ts';
import { type Change, InboxLog } from './log.ts';
import { Socket } from './socket.ts';
import type { ConnectionStatus, InboxEvent, InboxSnapshot, Notification, Page, SendInput } from './types.ts';

/** Most that the server gives at once. */
const MAX_PAGE = 100;

export interface InboxOptions {
  /** Where Carillon is, such as `https://bell.example.com`. In a browser, the page's own origin when absent. */
  url?: string;
  token: TokenSource;
  /** Notifications of one page, 1 to 100; 20 when absent. */
  pageSize?: number;
  /** For environments without a global WebSocket, or to look at what goes over it. */
  webSocketImpl?: unknown;
}

/** One user's inbox, kept equal to the server's while connected. Made with `createInbox`. */
export interface Inbox {
  /** The same object until something changes. */
  readonly getSnapshot: () => InboxSnapshot;
  /** Calls back after each change of the snapshot; answers with a function that ends it. */
  readonly subscribe: (listener: () => void) => () => void;
  /** Calls back for each notification that comes, in order, also for those that came during a lost connection. */
  onAdded(listener: (notification: Notification) => void): () => void;
  /** Connects, and comes back by itself after each loss. While it waits for the next attempt, makes it at once. */
  connect(): void;
  /** Ends the connection. What was loaded stays, and `connect` goes on from there. */
  disconnect(): void;
  /** Loads the next older page; does nothing when there is none, or it is on its way. */
  loadMore(): Promise<void>;
  /** These are shown at once, and taken back when the server refuses them or cannot be reached. */
  markRead(id: string): Promise<void>;
  markUnread(id: string): Promise<void>;
  /** Everything that is shown now, and older; what comes meanwhile stays unread. */
  markAllRead(): Promise<void>;
  delete(id: string): Promise<void>;
  /** Answers after the server has stored it. */
  send(input: SendInput): Promise<Notification>;
  /** Any query or mutation as this user; answers with its `data`. */
  request<T>(query: string, variables?: object): Promise<T>;
}

/**
 * An inbox that is not connected yet. All its methods that answer with a promise reject with a `CarillonError`; nothing
 * is ever thrown out of a callback.
 */
export function createInbox(options: InboxOptions): Inbox {
  return new LiveInbox(options);
}

class LiveInbox implements Inbox {
  readonly #endpoint: string;
  readonly #options: InboxOptions;
  readonly #pageSize: number;
  readonly #log = new InboxLog();
  readonly #listeners = new Set<() => void>();
  readonly #added = new Set<(notification: Notification) => void>();
  #snapshot: InboxSnapshot | null = null;
  #status: ConnectionStatus = 'idle';
  #retryAt: number | null = null;
  #error: Error | null = null;
  #isLoadingMore = false;
  #run: AbortController | null = null;
  #wake: () => void = () => {};
  #telling: ReturnType<typeof setTimeout> | undefined;

  constructor(options: InboxOptions) {
    const url = options.url ?? globalThis.location?.origin;
    if (!url) throw new TypeError('createInbox needs the url of the server.');
    this.#endpoint = `${url.replace(/\/+$/, '')}/graphql`;
    this.#options = options;
    this.#pageSize = Math.min(Math.max(options.pageSize ?? 20, 1), MAX_PAGE);
  }

  getSnapshot = (): InboxSnapshot => {
    this.#snapshot ??= {
      status: this.#status,
      retryAt: this.#retryAt,
      error: this.#error,
      ...this.#log.view,
      hasMore: this.#log.end !== null,
      isLoading: this.#log.cursor === null && this.#status !== 'idle',
      isLoadingMore: this.#isLoadingMore,
    };
    return this.#snapshot;
  };

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  onAdded(listener: (notification: Notification) => void): () => void {
    this.#added.add(listener);
    return () => this.#added.delete(listener);
  }

  connect(): void {
    this.#wake();
    if (this.#run) return;
    this.#run = new AbortController();
    void this.#stayConnected(this.#run.signal);
  }

  disconnect(): void {
    this.#run?.abort();
    this.#run = null;
    this.#wake();
    this.#changed({ status: 'idle', retryAt: null, error: null });
  }

  async loadMore(): Promise<void> {
    const after = this.#log.end;
    if (after === null || this.#isLoadingMore) return;
    this.#isLoadingMore = true;
    this.#changed({});
    const recording = this.#log.record();
    try {
      const { notifications } = await this.request<PageAnswer>(PAGE, { first: MAX_PAGE, after });
      this.#log.append(notifications, recording);
    } finally {
      this.#log.discard(recording);
      this.#isLoadingMore = false;
      this.#changed({});
    }
  }

  async markRead(id: string): Promise<void> {
    await this.#change({ kind: 'read', id }, MARK_READ, { id });
  }

  async markUnread(id: string): Promise<void> {
    await this.#change({ kind: 'unread', id }, MARK_UNREAD, { id });
  }

  async markAllRead(): Promise<void> {
    const upTo = this.#log.view.items[0]?.cursor;
    if (upTo !== undefined) await this.#change({ kind: 'readAll' }, MARK_ALL_READ, { upTo });
  }

  async delete(id: string): Promise<void> {
    await this.#change({ kind: 'delete', id }, DELETE, { id });
  }

  async send(input: SendInput): Promise<Notification> {
    const idempotencyKey = input.idempotencyKey ?? crypto.randomUUID();
    const { send } = await this.request<{ send: Notification }>(SEND, { input: { ...input, idempotencyKey } });
    return send;
  }

  request<T>(query: string, variables: object = {}): Promise<T> {
    return post<T>(this.#endpoint, this.#options.token, query, variables);
  }

  async #change(change: Change, mutation: string, variables: object): Promise<void> {
    const pending = this.#log.begin(change);
    this.#changed({});
    try {
      const [answer] = Object.values(await this.request<Record<string, { cursor: string }>>(mutation, variables));
      this.#log.settle(pending, answer?.cursor ?? '');
    } catch (error) {
      this.#log.revert(pending);
      throw error;
    } finally {
      this.#changed({});
    }
  }

  /** Loads the first page and follows the log, again and again, until the signal aborts. */
  async #stayConnected(signal: AbortSignal): Promise<void> {
    const socket = new Socket({ ...this.#options, endpoint: this.#endpoint });
    const isOnline = (): void => this.#wake();
    globalThis.addEventListener?.('online', isOnline);
    let failures = 0;
    while (!signal.aborted) {
      try {
        this.#changed({ status: 'connecting', retryAt: null });
        await this.#follow(socket, signal, () => (failures = 0));
      } catch (error) {
        if (signal.aborted) break;
        failures += 1;
        const waitMs = Math.max(backoffMs(failures), ((error as CarillonError).retryAfter ?? 0) * 1000);
        this.#changed({ status: 'offline', retryAt: Date.now() + waitMs, error: error as Error });
        await this.#pause(waitMs);
      }
    }
    globalThis.removeEventListener?.('online', isOnline);
    socket.close();
  }

  /** Resolves when the stream ends in good order, also when it has to begin anew. */
  async #follow(socket: Socket, signal: AbortSignal, onLive: () => void): Promise<void> {
    if (this.#log.cursor === null) await this.#loadFirst(socket, signal);
    if (signal.aborted) return;
    let isReset = false;
    await socket.follow(
      CHANGES,
      { after: this.#log.cursor },
      {
        signal,
        onStart: () => {
          onLive();
          this.#log.forgetAnswered();
          this.#changed({ status: 'live', retryAt: null, error: null });
        },
        next: (data) => {
          const event = data['inboxChanged'] as InboxEvent;
          isReset = event.__typename === 'InboxReset';
          if (!isReset) this.#take(event);
          return !isReset;
        },
      },
    );
    if (isReset && !signal.aborted) await this.#loadFirst(socket, signal);
  }

  async #loadFirst(socket: Socket, signal: AbortSignal): Promise<void> {
    const first = Math.min(Math.max(this.#pageSize, this.#log.view.items.length), MAX_PAGE);
    const { notifications } = await socket.query<PageAnswer>(PAGE, { first }, signal);
    this.#log.reset(notifications);
    this.#changed({ error: null });
  }

  #take(event: InboxEvent): void {
    this.#log.apply(event);
    this.#changedByEvent();
    if (event.__typename !== 'NotificationAdded') return;
    for (const listener of this.#added) listener(event.notification);
  }

  #pause(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, waitMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Events that come in a rush are told together: showing an inbox takes far longer than taking in an event. */
  #changedByEvent(): void {
    this.#snapshot = null;
    this.#telling ??= setTimeout(() => this.#changed({}));
  }

  #changed(change: { status?: ConnectionStatus; retryAt?: number | null; error?: Error | null }): void {
    this.#status = change.status ?? this.#status;
    if (change.retryAt !== undefined) this.#retryAt = change.retryAt;
    if (change.error !== undefined) this.#error = change.error;
    this.#snapshot = null;
    clearTimeout(this.#telling);
    this.#telling = undefined;
    for (const listener of this.#listeners) listener();
  }
}

interface PageAnswer {
  readonly notifications: Page;
}
