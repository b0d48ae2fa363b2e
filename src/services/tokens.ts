import { type KeyObject, createPublicKey, createSecretKey, randomUUID } from 'node:crypto';
import jwt, { type Algorithm, type JwtHeader } from 'jsonwebtoken';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import type { Config } from '../config.ts';
import { CarillonError, unauthenticated } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { Caller } from './caller.ts';
import { Jwks } from './jwks.ts';
import { idRule } from './notification-rules.ts';

export type TokenConfig = Pick<
  Config,
  | 'jwtSecret'
  | 'jwtPreviousSecrets'
  | 'jwtPublicKey'
  | 'jwtJwksUrl'
  | 'jwtAlgorithms'
  | 'jwtClockTolerance'
  | 'jwtIssuer'
  | 'jwtAudience'
  | 'accessTokenTtl'
>;

/** Each curve has an algorithm of its own (RFC 7518 section 3.4). */
const CURVES: Readonly<Record<string, string>> = { prime256v1: 'ES256', secp384r1: 'ES384', secp521r1: 'ES512' };

/** A key answers only for algorithms of its own kind: a public key must never serve as an HMAC secret. */
function answersFor(key: KeyObject, algorithm: string): boolean {
  if (key.type === 'secret') return algorithm.startsWith('HS');
  if (key.asymmetricKeyType === 'rsa') return algorithm.startsWith('RS') || algorithm.startsWith('PS');
  return CURVES[key.asymmetricKeyDetails?.namedCurve ?? ''] === algorithm;
}

/** Tokens whose caller is remembered: of those who asked last. */
const MAX_REMEMBERED = 10_000;

/** A key that is taken back holds no longer than this, whatever was remembered. */
const REMEMBERED_MS = 300_000;

interface Remembered {
  readonly caller: Caller;
  readonly untilMs: number;
}

/** Longer ones are no tokens, and are not even parsed. */
const MAX_TOKEN_CHARACTERS = 8192;

/** What every refused token is told: which check failed is nobody's business but the log's. */
const REFUSED = 'The token is not valid.';

const rolesRule = z.array(z.string()).catch([]);
const claimsRule = z.object({
  user_id: idRule('The user.').optional(),
  sub: z.string().optional(),
  tenant_id: idRule('The tenant.'),
  exp: z.number(),
  iat: z.number().optional().catch(undefined),
  sid: z.string().optional().catch(undefined),
  roles: rolesRule.optional(),
  metadata: z.object({ roles: rolesRule.optional() }).optional().catch(undefined),
  scope: z.string().optional().catch(undefined),
});
const subjectRule = idRule('The user.');

export interface TokenSubject {
  tenantId: string;
  userId: string;
  roles: readonly string[];
  /** The login that the token comes of: ending that ends the token. */
  sessionId?: string;
}

/** Verifies the JWTs of all doors and signs those of login. */
export class Tokens {
  readonly #config: TokenConfig;
  readonly #logger: Logger;
  readonly #secret: KeyObject | undefined;
  /** Everything that a token may be signed with, beside the keys of the JWKS address. */
  readonly #keys: readonly KeyObject[];
  readonly #jwks: Jwks | undefined;
  readonly #remembered = new LRUCache<string, Remembered>({ max: MAX_REMEMBERED });

  constructor(config: TokenConfig, logger: Logger) {
    this.#config = config;
    this.#logger = logger;
    // A string would be tried as a public key first, at twice the cost of everything else.
    const secretOf = (text: string): KeyObject => createSecretKey(Buffer.from(text));
    this.#secret = config.jwtSecret === undefined ? undefined : secretOf(config.jwtSecret);
    this.#keys = [
      ...(this.#secret ? [this.#secret] : []),
      ...(config.jwtPreviousSecrets ?? []).map(secretOf),
      ...(config.jwtPublicKey ?? []).map((pem) => createPublicKey(pem)),
    ];
    this.#jwks = config.jwtJwksUrl === undefined ? undefined : new Jwks(config.jwtJwksUrl);
  }

  /** Whether this server can sign: else login is switched off. */
  get canSign(): boolean {
    return this.#secret !== undefined;
  }

