import { describe, expect, test } from '@jest/globals';
import { Tallies } from '../../src/services/tallies.ts';

const DURATION_MS = 1000;

describe('tallies', () => {
  test('begin with the first use of a key, and anew when the window is over', () => {
    const tallies = new Tallies(DURATION_MS);
    const tally = tallies.of('a', 100);
    expect(tally).toMatchObject({ spent: 0, endsAtMs: 1100 });
    tally.spent = 7;
    expect(tallies.of('a', 1099).spent).toBe(7);
    expect(tallies.of('a', 1100)).toMatchObject({ spent: 0, endsAtMs: 2100 });
  });

  test('of 100,000 made-up keys are no more than twice as many as a generation holds', () => {
    const tallies = new Tallies(DURATION_MS, 1000);
    for (let n = 0; n < 100_000; n++) tallies.of(`made up ${n}`, 0).spent = 1;
    expect(tallies.size).toBeLessThanOrEqual(2000);
  });

  test('are at most 100,000 as the server keeps them', () => {
    const tallies = new Tallies(DURATION_MS);
    for (let n = 0; n < 250_000; n++) tallies.of(`made up ${n}`, 0).spent = 1;
    expect(tallies.size).toBeLessThanOrEqual(100_000);
  });

  test('that are used are not forgotten for the sake of made-up keys', () => {
    const tallies = new Tallies(DURATION_MS, 1000);
    for (let n = 0; n < 100_000; n++) {
      tallies.of(`made up ${n}`, 0).spent = 1;
      if (n % 500 === 0) tallies.of('in use', 0).spent += 1;
    }
    expect(tallies.of('in use', 0).spent).toBe(200);
  });

  test('that nobody uses are forgotten when two windows are over', () => {
    const tallies = new Tallies(DURATION_MS);
    for (let n = 0; n < 100; n++) tallies.of(`made up ${n}`, 0);
    for (const now of [DURATION_MS, 2 * DURATION_MS]) tallies.of(`used at ${now}`, now);
    expect(tallies.size).toBe(2);
  });
});
