import { describe, expect, test } from '@jest/globals';
import { Tallies } from '../../src/services/tallies.ts';

const DURATION_MS = 1000;
const RATE = { points: 100, durationMs: DURATION_MS };

describe('tallies', () => {
  test('begin full, and fill steadily', () => {
    const tallies = new Tallies(RATE);
    const tally = tallies.of('a', 100);
    expect(tally).toMatchObject({ spent: 0, atMs: 100 });
    tally.spent = 70;
    expect(tallies.of('a', 200).spent).toBe(60);
    expect(tallies.of('a', 205).spent).toBe(59.5);
    expect(tallies.of('a', 795).spent).toBe(0.5);
    expect(tallies.of('a', 5000).spent).toBe(0);
  });

  test('of 100,000 made-up keys are no more than twice as many as a generation holds', () => {
    const tallies = new Tallies(RATE, 1000);
    for (let n = 0; n < 100_000; n++) tallies.of(`made up ${n}`, 0).spent = 1;
    expect(tallies.size).toBeLessThanOrEqual(2000);
  });

  test('are at most 100,000 as the server keeps them', () => {
    const tallies = new Tallies(RATE);
    for (let n = 0; n < 250_000; n++) tallies.of(`made up ${n}`, 0).spent = 1;
    expect(tallies.size).toBeLessThanOrEqual(100_000);
  });

  test('that are used are not forgotten for the sake of made-up keys', () => {
    const tallies = new Tallies(RATE, 1000);
    for (let n = 0; n < 100_000; n++) {
      tallies.of(`made up ${n}`, 0).spent = 1;
      if (n % 500 === 0) tallies.of('in use', 0).spent += 1;
    }
    expect(tallies.of('in use', 0).spent).toBe(200);
  });

  test('that nobody uses are forgotten when they are full again', () => {
    const tallies = new Tallies(RATE);
    for (let n = 0; n < 100; n++) tallies.of(`made up ${n}`, 0);
    for (const now of [DURATION_MS, 2 * DURATION_MS]) tallies.of(`used at ${now}`, now);
    expect(tallies.size).toBe(2);
  });
});
