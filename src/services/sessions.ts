import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { z } from 'zod';
import type { Config } from '../config.ts';
import type { MikroORM as Database, EntityManager } from '@mikro-orm/postgresql';
import { CarillonError, notFound, unauthenticated } from '../errors.ts';
import { RefreshToken, Revocation } from '../entities/index.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { reachDatabase } from './database-failure.ts';
import { Lanes } from './lanes.ts';
import { type Attempt, LoginLimits } from './login-limits.ts';
import { check } from './notification-rules.ts';
import { isOutdated, nobodysHash, verifyPassword } from './password.ts';
import type { Revocations } from './revocations.ts';
import type { SharedCounts } from './shared-counts.ts';
import { Slots } from './slots.ts';
import type { Tokens } from './tokens.ts';
import type { UserRecord, Users } from './users.ts';

export interface Session {
  accessToken: string;
  refreshToken: string;
  /** Seconds of life of the access token. */
  expiresIn: number;
  user: UserRecord;
}

export interface Credentials {
  username: string;
  password: string;
  tenantId?: string | undefined;
}

export interface SessionsOptions {
  config: Pick<
    Config,
    'accessTokenTtl' | 'refreshTokenTtl' | 'loginAttempts' | 'loginAttemptsPerAddress' | 'loginWindow' | 'rateLimits'
  >;
  database: Database;
  tokens: Tokens;
  users: Users;
  revocations: Revocations;
  /** See `LoginLimitsOptions`. */
  shared?: SharedCounts | undefined;
  metrics?: Pick<Metrics, 'limited'> | undefined;
}

/** All refresh tokens that came of one login. */
interface Family {
  familyId: string;
  tenantId: string;
  userId: string;
}

const REFRESH_TOKEN_BYTES = 32;

/**
 * Password hashes at once in one process: each takes 12 MiB, and one of the four threads that files and names need too. No
 * more than there are cores, as those beyond would only take longer, and more of the core of the thread that serves.
 */
const MAX_HASHES = Math.min(2, availableParallelism());

/** Logins at once, those that wait for a hash among them: the last one waits for about ten seconds. */
const MAX_UNDER_WAY = 64;
const BUSY_RETRY_S = 5;

/** Anything longer than a field can be is wrong credentials, not a lookup. */
const credentialsRule = z.object({
  username: z.string().max(1024),
  password: z.string().max(4096),
  tenantId: z.string().max(1024).optional(),
});

const digest = (token: string): string => createHash('sha256').update(token).digest('base64url');

const storable = (text: string | undefined): boolean =>
  text === undefined || (!text.includes('\0') && text.isWellFormed());

/** Login with a password, and refresh tokens that are used once each. */
export class Sessions {
  readonly #options: SessionsOptions;
  readonly #limits: LoginLimits;
  readonly #hashes = new Slots(MAX_HASHES);
  #underWay = 0;
  /** By name. */
  readonly #turns = new Lanes();
  /** Verified against when there is no such user, so that the answer takes as long. */
  readonly #nobodysHash = nobodysHash();

  constructor(options: SessionsOptions) {
    this.#options = options;
    this.#limits = new LoginLimits(options);
  }

