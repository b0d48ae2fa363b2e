import { createHash } from 'node:crypto';
import { type RateLimiterAbstract, RateLimiterMemory, type RateLimiterRes } from 'rate-limiter-flexible';
import type { Config, Rate } from '../config.ts';
import { CarillonError } from '../errors.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { SharedCounts } from './shared-counts.ts';

export interface LoginLimitsOptions {
  config: Pick<Config, 'rateLimits' | 'loginAttempts' | 'loginAttemptsPerAddress' | 'loginWindow'>;
  /** Where instances count together; each counts for itself without. */
  shared?: SharedCounts | undefined;
  metrics?: Pick<Metrics, 'limited'> | undefined;
}

/** Who tries to log in, and from where. */
export interface Attempt {
  /** Made of the name and the tenant, as they came. */
  name: string;
  address: string;
}

/** No wait is longer, and a day after a wait is over it is forgotten. */
const DAY_S = 86_400;

/**
 * Keys stay few, whatever is tried: each costs a password hash, of which a process makes some ten a second, and is
 * forgotten after LOGIN_WINDOW, or a day after its last wait.
 */
class Failures {
  readonly #limit: 'login_name' | 'login_address';
  readonly #rate: Rate;
  readonly #metrics: LoginLimitsOptions['metrics'];
  /** Failures of the present window; past the limit, until when to wait. */
  readonly #failures: RateLimiterAbstract;
  /** How often each had to wait lately. */
  readonly #waits: RateLimiterAbstract;

  constructor(limit: 'login_name' | 'login_address', rate: Rate, { shared, metrics }: LoginLimitsOptions) {
    this.#limit = limit;
    this.#rate = rate;
    this.#metrics = metrics;
    const create = (name: string, { points, durationMs }: Rate): RateLimiterAbstract => {
      const local = new RateLimiterMemory({ points, duration: Math.ceil(durationMs / 1000) });
      return shared?.limiter(`${limit}:${name}`, { points, durationMs }, local) ?? local;
    };
    this.#failures = create('failures', rate);
    this.#waits = create('waits', { points: 1, durationMs: DAY_S * 1000 });
  }

  /** @throws CarillonError RATE_LIMITED while there is a wait. */
  async check(key: string): Promise<void> {
    const state = await this.#failures.get(digest(key));
    // The local limiter forgets by timers, which may be late.
    if (!state || state.consumedPoints < this.#rate.points || state.msBeforeNext <= 0) return;
    this.#metrics?.limited(this.#limit, 'rest');
    throw tooManyFailures(state);
  }

  /** Counts a failure. The one that reaches the limit begins a wait, and so does each one after it, for twice as long. */
  async add(key: string): Promise<void> {
    const hash = digest(key);
    const hasWaited = (await this.#waits.get(hash)) !== null;
    const { consumedPoints } = await this.#failures.penalty(hash);
    if (consumedPoints < this.#rate.points && !hasWaited) return;
    const { consumedPoints: waits } = await this.#waits.penalty(hash);
    const seconds = Math.min(DAY_S, Math.ceil(this.#rate.durationMs / 1000) * 2 ** (waits - 1));
    await this.#waits.set(hash, waits, seconds + DAY_S);
    await this.#failures.set(hash, this.#rate.points, seconds);
  }

  async forgive(key: string): Promise<void> {
    const hash = digest(key);
    await this.#failures.delete(hash);
    await this.#waits.delete(hash);
  }
}

/** How often somebody may fail to log in: by the name that is tried, and by the address it is tried from. */
export class LoginLimits {
  readonly isOn: boolean;
  readonly #names: Failures;
  readonly #addresses: Failures;

  constructor(options: LoginLimitsOptions) {
    const { rateLimits, loginAttempts, loginAttemptsPerAddress, loginWindow: durationMs } = options.config;
    this.isOn = rateLimits === 'on';
    this.#names = new Failures('login_name', { points: loginAttempts, durationMs }, options);
    this.#addresses = new Failures('login_address', { points: loginAttemptsPerAddress, durationMs }, options);
  }

  /** @throws CarillonError RATE_LIMITED after too many failures. */
  async check({ name, address }: Attempt): Promise<void> {
    if (!this.isOn) return;
    await this.#names.check(name);
    await this.#addresses.check(address);
  }

  async failed({ name, address }: Attempt): Promise<void> {
    if (!this.isOn) return;
    await this.#names.add(name);
    await this.#addresses.add(address);
  }

  /** Forgives the failures of the name. Those of the address stay: whoever tries many names may have one of their own. */
  async succeeded({ name }: Attempt): Promise<void> {
    if (this.isOn) await this.#names.forgive(name);
  }
}

/** Names are long at will, and nobody else's business. */
const digest = (key: string): string => createHash('sha256').update(key).digest('base64url');

const tooManyFailures = ({ msBeforeNext }: RateLimiterRes): CarillonError =>
  new CarillonError('RATE_LIMITED', 'Too many failed logins. Wait before the next one.', {
    retryAfterSeconds: Math.max(1, Math.ceil(msBeforeNext / 1000)),
  });
