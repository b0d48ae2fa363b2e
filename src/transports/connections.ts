import { CarillonError, unauthenticated } from '../errors.ts';
import type { Caller } from '../services/caller.ts';

/** Why the server ends a connection that did nothing wrong. */
export type EndReason = 'draining' | 'expired';

export interface Connection {
  readonly caller: Caller;
  /** Tells the peer, in its protocol's way, and closes. Must not throw. */
  end(reason: EndReason): void;
}

/** Well under the second within which an expired token must end its connections. */
const EXPIRY_CHECK_MS = 250;

/**
 * The live connections of this instance, of every kind: who has how many, whose token has run out, and whom to tell when
 * the server drains.
 */
export class Connections implements Disposable {
  readonly #most: number;
  readonly #open = new Set<Connection>();
  readonly #perUser = new Map<string, number>();
  readonly #timer: NodeJS.Timeout;
  #draining = false;
  #emptied: (() => void) | undefined;

  constructor(options: { maxConnectionsPerUser: number }) {
    this.#most = options.maxConnectionsPerUser;
    this.#timer = setInterval(() => this.#endExpired(), EXPIRY_CHECK_MS).unref();
  }

  get size(): number {
    return this.#open.size;
  }

  /**
   * @throws CarillonError RATE_LIMITED when the user has as many as allowed; UNAVAILABLE while draining; UNAUTHENTICATED
   * when the token has just expired.
   */
  open(connection: Connection): void {
    if (this.#draining) {
      throw new CarillonError('UNAVAILABLE', 'This server is shutting down. Connect again.', { retryAfterSeconds: 1 });
    }
    if (connection.caller.expiresAtMs <= Date.now()) throw unauthenticated('The token has expired.');
    const user = userKey(connection.caller);
    const count = this.#perUser.get(user) ?? 0;
    if (count >= this.#most) {
      throw new CarillonError('RATE_LIMITED', `At most ${this.#most} connections are allowed at once.`, {
        retryAfterSeconds: 5,
      });
    }
    this.#perUser.set(user, count + 1);
    this.#open.add(connection);
  }

  /** Forgets a connection that has ended; once is enough, more does no harm. */
  closed(connection: Connection): void {
    if (!this.#open.delete(connection)) return;
    const user = userKey(connection.caller);
    const count = (this.#perUser.get(user) ?? 1) - 1;
    if (count === 0) this.#perUser.delete(user);
    else this.#perUser.set(user, count);
    if (this.#open.size === 0) this.#emptied?.();
  }

  /** Lets nobody in any more, tells everybody to go, and resolves when all have gone. */
  async drain(): Promise<void> {
    this.#draining = true;
    if (this.#open.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#emptied = resolve;
    for (const connection of [...this.#open]) connection.end('draining');
    await promise;
  }

  #endExpired(): void {
    const now = Date.now();
    for (const connection of this.#open) if (connection.caller.expiresAtMs <= now) connection.end('expired');
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

const userKey = ({ tenantId, userId }: Caller): string => `${tenantId.length}:${tenantId}${userId}`;
