import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from '../config.ts';
import { CarillonError } from '../errors.ts';
import type { LimitedDoor, Limit, Metrics } from '../metrics/metrics.ts';
import { type Caller, type InboxAddress, hasRole, inboxKey } from './caller.ts';
import { Lanes } from './lanes.ts';
import { PROMPT_REFUSALS, RateLimit } from './rate-limit.ts';
import type { SharedCounts } from './shared-counts.ts';
import type { Tally } from './tallies.ts';

export interface RateLimitsOptions {
  config: Pick<Config, 'rateLimits' | 'rateLimitUser' | 'rateLimitSender' | 'rateLimitTenant' | 'rateLimitAddress'>;
  /** Where instances add up what they have admitted; each counts for itself without. */
  shared?: SharedCounts | undefined;
  metrics: Pick<Metrics, 'limited'>;
}

/** How often what was admitted is told to other instances. */
const SHARE_EVERY_MS = 1000;

/** A point is worth this much of what `MAX_QUERY_COST` measures: about what a small request or a send takes to serve. */
export const COST_PER_POINT = 100;

/** Of one id of a batch. */
const COST_PER_ID = 2;

/** Values that a notification has. */
const VALUES_PER_ITEM = 12;

const EVENTS_PER_POINT = 10;

/** Listeners of one inbox that are told for nothing. */
const FREE_LISTENERS = 20;
const PUSHES_PER_POINT = 20;

/** A document that is not known yet costs a point for so many characters: it is parsed and validated. */
const CHARACTERS_PER_POINT = 250;

/** A body costs a point for so many bytes. */
const BYTES_PER_POINT = 8192;

/** What it takes to open a WebSocket and to close it. */
export const POINTS_OF_SOCKET = 3;

/** Of a token that is none, to its address, beyond what the request is worth. */
export const POINTS_OF_BAD_TOKEN = 4;

/** What hardly costs anything, such as a ping. */
export const TRIFLE = 0.1;

/** What a request of this cost, with so many ids, is worth. At least one. */
export const pointsOf = (cost: number, ids = 0): number =>
  Math.max(1, Math.ceil((cost + COST_PER_ID * ids) / COST_PER_POINT));

export const pointsOfIds = (ids: number): number => pointsOf(0, ids);

/** What a page of whole notifications is worth. */
export const pointsOfPage = (items: number): number => pointsOf(items * VALUES_PER_ITEM);

/** What so many events are worth that are read back from the log. */
export const pointsOfEvents = (events: number): number => events / EVENTS_PER_POINT;

/** What it is worth to tell so many listeners of one inbox of one event. A user's devices are free. */
export const pointsOfPush = (listeners: number): number => Math.max(0, listeners - FREE_LISTENERS) / PUSHES_PER_POINT;

/** What the text of a document that has to be parsed adds to that. */
export const pointsOfDocument = (characters: number): number => Math.floor(characters / CHARACTERS_PER_POINT);

/** What a body of this size adds to that. */
export const pointsOfBytes = (bytes: number): number => Math.floor(bytes / BYTES_PER_POINT);

/** Who is refused often is answered later, and later each time, so that asking on and on is no faster than waiting. */
const LEAST_HOLD_MS = 1000;
const MORE_HOLD_MS = 25;
const MOST_HOLD_MS = 5000;

/** Those that were refused together are not answered together: when they come back, they come one after the other. */
function holdOf(refusals: number): number {
  const more = refusals - PROMPT_REFUSALS;
  if (more <= 0) return 0;
  return Math.min(LEAST_HOLD_MS + MORE_HOLD_MS * more, MOST_HOLD_MS) * (1 + Math.random() / 2);
}

/** Times that what is paced took, for which it rests; but not for long when the database was away. */
const REST = 3;
const MOST_REST_MS = 250;

/** Of what may be spent at once, the share for which everything is done as soon as it is asked for. */
const PROMPT_SHARE = 0.1;

const isPrompt = (limit: RateLimit, key: string): boolean =>
  limit.shareOf(limit.tallies.of(key, Math.round(performance.now()))) <= PROMPT_SHARE;

/** Who waits for points is looked at again so often: it may have gone. */
const LOOK_MS = 1000;

/** Does something, tells how it went, and is over when it has rested. */
async function withRest<T>(
  work: () => Promise<T>,
  onDone: (result: T) => void,
  onFailure: (reason: unknown) => void,
): Promise<void> {
  const begunMs = performance.now();
  await work().then(onDone, onFailure);
  const restMs = Math.min(REST * (performance.now() - begunMs), MOST_REST_MS);
  await delay(restMs, undefined, { ref: false });
}

/** Whoever spends: of an inbox, and with roles if any are known. */
export type Spender = InboxAddress & Partial<Pick<Caller, 'roles'>>;

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
 * A limit is a bucket of points, which fills steadily. What is refused costs nothing; yet those who go on asking although
 * they are refused are to be answered later, by `holdMs` of the error.
 */
