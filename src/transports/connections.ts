import { CarillonError, shuttingDown, unauthenticated } from '../errors.ts';
import type { Door } from '../metrics/door-meter.ts';
import type { Limit, LimitedDoor, Metrics } from '../metrics/metrics.ts';
import { type Caller, type InboxAddress, inboxKey } from '../services/caller.ts';
import { Counts } from './counts.ts';

/** Why the server ends a connection that did nothing wrong. */
export type EndReason = 'draining' | 'expired' | 'revoked';

/** What a peer is told whose token has ended. */
export const tokenEnded = { expired: 'The token has expired', revoked: 'The token has been revoked' } as const;

export interface Connection {
  readonly door: Door;
  readonly caller: Caller;
  /** By which connections from one place are counted. */
  readonly address: string;
  /** Tells the peer, in its protocol's way, and closes. Must not throw. */
  end(reason: EndReason): void;
  /** Breaks it off without a word, so that nothing of it is served any more. */
  cutOff(): void;
}

/** A connection whose caller is not known yet: counted for its address alone, and told when the server drains. */
export type Guest = Omit<Connection, 'caller'>;

export interface ConnectionsOptions {
  maxConnectionsPerUser: number;
  /** Any number when absent; so for addresses. */
  maxConnectionsPerTenant?: number;
  maxConnectionsPerAddress?: number;
  isRevoked: (caller: Caller) => boolean;
  metrics: Metrics;
  /** Told how many connections a user has from now on, and had until now. Must not throw. */
  onCount?: (user: InboxAddress, connections: number, before: number) => void;
}

/** Well under the second within which an expired token must end its connections. */
const EXPIRY_CHECK_MS = 250;

/** What is said to whoever has as many connections as are allowed. */
const REFUSALS = {
  user_connections: 'connections are allowed at once',
  tenant_connections: 'connections of one tenant are allowed at once',
  address_connections: 'connections from one address are allowed at once',
} as const satisfies Partial<Record<Limit, string>>;

/** After so many seconds some connection may have ended. */
const RETRY_AFTER_S = 5;

/**
 * The live connections of this instance, of every kind: who has how many, whose token has run out, and whom to tell when
 * the server drains.
 */
export class Connections implements Disposable {
  readonly #most: Readonly<Record<'user' | 'tenant' | 'address', number>>;
  readonly #isRevoked: (caller: Caller) => boolean;
  readonly #metrics: Metrics;
  readonly #onCount: ConnectionsOptions['onCount'];
  /** With the moment at which each began, in whole milliseconds of `performance.now()`: small numbers take no room of their own. */
  readonly #open = new Map<Connection, number>();
  readonly #guests = new Set<Guest>();
  readonly #perUser = new Counts();
  readonly #perTenant = new Counts();
  readonly #perAddress = new Counts();
  readonly #timer: NodeJS.Timeout;
  #draining = false;
  #emptied: (() => void) | undefined;

