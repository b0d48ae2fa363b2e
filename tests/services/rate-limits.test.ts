import { setTimeout as delay } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from '@jest/globals';
import type { CarillonError } from '../../src/errors.ts';
import { Metrics } from '../../src/metrics/metrics.ts';
import {
  RateLimits,
  pointsOf,
  pointsOfBytes,
  pointsOfDocument,
  pointsOfEvents,
  pointsOfPage,
  pointsOfPush,
} from '../../src/services/rate-limits.ts';
import { eventually } from '../support/eventually.ts';

const rate = (points: number, durationMs = 3_600_000) => ({ points, durationMs });
const user = (userId: string, tenantId = 'acme') => ({ userId, tenantId });

interface Rates {
  user?: ReturnType<typeof rate>;
  sender?: ReturnType<typeof rate>;
  tenant?: ReturnType<typeof rate>;
  address?: ReturnType<typeof rate>;
  rateLimits?: 'on' | 'off';
}

const limitsOf = ({ rateLimits = 'on', ...rates }: Rates) =>
  new RateLimits({
    config: {
      rateLimits,
      rateLimitUser: rates.user ?? rate(1000),
      rateLimitSender: rates.sender ?? rate(1000),
      rateLimitTenant: rates.tenant ?? rate(1000),
      rateLimitAddress: rates.address ?? rate(1000),
    },
    metrics: new Metrics(),
  });

/** The refusal, if there was one. */
function refusedBy(spend: () => void): CarillonError | undefined {
  try {
    spend();
    return undefined;
  } catch (error) {
    return error as CarillonError;
  }
}

let limits: RateLimits;
const spend = (who: { userId: string; tenantId: string; roles?: string[] }, points = 1) =>
  refusedBy(() => limits.spend(who, points, 'rest'));

describe('a user who waits for points', () => {
  test('spends them as they come, in the order in which they were asked for', async () => {
    limits = limitsOf({ user: rate(10, 1000) });
    expect(spend(user('ada'), 10)).toBeUndefined();
    const order: number[] = [];
    const begin = performance.now();
    await Promise.all(
      [2, 1, 2].map(async (points) =>
        order.push(
          (await limits.pace(
            user('ada'),
            points,
            () => true,
            async () => points,
          ))!,
        ),
      ),
    );
    expect(order).toEqual([2, 1, 2]);
    // A tenth of a second for each, but for what rounding gives.
    expect(performance.now() - begin).toBeGreaterThan(450);
    expect(spend(user('ada'), 6)).toBeDefined();
  });

  test('spends nothing of others, and nothing when it is wanted no more', async () => {
    limits = limitsOf({ user: rate(10) });
    expect(spend(user('ada'), 10)).toBeUndefined();
    const work = async () => 'done';
    expect(await limits.pace(user('uma'), 10, () => true, work)).toBe('done');
    expect(spend(user('uma'))).toBeDefined();
    let isWanted = true;
    const waiting = limits.pace(user('ada'), 1, () => isWanted, work);
    isWanted = false;
    expect(await waiting).toBeUndefined();
    expect(await limits.pace(user('sam'), 1, () => false, work)).toBeUndefined();
    expect(spend(user('sam'), 10)).toBeUndefined();
  });

  test('has one thing done at a time, and goes on after what failed; others do not wait for it', async () => {
    limits = limitsOf({});
    const gate = Promise.withResolvers<void>();
    const begun: string[] = [];
    const does = (name: string, until?: Promise<void>) => async () => {
      begun.push(name);
      await until;
      return name;
    };
    const wanted = () => true;
    const first = limits.pace(user('ada'), 1, wanted, does('first', gate.promise));
    const second = limits.pace(user('ada'), 1, wanted, does('second'));
    expect(await limits.pace(user('uma'), 1, wanted, does('other'))).toBe('other');
    expect(begun).toEqual(['first', 'other']);
    gate.reject(new Error('no database'));
    await expect(first).rejects.toThrow('no database');
    expect(await second).toBe('second');
  });

  test('waits no more when the limits are over', async () => {
    limits = limitsOf({ user: rate(10) });
    expect(spend(user('ada'), 10)).toBeUndefined();
    const waiting = limits.pace(
      user('ada'),
      1,
      () => true,
      async () => 'done',
    );
    limits[Symbol.dispose]();
    expect(await waiting).toBe('done');
  });
});

/** Work that begins when it is told to, notes its name, and lasts until the gate opens. */
function workUntil(gate: Promise<unknown>, begun: string[]) {
  return (name: string) => async (): Promise<string> => {
    begun.push(name);
    await gate;
    return name;
  };
}

