import type { MikroORM as Database } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import type { Logger } from '../logger.ts';
import { asEveryTenant } from '../scope.ts';
import { type Caller, inboxKey } from './caller.ts';
import { milliseconds } from './notification.ts';

/** Half of the two seconds within which revoked tokens must end their connections, on every instance. */
const POLL_MS = 1000;

/** How far back a poll looks: what was written that long ago has been committed and seen. */
const OVERLAP_MS = 30_000;

interface RevocationRow {
  tenant_id: string;
  user_id: string;
  session_id: string | null;
  created_at_ms: number;
  expires_at_ms: number;
}

/**
 * Access tokens that ended before they expire. Whoever revokes writes a row, in the transaction that ends the session or
 * removes the user; every instance reads the new rows once a second. So it needs no broker, works for commands that run
 * beside the server, and an instance that could not read for a while catches up.
 */
export class Revocations implements AsyncDisposable {
  readonly #database: Database;
  readonly #logger: Logger;
  /** By session: when the last of its access tokens has expired. */
  readonly #sessions = new Map<string, number>();
  /** By user: tokens issued before the one moment are revoked, until the other. */
  readonly #users = new Map<string, { before: number; until: number }>();
  readonly #listeners = new Set<() => void>();
  readonly #timer: NodeJS.Timeout;
  #readUpTo = 0;
  #polling: Promise<void> | undefined;
  #pollingAgain: Promise<void> | undefined;

  constructor(database: Database, logger: Logger) {
    this.#database = database;
    this.#logger = logger;
    this.#timer = setInterval(() => void this.poll(), POLL_MS).unref();
  }

  isRevoked({ tenantId, userId, sessionId, issuedAtMs }: Caller): boolean {
    const now = Date.now();
    if (this.#sessions.size === 0 && this.#users.size === 0) return false;
    if (sessionId !== undefined && (this.#sessions.get(sessionId) ?? 0) > now) return true;
    const user = this.#users.get(inboxKey({ tenantId, userId }));
    return user !== undefined && user.until > now && issuedAtMs < user.before;
  }

  /** Called after new revocations have become known. */
  onRevoked(callback: () => void): void {
    this.#listeners.add(callback);
  }

  /**
   * Learns what was revoked until now. Never rejects: after a failure the next poll looks back as far as needed. One
   * that is under way may have read too early for this call: another follows it.
   */
  poll(): Promise<void> {
    if (this.#polling) {
      this.#pollingAgain ??= this.#polling.then(() => {
        this.#pollingAgain = undefined;
        return this.poll();
      });
      return this.#pollingAgain;
    }
    this.#polling = asEveryTenant(() => this.#read())
      .catch((error: unknown) => this.#logger.debug({ err: error }, 'revocations could not be read'))
      .finally(() => {
        this.#polling = undefined;
      });
    return this.#polling;
  }

  async #read(): Promise<void> {
    const since = Math.max(0, this.#readUpTo - OVERLAP_MS);
    const { rows } = await sql<RevocationRow & { now_ms: number }>`
      select r.tenant_id, r.user_id, r.session_id, ${milliseconds('r.created_at')} as created_at_ms,
        ${milliseconds('r.expires_at')} as expires_at_ms, clock.now_ms
      from (select ${milliseconds('now')} as now_ms from (select now() as now) n) clock
      left join revocation r
        on r.created_at >= to_timestamp(${since / 1000}::float8) and r.expires_at > now()
    `.execute(this.#database.em.getConnection().getClient());
    let news = false;
    for (const row of rows) if (row.tenant_id !== null) news = this.#learn(row) || news;
    this.#readUpTo = rows[0]?.now_ms ?? this.#readUpTo;
    this.#forgetExpired();
    if (news) for (const callback of this.#listeners) callback();
  }

  #learn({ tenant_id, user_id, session_id, created_at_ms: before, expires_at_ms: until }: RevocationRow): boolean {
    if (session_id !== null) {
      const known = this.#sessions.has(session_id);
      this.#sessions.set(session_id, until);
      return !known;
    }
    const key = inboxKey({ tenantId: tenant_id, userId: user_id });
    const known = this.#users.get(key);
    if (known && known.before >= before) return false;
    this.#users.set(key, { before, until });
    return true;
  }

  #forgetExpired(): void {
    const now = Date.now();
    for (const [session, until] of this.#sessions) if (until <= now) this.#sessions.delete(session);
    for (const [user, { until }] of this.#users) if (until <= now) this.#users.delete(user);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#listeners.clear();
    await (this.#pollingAgain ?? this.#polling);
  }
}
