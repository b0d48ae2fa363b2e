import type { ApolloClient } from '@apollo/client';
import { print } from 'graphql';
import { type Client, createClient } from 'graphql-ws';
import { ReceiptsDocument, type ReceiptsSubscription } from '../operations/generated.ts';
import { serverUrl } from './server-url.ts';

export interface ReceiptsOptions {
  apollo: ApolloClient;
  token: (context: { refused: boolean }) => Promise<string>;
  webSocketImpl: typeof WebSocket;
}

/** Keeps "was it read" of what the user sent up to date in Apollo's cache, from a cursor on. */
export class Receipts {
  readonly #options: ReceiptsOptions;
  #client: Client | null = null;
  #cursor: string | null = null;

  constructor(options: ReceiptsOptions) {
    this.#options = options;
  }

  /** Follows from this cursor on; a second call changes nothing. */
  follow(cursor: string): void {
    if (this.#client) return;
    this.#cursor ??= cursor;
    const { token, webSocketImpl } = this.#options;
    let refused = false;
    this.#client = createClient({
      url: `${serverUrl.replace(/^http/, 'ws')}/graphql`,
      webSocketImpl,
      retryAttempts: Number.POSITIVE_INFINITY,
      shouldRetry: () => true,
      connectionParams: async () => ({ authorization: `Bearer ${await token({ refused })}` }),
      on: {
        connected: () => (refused = false),
        closed: (event) => (refused = (event as { code?: number }).code === 4403),
      },
    });
    const at = (): string | null => this.#cursor;
    this.#client.subscribe<ReceiptsSubscription>(
      {
        query: print(ReceiptsDocument),
        variables: {
          // Asked for at each connection.
          get after() {
            return at();
          },
        },
      },
      { next: ({ data }) => data && this.#take(data), error: () => this.stop(), complete: () => {} },
    );
  }

  stop(): void {
    void this.#client?.dispose();
    this.#client = null;
  }

  #take({ receipts: { cursor, notificationId, read, readAt } }: ReceiptsSubscription): void {
    this.#cursor = cursor;
    const { cache } = this.#options.apollo;
    cache.modify({
      id: `SentNotification:${notificationId}`,
      fields: {
        isRead: () => read,
        readAt: () => readAt,
      },
    });
  }
}
