import { beforeEach, describe, expect, test } from '@jest/globals';
import type { CarillonError } from '../../src/errors.ts';
import { Metrics } from '../../src/metrics/metrics.ts';
import { RateLimits, pointsOf } from '../../src/services/rate-limits.ts';
import { eventually } from '../support/eventually.ts';

const rate = (points: number, durationMs = 3_600_000) => ({ points, durationMs });
const user = (userId: string, tenantId = 'acme') => ({ userId, tenantId });

interface Rates {
  user?: ReturnType<typeof rate>;
  tenant?: ReturnType<typeof rate>;
  address?: ReturnType<typeof rate>;
  rateLimits?: 'on' | 'off';
}

const limitsOf = ({ rateLimits = 'on', ...rates }: Rates) =>
  new RateLimits({
    config: {
      rateLimits,
      rateLimitUser: rates.user ?? rate(1000),
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
const spend = (who: { userId: string; tenantId: string }, points = 1) =>
  refusedBy(() => limits.spend(who, points, 'rest'));

describe('a user', () => {
  beforeEach(() => {
    limits = limitsOf({ user: rate(3) });
  });

  test('may spend what the limit says, and is then told for how long to wait', () => {
    for (let n = 0; n < 3; n++) expect(spend(user('ada'))).toBeUndefined();
    const refused = spend(user('ada'));
    expect(refused?.code).toBe('RATE_LIMITED');
    expect(refused?.retryAfterSeconds).toBeGreaterThan(3590);
    expect(refused?.retryAfterSeconds).toBeLessThanOrEqual(3600);
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

  test('is served again when the window is over', async () => {
    limits = limitsOf({ user: rate(1, 1000) });
    expect(spend(user('ada'))).toBeUndefined();
    expect(spend(user('ada'))?.retryAfterSeconds).toBe(1);
    await eventually(() => spend(user('ada')) === undefined);
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

test.each([
  [0, 0, 1],
  [12, 0, 1],
  [1000, 0, 1],
  [1001, 0, 2],
  [20_000, 0, 20],
  [12, 98, 1],
  [12, 1000, 11],
])('a cost of %i with %i ids is worth %i points', (cost, ids, points) => {
  expect(pointsOf(cost, ids)).toBe(points);
});