export class RateLimits implements Disposable {
  readonly #limits: Readonly<Record<'user' | 'sender' | 'tenant' | 'address', RateLimit>> | undefined;
  readonly #metrics: RateLimitsOptions['metrics'];
  /** By user: what waits for points, and what is paid for. */
  readonly #waiting = new Lanes();
  readonly #paid = new Lanes();
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor({ config, shared, metrics }: RateLimitsOptions) {
    this.#metrics = metrics;
    if (config.rateLimits === 'off') return;
    this.#limits = {
      user: new RateLimit('user', config.rateLimitUser, shared),
      sender: new RateLimit('sender', config.rateLimitSender, shared),
      tenant: new RateLimit('tenant', config.rateLimitTenant, shared),
      address: new RateLimit('address', config.rateLimitAddress, shared),
    };
    if (shared) this.#shareLater();
  }

  /** Whether anything is counted at all. */
  get isOn(): boolean {
    return this.#limits !== undefined;
  }

  /**
   * A request, an upgrade or a part of one, from this address. It pays for strangers: what turns out to be from a user, who
   * pays then, is given back.
   *
   * @throws CarillonError RATE_LIMITED.
   */
  spendOfAddress(address: string, door: LimitedDoor, points = 1): void {
    const limit = this.#limits?.address;
    if (!limit || points === 0) return;
    const tally = limit.tallies.of(address, Math.round(performance.now()));
    if (!limit.allows(tally, points)) throw this.#refusal('address', limit, tally, points, door);
    limit.spend(address, tally, points);
  }

  /**
   * Something that a user asks for, and that is worth so many points; more than a limit has count as all that it has.
   *
   * @throws CarillonError RATE_LIMITED; then nothing is spent.
   */
  spend(who: Spender, points: number, door: LimitedDoor): void {
    if (!this.#limits || points === 0) return;
    const { tenant } = this.#limits;
    const user = this.#ofUser(who, this.#limits);
    const now = Math.round(performance.now());
    const ofUser = inboxKey(who);
    const tallyOfUser = user.tallies.of(ofUser, now);
    if (!user.allows(tallyOfUser, points)) throw this.#refusal('user', user, tallyOfUser, points, door);
    const tallyOfTenant = tenant.tallies.of(who.tenantId, now);
    if (!tenant.allows(tallyOfTenant, points)) throw this.#refusal('tenant', tenant, tallyOfTenant, points, door);
    user.spend(ofUser, tallyOfUser, points);
    tenant.spend(who.tenantId, tallyOfTenant, points);
  }

  /** Spends these points of an address if it has them. */
  canPay(address: string, points: number): boolean {
    const limit = this.#limits?.address;
    if (!limit) return true;
    const tally = limit.tallies.of(address, Math.round(performance.now()));
    if (!limit.allows(tally, points)) return false;
    limit.spend(address, tally, points);
    return true;
  }

  /** Gives back to an address what a user has paid for. */
  refundAddress(address: string, points: number): void {
    const limit = this.#limits?.address;
    limit?.refund(address, limit.tallies.of(address, Math.round(performance.now())), points);
  }

  /** Counts what has cost an address more than it spent. */
  chargeOfAddress(address: string, points: number): void {
    const limit = this.#limits?.address;
    limit?.charge(address, limit.tallies.of(address, Math.round(performance.now())), points);
  }

  /** Counts what is done for the sake of a user without being asked for just now, or turned out to be worth more. */
  charge(who: Spender, points: number): void {
    if (!this.#limits || points === 0) return;
    const limit = this.#ofUser(who, this.#limits);
    const key = inboxKey(who);
    limit.charge(key, limit.tallies.of(key, Math.round(performance.now())), points);
  }

  #ofUser({ roles }: Spender, { sender, user }: { sender: RateLimit; user: RateLimit }): RateLimit {
    return roles && hasRole({ roles }, 'sender', 'admin') ? sender : user;
  }

  /**
   * Does what a user has paid for: at once, or, for one who has spent more than a tenth of what can be spent at once, one
   * thing after the other with rests as those of `pace`. So a burst of one user is not what everybody else waits for.
   * Services, which have the role `sender`, and admins are trusted with bursts.
   */
  serve<T>(who: Spender, work: () => Promise<T>): Promise<T> {
    if (!this.#limits) return work();
    const limit = this.#ofUser(who, this.#limits);
    const key = inboxKey(who);
    if (limit !== this.#limits.user || isPrompt(limit, key)) return work();
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    void this.#paid.run(key, () => withRest(work, resolve, reject));
    return promise;
  }

  /**
   * Does something for a user, and spends so many points on it, as soon as there are as many; for one user one thing after
   * the other, in the order of the calls, with a rest of three times what it took, a quarter of a second at most, so that what
   * others ask for comes between. When it is its turn and `isWanted` says no, nothing is done, and nothing spent.
   */
  pace<T>(who: InboxAddress, points: number, isWanted: () => boolean, work: () => Promise<T>): Promise<T | undefined> {
    const key = inboxKey(who);
    const { promise, resolve, reject } = Promise.withResolvers<T | undefined>();
    void this.#waiting.run(key, async () => {
      while (isWanted()) {
        const waitMs = this.#isOver ? 0 : this.#take(key, points);
        if (waitMs === 0) return withRest(work, resolve, reject);
        await delay(Math.min(waitMs, LOOK_MS), undefined, { ref: false });
      }
      resolve(undefined);
    });
    return promise;
  }

  /** Spends, or tells how long to wait. */
  #take(key: string, points: number): number {
    const limit = this.#limits?.user;
    if (!limit) return 0;
    const tally = limit.tallies.of(key, Math.round(performance.now()));
    if (!limit.allows(tally, points)) return Math.max(1, limit.waitOf(tally, points));
    limit.spend(key, tally, points);
    return 0;
  }

  #refusal(
    name: keyof typeof MESSAGES,
    limit: RateLimit,
    tally: Tally,
    points: number,
    door: LimitedDoor,
  ): CarillonError {
    this.#metrics.limited(name, door);
    const waitMs = limit.waitOf(tally, points);
    const refusals = limit.refuse(tally);
    return new CarillonError('RATE_LIMITED', MESSAGES[name], {
      retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1000)),
      holdMs: holdOf(refusals),
    });
  }

  #shareLater(): void {
    this.#timer = setTimeout(() => void this.#share(), SHARE_EVERY_MS).unref();
  }

  async #share(): Promise<void> {
    for (const limit of Object.values(this.#limits ?? {})) await limit.share();
    if (!this.#isOver) this.#shareLater();
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }
}