  /**
   * The caller that a token names. With `remember` it is not checked again for up to five minutes, which is for callers
   * that ask often; whether it was revoked is not known here, and is for the caller of this to ask each time.
   *
   * @throws CarillonError UNAUTHENTICATED, in the same words whatever is wrong, or UNAVAILABLE when the JWKS address
   * does not answer.
   */
  async verify(token: string | undefined, { remember = false } = {}): Promise<Caller> {
    if (!token) throw unauthenticated('A token is needed.');
    const known = this.#remembered.get(token);
    if (known && known.untilMs > Date.now()) return known.caller;
    const caller = await this.#verifyAnew(token);
    if (remember) {
      const untilMs = Math.min(caller.expiresAtMs, Date.now() + REMEMBERED_MS);
      this.#remembered.set(token, { caller, untilMs });
    }
    return caller;
  }

  async #verifyAnew(token: string): Promise<Caller> {
    try {
      if (token.length > MAX_TOKEN_CHARACTERS) throw new Error('too long');
      return await this.#verify(token);
    } catch (error) {
      if (error instanceof CarillonError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      this.#logger.debug({ reason }, 'a token was refused');
      throw unauthenticated(error instanceof jwt.TokenExpiredError ? 'The token has expired.' : REFUSED);
    }
  }

  async #verify(token: string): Promise<Caller> {
    const decoded = jwt.decode(token, { complete: true });
    if (!decoded) throw new Error('not a JWT');
    const payload = await this.#payload(token, decoded.header);
    const claims = claimsRule.parse(payload);
    return {
      tenantId: claims.tenant_id,
      userId: claims.user_id ?? subjectRule.parse(claims.sub),
      roles: claims.roles ?? claims.metadata?.roles ?? claims.scope?.split(' ').filter(Boolean) ?? [],
      expiresAtMs: claims.exp * 1000 + this.#config.jwtClockTolerance,
      issuedAtMs: (claims.iat ?? 0) * 1000,
      sessionId: claims.sid,
    };
  }

  async #payload(token: string, header: JwtHeader): Promise<unknown> {
    // RFC 7515 section 4.1.11: extensions that are not understood must be refused, and none is understood.
    if (header.crit !== undefined) throw new Error('a critical header');
    const algorithm = this.#config.jwtAlgorithms.find((name) => name === header.alg);
    if (!algorithm) throw new Error('an algorithm that is not allowed');
    for (const key of this.#keys.filter((one) => answersFor(one, algorithm))) {
      try {
        return this.#check(token, key, algorithm);
      } catch (error) {
        // It may be of another of the keys.
        if ((error as Error).message !== 'invalid signature') throw error;
      }
    }
    const key = await this.#jwksKey(algorithm, header.kid);
    if (!key || !answersFor(key, algorithm)) throw new Error('no key for this token');
    return this.#check(token, key, algorithm);
  }

  #check(token: string, key: KeyObject, algorithm: Algorithm): unknown {
    const { jwtIssuer, jwtAudience, jwtClockTolerance } = this.#config;
    return jwt.verify(token, key, {
      algorithms: [algorithm],
      clockTolerance: Math.round(jwtClockTolerance / 1000),
      ...(jwtIssuer === undefined ? {} : { issuer: jwtIssuer }),
      ...(jwtAudience === undefined ? {} : { audience: jwtAudience }),
    });
  }

  async #jwksKey(algorithm: Algorithm, kid: string | undefined): Promise<KeyObject | undefined> {
    if (!this.#jwks || algorithm.startsWith('HS')) return undefined;
    try {
      return await this.#jwks.find(kid, algorithm);
    } catch (error) {
      this.#logger.warn({ err: error }, 'the JWKS address does not answer');
      throw new CarillonError('UNAVAILABLE', 'Tokens cannot be checked right now.', {
        retryAfterSeconds: 2,
        cause: error,
      });
    }
  }

  /** Signs an access token. @throws Error when there is no JWT_SECRET; ask `canSign` first. */
  sign({ tenantId, userId, roles, sessionId }: TokenSubject, ttlMs = this.#config.accessTokenTtl): string {
    if (!this.#secret) throw new Error('JWT_SECRET is not set');
    const { jwtIssuer, jwtAudience } = this.#config;
    const claims = {
      user_id: userId,
      tenant_id: tenantId,
      ...(roles.length > 0 ? { roles } : {}),
      ...(sessionId ? { sid: sessionId } : {}),
    };
    return jwt.sign(claims, this.#secret, {
      algorithm: 'HS256',
      subject: userId,
      expiresIn: Math.ceil(ttlMs / 1000),
      jwtid: randomUUID(),
      ...(jwtIssuer === undefined ? {} : { issuer: jwtIssuer }),
      ...(jwtAudience === undefined ? {} : { audience: jwtAudience }),
    });
  }
}
