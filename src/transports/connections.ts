import { CarillonError, shuttingDown, unauthenticated } from '../errors.ts';
import { type Caller, inboxKey } from '../services/caller.ts';

/** Why the server ends a connection that did nothing wrong. */
export type EndReason = 'draining' | 'expired' | 'revoked';

/** What a peer is told whose token has ended. */
export const tokenEnded = { expired: 'The token has expired', revoked: 'The token has been revoked' } as const;

export interface Connection {
  readonly caller: Caller;
  /** Tells the peer, in its protocol's way, and closes. Must not throw. */
  end(reason: EndReason): void;
  /** Breaks it off without a word, so that nothing of it is served any more. */
  cutOff(): void;
}

/** A connection whose caller is not known yet: counted for nobody, but told when the server drains. */
export type Guest = Omit<Connection, 'caller'>;

/** Well under the second within which an expired token must end its connections. */
const EXPIRY_CHECK_MS = 250;

/**
 * The live connections of this instance, of every kind: who has how many, whose token has run out, and whom to tell when
 * the server drains.
 */
export class Connections implements Disposable {
  readonly #most: number;
  readonly #isRevoked: (caller: Caller) => boolean;
  readonly #open = new Set<Connection>();
  readonly #guests = new Set<Guest>();
  readonly #perUser = new Map<string, number>();
  readonly #timer: NodeJS.Timeout;
  #draining = false;
  #emptied: (() => void) | undefined;

  constructor(options: { maxConnectionsPerUser: number; isRevoked: (caller: Caller) => boolean }) {
    this.#most = options.maxConnectionsPerUser;
    this.#isRevoked = options.isRevoked;
    this.#timer = setInterval(() => this.#endExpired(), EXPIRY_CHECK_MS).unref();
  }

  get size(): number {
    return this.#open.size;
  }

  /**
   * @throws CarillonError RATE_LIMITED when the user has as many as allowed; UNAVAILABLE while draining; UNAUTHENTICATED
   * when the token has just expired or been revoked: since it was checked, a subscription may have been made.
   */
  open(connection: Connection): void {
    this.check(connection.caller);
    const user = inboxKey(connection.caller);
    this.#perUser.set(user, (this.#perUser.get(user) ?? 0) + 1);
    this.#open.add(connection);
  }

  /** Whether `open` would take a connection of this caller. @throws CarillonError as `open` does. */
  check(caller: Caller): void {
    this.checkGuest();
    if (caller.expiresAtMs <= Date.now()) throw unauthenticated('The token has expired.');
    if (this.#isRevoked(caller)) throw unauthenticated('The token has been revoked.');
    if ((this.#perUser.get(inboxKey(caller)) ?? 0) < this.#most) return;
    throw new CarillonError('RATE_LIMITED', `At most ${this.#most} connections are allowed at once.`, {
      retryAfterSeconds: 5,
    });
  }

  /** Forgets a connection that has ended; once is enough, more does no harm. */
  closed(connection: Connection): void {
    if (!this.#open.delete(connection)) return;
    const user = inboxKey(connection.caller);
    const count = (this.#perUser.get(user) ?? 1) - 1;
    if (count === 0) this.#perUser.delete(user);
    else this.#perUser.set(user, count);
    this.#checkEmpty();
  }

  /** @throws CarillonError UNAVAILABLE while draining. */
  admit(guest: Guest): void {
    this.checkGuest();
    this.#guests.add(guest);
  }

  /** Forgets a guest whose connection has ended. */
  left(guest: Guest): void {
    if (this.#guests.delete(guest)) this.#checkEmpty();
  }

  /** Lets nobody in any more, tells everybody to go, and resolves when all have gone. */
  async drain(): Promise<void> {
    this.#draining = true;
    if (this.#isEmpty) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#emptied = resolve;
    for (const one of [...this.#open, ...this.#guests]) one.end('draining');
    await promise;
  }

  get #isEmpty(): boolean {
    return this.#open.size === 0 && this.#guests.size === 0;
  }

  #checkEmpty(): void {
    if (this.#isEmpty) this.#emptied?.();
  }

  /** Whether `admit` would take a guest. @throws CarillonError UNAVAILABLE while draining. */
  checkGuest(): void {
    if (!this.#draining) return;
    throw shuttingDown();
  }

  /** Ends the connections whose tokens have been revoked. */
  endRevoked(): void {
    for (const connection of this.#open) if (this.#isRevoked(connection.caller)) connection.end('revoked');
  }

  #endExpired(): void {
    const now = Date.now();
    for (const connection of this.#open) if (connection.caller.expiresAtMs <= now) connection.end('expired');
  }

  /** Cuts off those that did not go when they were told to. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    for (const one of [...this.#open, ...this.#guests]) one.cutOff();
  }
}