  /**
   * @throws CarillonError UNAUTHENTICATED with the same words after the same time whether the user exists or not;
   * RATE_LIMITED after too many failures for one name or from one address, and when too many log in at once; NOT_FOUND
   * when this server signs no tokens.
   */
  async login(input: Credentials, address: string): Promise<Session> {
    this.#mustSign();
    const credentials = check(credentialsRule, input);
    const attempt = { name: JSON.stringify([credentials.tenantId ?? null, credentials.username]), address };
    const user = await this.#admitted(async () => {
      // Whoever has to wait takes nobody's place.
      await this.#limits.check(attempt);
      return this.#inTurn(attempt.name, () => this.#hashes.run(() => this.#authenticate(credentials, attempt)));
    });
    const { passwordHash: _, ...record } = user;
    return reachDatabase(this.#issue(this.#options.database.em.fork(), record, randomUUID()));
  }

  async #authenticate({ username, password, tenantId }: Credentials, attempt: Attempt) {
    // Others may have failed meanwhile.
    await this.#limits.check(attempt);
    const known = storable(username) && storable(tenantId);
    const found = known ? await reachDatabase(this.#options.users.byName(username, tenantId)) : undefined;
    const right = await verifyPassword(password, found?.passwordHash ?? this.#nobodysHash);
    if (found && right) {
      await this.#limits.succeeded(attempt);
      if (isOutdated(found.passwordHash)) {
        await reachDatabase(this.#options.users.renewHash(found, password, found.passwordHash));
      }
      return found;
    }
    await this.#limits.failed(attempt);
    throw unauthenticated('The user name or the password is wrong.');
  }

  /**
   * Exchanges a refresh token for a new pair. A token that comes a second time was stolen, or its answer was: the whole
   * family ends, and the thief and the owner both have to log in.
   *
   * @throws CarillonError UNAUTHENTICATED for an unknown, used, expired or revoked token.
   */
  async refresh(refreshToken: string): Promise<Session> {
    this.#mustSign();
    const em = this.#options.database.em.fork();
    const session = await reachDatabase(em.transactional((inside) => this.#exchange(inside, digest(refreshToken))));
    if (!session) {
      await this.#options.revocations.poll();
      throw unauthenticated('The refresh token is not valid.');
    }
    return session;
  }

  /**
   * Ends the session that a refresh token is of: its refresh tokens, its access tokens, and within two seconds its
   * connections on every instance. One that is not known is over already.
   */
  async logout(refreshToken: string): Promise<void> {
    const em = this.#options.database.em.fork();
    await reachDatabase(
      em.transactional(async (inside) => {
        const family = await this.#lockFamily(inside, digest(refreshToken));
        if (family) await this.#endFamily(inside, family);
      }),
    );
    await this.#options.revocations.poll();
  }

  /** The new pair; nothing, and no family any more, when the token is not good for one. */
  async #exchange(em: EntityManager, hash: string): Promise<Session | undefined> {
    const family = await this.#lockFamily(em, hash);
    if (!family) return undefined;
    const unused = { hash, usedAt: null, expiresAt: { $gt: new Date() } };
    const taken = await em.nativeUpdate(RefreshToken, unused, { usedAt: new Date() });
    const link = taken === 1 ? await em.findOne(RefreshToken, { hash }, { refresh: true }) : null;
    const user = link ? await this.#options.users.byId(link.tenantId, link.userId, em) : undefined;
    if (user) return this.#issue(em, user, family.familyId);
    await this.#endFamily(em, family);
    return undefined;
  }

  /** One change of a family at a time: else it could end while a new link of it is being written. */
  async #lockFamily(em: EntityManager, hash: string): Promise<Family | undefined> {
    const family = await em.findOne(RefreshToken, { hash }, { fields: ['familyId', 'tenantId', 'userId'] });
    if (!family) return undefined;
    await em.execute('select pg_advisory_xact_lock(hashtextextended(?, 0))', [family.familyId]);
    const { familyId, tenantId, userId } = family;
    return { familyId, tenantId, userId };
  }

  async #endFamily(em: EntityManager, { familyId, tenantId, userId }: Family): Promise<void> {
    await em.nativeDelete(RefreshToken, { familyId });
    const expiresAt = new Date(Date.now() + this.#options.config.accessTokenTtl);
    await em.insert(Revocation, { id: randomUUID(), tenantId, userId, sessionId: familyId, expiresAt });
  }

  /** Forgets refresh tokens and revocations that have expired. */
  async purge(): Promise<void> {
    const em = this.#options.database.em.fork();
    await em.nativeDelete(RefreshToken, { expiresAt: { $lt: new Date() } });
    await em.nativeDelete(Revocation, { expiresAt: { $lt: new Date() } });
  }

  async #issue(em: EntityManager, user: UserRecord, familyId: string): Promise<Session> {
    const { tokens, config } = this.#options;
    const refreshToken = randomBytes(REFRESH_TOKEN_BYTES).toString('base64url');
    await em.insert(RefreshToken, {
      hash: digest(refreshToken),
      familyId,
      tenantId: user.tenantId,
      userId: user.id,
      expiresAt: new Date(Date.now() + config.refreshTokenTtl),
      usedAt: null,
    });
    const accessToken = tokens.sign({
      tenantId: user.tenantId,
      userId: user.id,
      roles: user.roles,
      sessionId: familyId,
    });
    return { accessToken, refreshToken, expiresIn: Math.ceil(config.accessTokenTtl / 1000), user };
  }

  #mustSign(): void {
    if (!this.#options.tokens.canSign) throw notFound('login here: this server checks tokens of another issuer');
  }

  /** Counts logins under way: those beyond are told at once, instead of waiting for longer than anybody does. */
  async #admitted<T>(login: () => Promise<T>): Promise<T> {
    if (this.#limits.isOn && this.#underWay >= MAX_UNDER_WAY) {
      this.#options.metrics?.limited('login_queue', 'rest');
      throw new CarillonError('RATE_LIMITED', 'Too many logins at once. Wait before the next one.', {
        retryAfterSeconds: BUSY_RETRY_S,
      });
    }
    this.#underWay += 1;
    try {
      return await login();
    } finally {
      this.#underWay -= 1;
    }
  }

  /**
   * Attempts at one name go one after the other: side by side, any number would pass before the first has failed.
   * Without rate limits there is nothing to wait for.
   */
  #inTurn<T>(name: string, attempt: () => Promise<T>): Promise<T> {
    return this.#limits.isOn ? this.#turns.run(name, attempt) : attempt();
  }
}
