import { type KeyObject, createPublicKey } from 'node:crypto';
import { z } from 'zod';

/** Keys are asked for again after this long, so that one that was withdrawn stops working. */
const FRESH_MS = 600_000;

/** While the address does not answer, keys that it gave no longer ago than this go on working. */
const STALE_MS = 3_600_000;

/** Whoever makes up key ids makes us ask; no more often than this within `BUDGET_WINDOW_MS`. */
const MAX_REQUESTS = 10;
const BUDGET_WINDOW_MS = 60_000;

const TIMEOUT_MS = 3000;

const answerRule = z.object({ keys: z.array(z.record(z.string(), z.unknown())) });
const keyRule = z.object({
  kty: z.enum(['RSA', 'EC']),
  kid: z.string().optional(),
  use: z.literal('sig').optional(),
  alg: z
    .string()
    .regex(/^(RS|PS|ES)(256|384|512)$/)
    .optional(),
});

interface Key {
  kid: string | undefined;
  /** The only algorithm that it is for; any of its kind when absent. */
  alg: string | undefined;
  key: KeyObject;
}

/** Keys that can check signatures; what is of another kind, or broken, is passed over (RFC 7517 section 5). */
function usable(jwk: Record<string, unknown>): Key[] {
  const described = keyRule.safeParse(jwk);
  if (!described.success) return [];
  try {
    return [{ kid: described.data.kid, alg: described.data.alg, key: createPublicKey({ key: jwk, format: 'jwk' }) }];
  } catch {
    return [];
  }
}

/**
 * The public keys of another issuer (RFC 7517), asked for as they are needed: all who wait share one request, a key id
 * that is not known yet is looked for at once, and nobody waits for the budget of requests.
 */
export class Jwks {
  readonly #url: string;
  #keys: readonly Key[] = [];
  #fetchedAtMs = Number.NEGATIVE_INFINITY;
  #requestedAtMs: number[] = [];
  #refreshing: Promise<void> | undefined;

  constructor(url: string) {
    this.#url = url;
  }

  /**
   * The key of that id for that algorithm; without an id the only one that there is. `undefined` when there is none.
   *
   * @throws Error when the address does not answer with keys.
   */
  async find(kid: string | undefined, algorithm: string): Promise<KeyObject | undefined> {
    const known = this.#known(kid, algorithm);
    const ageMs = Date.now() - this.#fetchedAtMs;
    if (known && ageMs < FRESH_MS) return known;
    try {
      await this.#refresh();
    } catch (error) {
      if (known && ageMs < STALE_MS) return known;
      throw error;
    }
    return this.#known(kid, algorithm);
  }

  #known(kid: string | undefined, algorithm: string): KeyObject | undefined {
    const kind = algorithm.startsWith('ES') ? 'ec' : 'rsa';
    const ofKind = this.#keys.filter(({ alg = algorithm, key }) => key.asymmetricKeyType === kind && alg === algorithm);
    if (kid === undefined) return ofKind.length === 1 ? ofKind[0]?.key : undefined;
    return ofKind.find((one) => one.kid === kid)?.key;
  }

  async #refresh(): Promise<void> {
    this.#refreshing ??= this.#request().finally(() => {
      this.#refreshing = undefined;
    });
    await this.#refreshing;
  }

  async #request(): Promise<void> {
    const now = Date.now();
    this.#requestedAtMs = this.#requestedAtMs.filter((atMs) => now - atMs < BUDGET_WINDOW_MS);
    if (this.#requestedAtMs.length >= MAX_REQUESTS) {
      if (now - this.#fetchedAtMs < FRESH_MS) return;
      throw new Error(`${this.#url} was asked ${MAX_REQUESTS} times within a minute`);
    }
    this.#requestedAtMs.push(now);
    const response = await fetch(this.#url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!response.ok) throw new Error(`${this.#url} answered ${response.status}`);
    const keys = answerRule.parse(await response.json()).keys.flatMap(usable);
    if (keys.length === 0) throw new Error(`${this.#url} has no keys for signatures`);
    this.#keys = keys;
    this.#fetchedAtMs = now;
  }
}