  constructor(options: ConnectionsOptions) {
    this.#most = {
      user: options.maxConnectionsPerUser,
      tenant: options.maxConnectionsPerTenant ?? Infinity,
      address: options.maxConnectionsPerAddress ?? Infinity,
    };
    this.#isRevoked = options.isRevoked;
    this.#metrics = options.metrics;
    this.#onCount = options.onCount;
    this.#timer = setInterval(() => this.#endExpired(), EXPIRY_CHECK_MS).unref();
  }

  get size(): number {
    return this.#open.size;
  }

  /**
   * Takes a connection; a guest, which is none from then on, keeps its place.
   *
   * @throws CarillonError RATE_LIMITED when the user, the tenant or the address has as many as allowed; UNAVAILABLE while
   * draining; UNAUTHENTICATED when the token has just expired or been revoked: since it was checked, a subscription may
   * have been made.
   */
  open(connection: Connection): void {
    const { caller, door, address } = connection;
    const isGuest = this.#guests.has(connection);
    if (!isGuest) this.checkAddress(address, door);
    this.check(caller, door);
    if (isGuest) this.#guests.delete(connection);
    else this.#perAddress.add(address);
    this.#perTenant.add(caller.tenantId);
    const count = this.#perUser.add(inboxKey(caller));
    this.#open.set(connection, Math.round(performance.now()));
    this.#metrics.doors[door].opened();
    this.#metrics.onlineUsers = this.#perUser.size;
    this.#onCount?.(caller, count, count - 1);
  }

  /** Every user with connections, once, and how many. */
  *present(): Generator<[InboxAddress, number]> {
    const told = new Set<string>();
    for (const { caller } of this.#open.keys()) {
      const user = inboxKey(caller);
      if (told.has(user)) continue;
      told.add(user);
      yield [caller, this.#perUser.of(user)];
    }
  }

  /** Whether `open` would take a connection of this caller. @throws CarillonError as `open` does. */
  check(caller: Caller, door: LimitedDoor): void {
    this.#checkDraining();
    if (caller.expiresAtMs <= Date.now()) throw unauthenticated('The token has expired.');
    if (this.#isRevoked(caller)) throw unauthenticated('The token has been revoked.');
    if (this.#perUser.of(inboxKey(caller)) >= this.#most.user) throw this.#refusal('user', door);
    if (this.#perTenant.of(caller.tenantId) >= this.#most.tenant) throw this.#refusal('tenant', door);
  }

  /** Whether there is room for one more from this address. @throws CarillonError RATE_LIMITED; UNAVAILABLE while draining. */
  checkAddress(address: string, door: LimitedDoor): void {
    this.#checkDraining();
    if (this.#perAddress.of(address) >= this.#most.address) throw this.#refusal('address', door);
  }

  #refusal(of: 'user' | 'tenant' | 'address', door: LimitedDoor): CarillonError {
    const limit = `${of}_connections` as const;
    this.#metrics.limited(limit, door);
    return new CarillonError('RATE_LIMITED', `At most ${this.#most[of]} ${REFUSALS[limit]}.`, {
      retryAfterSeconds: RETRY_AFTER_S,
    });
  }

  /** Forgets a connection that has ended; once is enough, more does no harm. */
  closed(connection: Connection): void {
    const beganAtMs = this.#open.get(connection);
    if (beganAtMs === undefined) return;
    this.#open.delete(connection);
    this.#perAddress.remove(connection.address);
    this.#perTenant.remove(connection.caller.tenantId);
    const count = this.#perUser.remove(inboxKey(connection.caller));
    this.#metrics.doors[connection.door].closed(performance.now() - beganAtMs);
    this.#metrics.onlineUsers = this.#perUser.size;
    this.#onCount?.(connection.caller, count, count + 1);
    this.#checkEmpty();
  }

  /** @throws CarillonError RATE_LIMITED when the address has as many as allowed; UNAVAILABLE while draining. */
  admit(guest: Guest): void {
    this.checkAddress(guest.address, guest.door);
    this.#guests.add(guest);
    this.#perAddress.add(guest.address);
  }

  /** Forgets a guest whose connection has ended. */
  left(guest: Guest): void {
    if (!this.#guests.delete(guest)) return;
    this.#perAddress.remove(guest.address);
    this.#checkEmpty();
  }

  /** Lets nobody in any more, tells everybody to go, and resolves when all have gone. */
  async drain(): Promise<void> {
    this.#draining = true;
    if (this.#isEmpty) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#emptied = resolve;
    for (const one of [...this.#open.keys(), ...this.#guests]) one.end('draining');
    await promise;
  }

  get #isEmpty(): boolean {
    return this.#open.size === 0 && this.#guests.size === 0;
  }

  #checkEmpty(): void {
    if (this.#isEmpty) this.#emptied?.();
  }

  #checkDraining(): void {
    if (!this.#draining) return;
    throw shuttingDown();
  }

  /** Ends the connections whose tokens have been revoked. */
  endRevoked(): void {
    for (const connection of this.#open.keys()) if (this.#isRevoked(connection.caller)) connection.end('revoked');
  }

  #endExpired(): void {
    const now = Date.now();
    for (const connection of this.#open.keys()) if (connection.caller.expiresAtMs <= now) connection.end('expired');
  }

  /** Cuts off those that did not go when they were told to. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    for (const one of [...this.#open.keys(), ...this.#guests]) one.cutOff();
  }
}
