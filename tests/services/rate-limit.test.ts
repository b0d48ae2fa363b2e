import { describe, expect, test } from '@jest/globals';
import { PROMPT_REFUSALS, RateLimit } from '../../src/services/rate-limit.ts';

/** A hundred points a second, so 25 of them in what may be spent at once by those who are held short. */
const RATE = { points: 1000, durationMs: 10_000 };

describe('who goes on asking although nothing is left', () => {
  /** Tries to spend so many points at that moment, and tells whether it did. */
  function begin() {
    const limit = new RateLimit('user', RATE);
    const spend = (points: number, atMs: number): boolean => {
      const tally = limit.tallies.of('ada', atMs);
      const isAllowed = limit.allows(tally, points);
      if (isAllowed) limit.spend('ada', tally, points);
      else limit.refuse(tally);
      return isAllowed;
    };
    expect(spend(RATE.points, 0)).toBe(true);
    return { limit, spend };
  }

  test('gets what comes back, as long as it is not refused too often', () => {
    const { spend } = begin();
    for (let n = 0; n < PROMPT_REFUSALS; n++) expect(spend(1, 0)).toBe(false);
    expect(spend(100, 1000)).toBe(true);
    expect(spend(1, 1000)).toBe(false);
  });

  test('cannot save it up', () => {
    const { spend } = begin();
    for (let n = 0; n <= PROMPT_REFUSALS; n++) spend(1, 0);
    expect([spend(25, 4000), spend(1, 4000)]).toEqual([true, false]);
    expect([spend(25, 4500), spend(1, 4500)]).toEqual([true, false]);
  });

  test('still gets all that comes back when it asks in time', () => {
    const { spend } = begin();
    for (let n = 0; n <= PROMPT_REFUSALS; n++) spend(1, 0);
    let spent = 0;
    for (let atMs = 0; atMs <= 4000; atMs += 100) while (spend(1, atMs)) spent += 1;
    expect(spent).toBe(400);
  });

  test('may spend more at once by one request, and waits the longer afterwards', () => {
    const { limit, spend } = begin();
    for (let n = 0; n <= PROMPT_REFUSALS; n++) spend(1, 0);
    expect(limit.waitOf(limit.tallies.of('ada', 0), 125)).toBe(250);
    expect(spend(125, 250)).toBe(true);
    expect(limit.waitOf(limit.tallies.of('ada', 250), 1)).toBe(1010);
    expect([spend(1, 1250), spend(1, 1260)]).toEqual([false, true]);
  });

  test('is forgiven when it has not been refused for half the time in which the bucket fills', () => {
    const { spend } = begin();
    for (let n = 0; n <= PROMPT_REFUSALS; n++) spend(1, 0);
    expect(spend(500, 5000)).toBe(true);
    expect([spend(100, 6000), spend(1, 6000)]).toEqual([true, false]);
  });
});

test('what is less than a quarter of a second’s worth is ten points at once', () => {
  const limit = new RateLimit('user', { points: 20, durationMs: 60_000 });
  const at = (atMs: number) => limit.tallies.of('ada', atMs);
  limit.spend('ada', at(0), 20);
  for (let n = 0; n <= PROMPT_REFUSALS; n++) limit.refuse(at(0));
  expect(limit.waitOf(at(0), 20)).toBe(30_000);
  expect([limit.allows(at(29_000), 9), limit.allows(at(29_000), 10)]).toEqual([true, false]);
});

test('of tenths, which are not exact, as many are allowed as there are within one moment', () => {
  const limit = new RateLimit('user', { points: 4, durationMs: 3_600_000 });
  const tally = limit.tallies.of('ada', 0);
  limit.spend('ada', tally, 3);
  let spent = 0;
  for (; spent < 20 && limit.allows(tally, 0.1); spent++) limit.spend('ada', tally, 0.1);
  expect(spent).toBe(10);
  expect(limit.allows(tally, 0.1)).toBe(false);
});