describe('what is paid for', () => {
  test('is done at once, beside everything else, for who has spent a tenth at most', async () => {
    limits = limitsOf({ user: rate(100) });
    expect(spend(user('ada'), 10)).toBeUndefined();
    const begun: string[] = [];
    const gate = Promise.withResolvers<void>();
    const does = workUntil(gate.promise, begun);
    const both = [limits.serve(user('ada'), does('first')), limits.serve(user('ada'), does('second'))];
    expect(begun).toEqual(['first', 'second']);
    gate.resolve();
    expect(await Promise.all(both)).toEqual(['first', 'second']);
  });

  test('is done one after the other, with a rest, for who has spent more, and for others meanwhile', async () => {
    limits = limitsOf({ user: rate(100), sender: rate(100) });
    const sender = { ...user('ada'), roles: ['sender'] };
    expect([spend(user('ada'), 11), spend(sender, 11)]).toEqual([undefined, undefined]);
    const begun: string[] = [];
    const gate = Promise.withResolvers<void>();
    const does = workUntil(gate.promise, begun);
    const first = limits.serve(user('ada'), does('first'));
    const second = limits.serve(user('ada'), does('second'));
    const others = [
      limits.serve(user('uma'), does('of uma')),
      limits.serve(user('ada', 'globex'), does('of another tenant')),
      limits.serve(sender, does('of a sender')),
    ];
    await eventually(() => begun.length === 4);
    expect(begun.toSorted()).toEqual(['first', 'of a sender', 'of another tenant', 'of uma']);
    const firstBeganMs = performance.now();
    await delay(20);
    gate.resolve();
    await first;
    const firstTookMs = performance.now() - firstBeganMs;
    await Promise.all([second, ...others]);
    // Timers count in whole milliseconds.
    expect(performance.now() - firstBeganMs).toBeGreaterThan(firstTookMs + 3 * 20 - 2);
  });

  test('is done after what failed, and fails by itself', async () => {
    limits = limitsOf({ user: rate(100) });
    expect(spend(user('ada'), 11)).toBeUndefined();
    const first = limits.serve(user('ada'), () => Promise.reject(new Error('no database')));
    const second = limits.serve(user('ada'), async () => 'second');
    await expect(first).rejects.toThrow('no database');
    expect(await second).toBe('second');
  });

  test('does not wait for what waits for points', async () => {
    limits = limitsOf({ user: rate(100) });
    expect(spend(user('ada'), 100)).toBeUndefined();
    let isWanted = true;
    const waiting = limits.pace(
      user('ada'),
      50,
      () => isWanted,
      async () => 'read',
    );
    expect(await limits.serve(user('ada'), async () => 'served')).toBe('served');
    isWanted = false;
    expect(await waiting).toBeUndefined();
  });

  test('is done at once where there are no limits', async () => {
    limits = limitsOf({ rateLimits: 'off' });
    expect(await limits.serve(user('ada'), async () => 'served')).toBe('served');
  });
});

describe('a user', () => {
  beforeEach(() => {
    limits = limitsOf({ user: rate(3) });
  });

  test('may spend what the limit says, and is then told for how long to wait', () => {
    for (let n = 0; n < 3; n++) expect(spend(user('ada'))).toBeUndefined();
    const refused = spend(user('ada'));
    expect(refused?.code).toBe('RATE_LIMITED');
    // A third of an hour, in which one point comes back.
    expect(refused?.retryAfterSeconds).toBeGreaterThan(1190);
    expect(refused?.retryAfterSeconds).toBeLessThanOrEqual(1200);
    const more = spend(user('ada'), 2);
    expect(more?.retryAfterSeconds).toBeGreaterThan(2390);
    expect(more?.retryAfterSeconds).toBeLessThanOrEqual(2400);
  });

  test('takes nothing from others, also not from one of the same id in another tenant', () => {
    spend(user('ada'), 3);
    expect(spend(user('uma'))).toBeUndefined();
    expect(spend(user('ada', 'globex'))).toBeUndefined();
    expect(spend(user('a', 'acmead'))).toBeUndefined();
  });

  test('spends nothing by what is refused', () => {
    spend(user('ada'), 2);
    expect(spend(user('ada'), 2)).toBeDefined();
    expect(spend(user('ada'), 1)).toBeUndefined();
  });

  test('is served once what is worth more than the whole limit', () => {
    expect(spend(user('ada'), 10)).toBeUndefined();
    expect(spend(user('ada'), 1)).toBeDefined();
  });

  test('is served again when there are points again', async () => {
    limits = limitsOf({ user: rate(1, 1000) });
    expect(spend(user('ada'))).toBeUndefined();
    expect(spend(user('ada'))?.retryAfterSeconds).toBe(1);
    await eventually(() => spend(user('ada')) === undefined);
  });

  test('may spend in small parts', () => {
    for (let n = 0; n < 20; n++) expect(spend(user('ada'), 0.125)).toBeUndefined();
    expect(spend(user('ada'), 0.5)).toBeUndefined();
    expect(spend(user('ada'), 0.125)).toBeDefined();
  });

  test('that goes on asking is answered later, until there are points again', async () => {
    limits = limitsOf({ user: rate(4, 1000) });
    expect(spend(user('ada'), 4)).toBeUndefined();
    const holds = Array.from({ length: 25 }, () => spend(user('ada'), 4)?.holdMs);
    expect(holds.slice(0, 20)).toEqual(Array(20).fill(0));
    for (const [index, holdMs] of holds.slice(20).entries()) {
      const shortest = 1025 + 25 * index;
      expect(holdMs).toBeGreaterThanOrEqual(shortest);
      expect(holdMs).toBeLessThanOrEqual(shortest * 1.5);
    }
    // They are not told together either.
    expect(new Set(holds.slice(20)).size).toBe(5);
    expect(spend(user('uma'), 4)).toBeUndefined();
    expect(spend(user('uma'), 1)?.holdMs).toBe(0);
    await eventually(() => spend(user('ada'), 3) === undefined);
    await eventually(() => spend(user('ada'), 1) === undefined);
  });

  test('with the role sender or admin has a limit of its own', () => {
    limits = limitsOf({ user: rate(3), sender: rate(5) });
    for (const roles of [['sender'], ['admin'], ['other', 'admin']]) {
      const who = { ...user(roles.join()), roles };
      expect([spend(who, 5), spend(who)]).toEqual([undefined, expect.objectContaining({ code: 'RATE_LIMITED' })]);
    }
    expect(spend({ ...user('uma'), roles: ['other'] }, 3)).toBeUndefined();
    expect(spend({ ...user('uma'), roles: ['other'] })).toBeDefined();
  });
});

