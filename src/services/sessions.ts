import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { RateLimiterMemory, type RateLimiterRes } from 'rate-limiter-flexible';
import { z } from 'zod';
import type { Config } from '../config.ts';
import type { MikroORM as Database } from '@mikro-orm/postgresql';
import { CarillonError, notFound, unauthenticated } from '../errors.ts';
import { RefreshToken } from '../entities/index.ts';
import { reachDatabase } from './database-failure.ts';
import { check } from './notification-rules.ts';
import { hashPassword, verifyPassword } from './password.ts';
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
  config: Pick<Config, 'accessTokenTtl' | 'refreshTokenTtl' | 'loginAttempts' | 'loginWindow' | 'rateLimits'>;
  database: Database;
  tokens: Tokens;
  users: Users;
}

const REFRESH_TOKEN_BYTES = 32;

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
  readonly #failures: RateLimiterMemory;
  /** Verified against when there is no such user, so that the answer takes as long. */
  readonly #nobodysHash: Promise<string>;

  constructor(options: SessionsOptions) {
    this.#options = options;
    const { loginAttempts, loginWindow } = options.config;
    this.#failures = new RateLimiterMemory({ points: loginAttempts, duration: Math.ceil(loginWindow / 1000) });
    this.#nobodysHash = hashPassword(randomUUID());
    // Awaited at the first login; until then a failure must not end the process.
    this.#nobodysHash.catch(() => {});
  }

  /**
   * @throws CarillonError UNAUTHENTICATED with the same words after the same time whether the user exists or not;
   * RATE_LIMITED after too many failures for one name; NOT_FOUND when this server signs no tokens.
   */
  async login(input: Credentials): Promise<Session> {
    this.#mustSign();
    const { username, password, tenantId } = check(credentialsRule, input);
    const attempt = JSON.stringify([tenantId ?? null, username]);
    await this.#mayTry(attempt);
    const known = storable(username) && storable(tenantId);
    const user = known ? await reachDatabase(this.#options.users.byName(username, tenantId)) : undefined;
    const right = await verifyPassword(password, user?.passwordHash ?? (await this.#nobodysHash));
    if (!user || !right) {
      if (this.#options.config.rateLimits === 'on') await this.#failures.penalty(attempt);
      throw unauthenticated('The user name or the password is wrong.');
    }
    await this.#failures.delete(attempt);
    const { passwordHash: _, ...record } = user;
    return this.#issue(record, randomUUID());
  }

  /**
   * Exchanges a refresh token for a new pair. A token that comes a second time was stolen, or its answer was: the whole
   * family ends, and the thief and the owner both have to log in.
   *
   * @throws CarillonError UNAUTHENTICATED for an unknown, used, expired or revoked token.
   */
  async refresh(refreshToken: string): Promise<Session> {
    this.#mustSign();
    const hash = digest(refreshToken);
    const em = this.#options.database.em.fork();
    // One statement decides who is first, whatever comes at the same time.
    const unused = { hash, usedAt: null, expiresAt: { $gt: new Date() } };
    const taken = await reachDatabase(em.nativeUpdate(RefreshToken, unused, { usedAt: new Date() }));
    const link = await reachDatabase(em.findOne(RefreshToken, { hash }));
    const user =
      link && taken === 1 ? await reachDatabase(this.#options.users.byId(link.tenantId, link.userId)) : undefined;
    if (!link || !user) {
      if (link) await reachDatabase(em.nativeDelete(RefreshToken, { familyId: link.familyId }));
      throw unauthenticated('The refresh token is not valid.');
    }
    return this.#issue(user, link.familyId);
  }

  /** Forgets refresh tokens that have expired. */
  async purge(): Promise<void> {
    await this.#options.database.em.fork().nativeDelete(RefreshToken, { expiresAt: { $lt: new Date() } });
  }

  async #issue(user: UserRecord, familyId: string): Promise<Session> {
    const { tokens, config, database } = this.#options;
    const refreshToken = randomBytes(REFRESH_TOKEN_BYTES).toString('base64url');
    await reachDatabase(
      database.em.fork().insert(RefreshToken, {
        hash: digest(refreshToken),
        familyId,
        tenantId: user.tenantId,
        userId: user.id,
        expiresAt: new Date(Date.now() + config.refreshTokenTtl),
        usedAt: null,
      }),
    );
    const accessToken = tokens.sign({ tenantId: user.tenantId, userId: user.id, roles: user.roles });
    return { accessToken, refreshToken, expiresIn: Math.ceil(config.accessTokenTtl / 1000), user };
  }

  #mustSign(): void {
    if (!this.#options.tokens.canSign) throw notFound('login here: this server checks tokens of another issuer');
  }

  async #mayTry(attempt: string): Promise<void> {
    if (this.#options.config.rateLimits === 'off') return;
    const state: RateLimiterRes | null = await this.#failures.get(attempt);
    if (state && state.consumedPoints >= this.#options.config.loginAttempts) {
      throw new CarillonError('RATE_LIMITED', 'Too many failed logins. Wait before the next one.', {
        retryAfterSeconds: Math.max(1, Math.ceil(state.msBeforeNext / 1000)),
      });
    }
  }
}
