import type { Config } from '../config.ts';
import { CarillonError } from '../errors.ts';
import type { LimitedDoor, Limit, Metrics } from '../metrics/metrics.ts';
import { type InboxAddress, inboxKey } from './caller.ts';
import { RateLimit } from './rate-limit.ts';
import type { SharedCounts } from './shared-counts.ts';

export interface RateLimitsOptions {
  config: Pick<Config, 'rateLimits' | 'rateLimitUser' | 'rateLimitTenant' | 'rateLimitAddress'>;
  /** Where instances add up what they have admitted; each counts for itself without. */
  shared?: SharedCounts | undefined;
  metrics: Pick<Metrics, 'limited'>;
}

/** How often what was admitted is told to other instances. */
const SHARE_EVERY_MS = 1000;

/** A point is worth this much of what `MAX_QUERY_COST` measures. */
export const COST_PER_POINT = 1000;

/** Each id of a batch costs as much as a field of the root. */
const COST_PER_ID = 10;

/** What a request of this cost, with so many ids, is worth. At least one. */
export const pointsOf = (cost: number, ids = 0): number =>
  Math.max(1, Math.ceil((cost + COST_PER_ID * ids) / COST_PER_POINT));

export const pointsOfIds = (ids: number): number => pointsOf(0, ids);

const MESSAGES = {
  user: 'This user asks for too much. Wait before the next request.',
  tenant: 'The users of this tenant ask for too much. Wait before the next request.',
  address: 'Too much comes from this address. Wait before the next request.',
} as const satisfies Partial<Record<Limit, string>>;

/**
 * How much users, tenants and addresses may ask of this server. Decides at once, from what this process has counted;
 * nobody waits for Redis. With it, instances add up what they have admitted once a second, and each refuses what is past
 * the sum: together they may admit about a second's worth too much. While Redis is away the limits of each process hold.
 *
 * A limit is a number of points in a window, which begins with the first that is spent. What is refused costs nothing.
 */
export class RateLimits implements Disposable {
  readonly #limits: Readonly<Record<'user' | 'tenant' | 'address', RateLimit>> | undefined;
  readonly #metrics: RateLimitsOptions['metrics'];
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor({ config, shared, metrics }: RateLimitsOptions) {
    this.#metrics = metrics;
    if (config.rateLimits === 'off') return;
    this.#limits = {
      user: new RateLimit('user', config.rateLimitUser, shared),
      tenant: new RateLimit('tenant', config.rateLimitTenant, shared),
      address: new RateLimit('address', config.rateLimitAddress, shared),
    };
    if (shared) this.#shareLater();
  }

  /** Whether anything is counted at all. */
  get isOn(): boolean {
    return this.#limits !== undefined;
  }

  /** A request or an upgrade from this address. @throws CarillonError RATE_LIMITED. */
  spendOfAddress(address: string, door: LimitedDoor): void {
    const limit = this.#limits?.address;
    if (!limit) return;
    const now = Math.round(performance.now());
    const tally = limit.tallies.of(address, now);
    if (!limit.allows(tally, 1, now)) throw this.#refusal('address', limit.waitOf(tally, now), door);
    limit.spend(address, tally, 1);
  }

  /**
   * Something that a user asks for, and that is worth so many points; more than a limit has count as all that it has.
   *
   * @throws CarillonError RATE_LIMITED; then nothing is spent.
   */
  spend(who: InboxAddress, points: number, door: LimitedDoor): void {
    if (!this.#limits) return;
    const { user, tenant } = this.#limits;
    const now = Math.round(performance.now());
    const ofUser = inboxKey(who);
    const tallyOfUser = user.tallies.of(ofUser, now);
    if (!user.allows(tallyOfUser, points, now)) throw this.#refusal('user', user.waitOf(tallyOfUser, now), door);
    const tallyOfTenant = tenant.tallies.of(who.tenantId, now);
    if (!tenant.allows(tallyOfTenant, points, now)) {
      throw this.#refusal('tenant', tenant.waitOf(tallyOfTenant, now), door);
    }
    user.spend(ofUser, tallyOfUser, points);
    tenant.spend(who.tenantId, tallyOfTenant, points);
  }

  #refusal(limit: keyof typeof MESSAGES, waitMs: number, door: LimitedDoor): CarillonError {
    this.#metrics.limited(limit, door);
    return new CarillonError('RATE_LIMITED', MESSAGES[limit], {
      retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1000)),
    });
  }

  #shareLater(): void {
    this.#timer = setTimeout(() => void this.#share(), SHARE_EVERY_MS).unref();
  }

  async #share(): Promise<void> {
    const { user, tenant, address } = this.#limits ?? {};
    for (const limit of [user, tenant, address]) await limit?.share();
    if (!this.#isOver) this.#shareLater();
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }
}
