import { type Client, createClient } from 'graphql-ws';
import { fromSocket, fromWire } from './errors.ts';
import { type TokenSource, bearer } from './http.ts';

/** A server from which nothing is heard is asked for a sign of life this often; */
const PING_MS = 10_000;
/** and is taken for lost when it gives none for so long. */
const PONG_MS = 5000;

export interface SocketOptions {
  endpoint: string;
  token: TokenSource;
  webSocketImpl?: unknown;
}

/**
 * Operations on one graphql-transport-ws socket, which is opened at once, and again for the next one after a loss. It does not
 * retry: its user does.
 */
export class Socket {
  readonly #client: Client;
  readonly #onAck = new Set<() => void>();
  #refused = false;
  #acknowledged = false;

  constructor({ endpoint, token, webSocketImpl }: SocketOptions) {
    let overdue: ReturnType<typeof setTimeout> | undefined;
    this.#client = createClient({
      url: endpoint.replace(/^http/, 'ws'),
      webSocketImpl,
      // Else it would be closed between one operation and the next.
      lazy: false,
      retryAttempts: 0,
      keepAlive: PING_MS,
      connectionParams: async () => ({ authorization: await bearer(token, this.#refused) }),
      onNonLazyError: () => {},
      on: {
        connected: () => {
          this.#refused = false;
          this.#acknowledged = true;
          for (const callback of this.#onAck) callback();
        },
        closed: (event) => {
          clearTimeout(overdue);
          this.#acknowledged = false;
          this.#refused = (event as { code?: number }).code === 4403;
        },
        ping: (received) => {
          if (!received) overdue = setTimeout(() => this.#client.terminate(), PONG_MS);
        },
        pong: (received) => {
          if (received) clearTimeout(overdue);
        },
      },
    });
  }

  /** One query. @throws CarillonError */
  query<T>(query: string, variables: Record<string, unknown>, signal: AbortSignal): Promise<T> {
    let stop = (): void => {};
    return new Promise<T>((resolve, reject) => {
      let data: T | undefined;
      stop = this.#client.subscribe<T>(
        { query, variables },
        {
          next: (result) => {
            if (result.errors) reject(fromWire(result.errors));
            else data = result.data ?? undefined;
          },
          error: (reason) => reject(fromSocket(reason)),
          complete: () => (data === undefined ? reject(fromWire([])) : resolve(data)),
        },
      );
      signal.addEventListener('abort', stop);
    }).finally(() => signal.removeEventListener('abort', stop));
  }

  /**
   * One subscription. Resolves when the server completes it, `next` answers with false, or the signal aborts.
   * `onStart` is called as soon as it has been asked for.
   *
   * @throws CarillonError when it is refused, or the connection is lost
   */
  follow(
    query: string,
    variables: Record<string, unknown>,
    {
      onStart,
      next,
      signal,
    }: { onStart: () => void; next: (data: Record<string, unknown>) => boolean; signal: AbortSignal },
  ): Promise<void> {
    this.#onAck.add(onStart);
    if (this.#acknowledged) onStart();
    let stop = (): void => {};
    return new Promise<void>((resolve, reject) => {
      stop = this.#client.subscribe(
        { query, variables },
        {
          next: (result) => {
            if (result.errors) reject(fromWire(result.errors));
            else if (result.data && !next(result.data)) stop();
          },
          error: (reason) => reject(fromSocket(reason)),
          complete: resolve,
        },
      );
      signal.addEventListener('abort', stop);
    }).finally(() => {
      signal.removeEventListener('abort', stop);
      this.#onAck.delete(onStart);
    });
  }

  close(): void {
    void this.#client.dispose();
  }
}