test('users of a tenant share its limit, and what it refuses is not counted against the user', () => {
  limits = limitsOf({ user: rate(3), tenant: rate(4) });
  expect(spend(user('ada'), 3)).toBeUndefined();
  expect(spend(user('uma'), 2)?.message).toMatch(/tenant/);
  expect(spend(user('uma'), 1)).toBeUndefined();
  expect(spend(user('sam'), 1)).toBeDefined();
  expect(spend(user('sam', 'globex'), 3)).toBeUndefined();
});

test('an address has a limit of its own', () => {
  limits = limitsOf({ address: rate(2) });
  const from = (address: string) => refusedBy(() => limits.spendOfAddress(address, 'upgrade'));
  expect([from('192.0.2.1'), from('192.0.2.1')]).toEqual([undefined, undefined]);
  expect(from('192.0.2.1')?.code).toBe('RATE_LIMITED');
  expect(from('192.0.2.2')).toBeUndefined();
});

test('without rate limits nothing is counted', () => {
  limits = limitsOf({ rateLimits: 'off', user: rate(1), address: rate(1) });
  expect(limits.isOn).toBe(false);
  for (let n = 0; n < 10; n++) {
    expect(spend(user('ada'))).toBeUndefined();
    expect(refusedBy(() => limits.spendOfAddress('192.0.2.1', 'rest'))).toBeUndefined();
  }
});

test('what is large may be worth more of an address', () => {
  limits = limitsOf({ address: rate(10) });
  const from = (points: number) => refusedBy(() => limits.spendOfAddress('192.0.2.1', 'rest', points));
  expect([from(0), from(8), from(3)?.code, from(2), from(0)]).toEqual([
    undefined,
    undefined,
    'RATE_LIMITED',
    undefined,
    undefined,
  ]);
});

test.each([
  [0, 0, 1],
  [12, 0, 1],
  [100, 0, 1],
  [101, 0, 2],
  [10_000, 0, 100],
  [12, 44, 1],
  [12, 1000, 21],
])('a cost of %i with %i ids is worth %i points', (cost, ids, points) => {
  expect(pointsOf(cost, ids)).toBe(points);
});

test('events are worth points where they are many', () => {
  expect([0, 1, 20, 40, 220].map(pointsOfPush)).toEqual([0, 0, 0, 1, 10]);
  expect(pointsOfEvents(50)).toBe(5);
});

test('what an address is given back, or charged beyond, is in its bucket', () => {
  limits = limitsOf({ address: rate(10) });
  const from = (points: number) => refusedBy(() => limits.spendOfAddress('192.0.2.1', 'rest', points));
  limits.refundAddress('192.0.2.1', 5);
  expect([from(8), from(3)?.code]).toEqual([undefined, 'RATE_LIMITED']);
  limits.refundAddress('192.0.2.1', 4);
  expect(from(6)).toBeUndefined();
  limits.refundAddress('192.0.2.1', 2);
  limits.chargeOfAddress('192.0.2.1', 100);
  expect(from(1)?.retryAfterSeconds).toBeLessThanOrEqual(360);
});

test('a page, a text and a body are worth points by their size', () => {
  expect([1, 20, 100].map(pointsOfPage)).toEqual([1, 3, 12]);
  expect([249, 250, 12_345].map(pointsOfDocument)).toEqual([0, 1, 49]);
  expect([8191, 8192, 2 ** 20].map(pointsOfBytes)).toEqual([0, 1, 128]);
});
