import { describe, expect, test } from '@jest/globals';
import { bounds, judgeGrowth } from '../../soak/growth.ts';
import { errorsIn } from '../../soak/log-lines.ts';
import { growthsOf } from '../../soak/report.ts';
import type { Sample } from '../../soak/sampler.ts';
import { slopeOf } from '../../soak/slope.ts';

const MIB = 2 ** 20;
const BOUND = { heapShare: 0.02, heapNoiseBytes: 2 * MIB, descriptorNoise: 20 };
const { heap, descriptors } = bounds(BOUND);

/** A sample each minute of an hour: a line, and beside it what is off it. */
const hour = (start: number, perHour: number, noise: number) =>
  Array.from({ length: 60 }, (_, minute) => ({
    hours: minute / 60,
    value: start + (perHour * minute) / 60 + noise * Math.sin(minute * 7),
  }));

describe('the slope of least squares', () => {
  test('is that of a line, without an error', () => {
    expect(slopeOf(hour(10, 6, 0))).toEqual({
      perHour: expect.closeTo(6),
      standardError: expect.closeTo(0),
      mean: expect.closeTo(12.95),
      rise: expect.closeTo(5.9),
    });
  });

  test('has the standard error that the textbook gives', () => {
    // 1, 3, 2 at 0, 1, 2: the slope is 1/2, the rest 3/2, its error the root of (3/2)/1/2.
    const points = [1, 3, 2].map((value, hours) => ({ hours, value }));
    expect(slopeOf(points)).toMatchObject({ perHour: 0.5, standardError: expect.closeTo(Math.sqrt(0.75)), mean: 2 });
  });
});

describe('a heap', () => {
  test.each([
    ['that only wavers is steady', 0, false],
    ['that grows by less than the bound is steady', 0.5, false],
    ['that shrinks is steady', -20, false],
    ['that grows by more leaks', 8, true],
  ])('%s', (_, mibPerHour, isLeak) => {
    expect(judgeGrowth('server', 'heap', hour(50 * MIB, mibPerHour * MIB, MIB / 4), heap)).toMatchObject({ isLeak });
  });

  test('whose growth could as well be chance is steady', () => {
    expect(judgeGrowth('server', 'heap', hour(50 * MIB, 3 * MIB, 20 * MIB), heap).isLeak).toBe(false);
  });

  test('is not judged by two samples', () => {
    expect(judgeGrowth('server', 'heap', hour(50 * MIB, 6000 * MIB, 0).slice(0, 2), heap).isLeak).toBe(false);
  });
});

test('descriptors that rise by a few may be clients, and by many are a leak', () => {
  expect(judgeGrowth('server', 'descriptors', hour(100, 10, 3), descriptors).isLeak).toBe(false);
  expect(judgeGrowth('server', 'descriptors', hour(100, 60, 3), descriptors).isLeak).toBe(true);
});

test('what happens while a server gets warm is not judged, and each server is judged by itself', () => {
  const sampled = (server: string, heapOf: (hours: number) => number): Sample[] =>
    hour(0, 1, 0).map(({ hours }) => ({ server, hours, heapBytes: heapOf(hours), rssBytes: 0, load: 0, lagMs: 0 }));
  const samples = [
    ...sampled('warms up', (hours) => Math.min(hours, 0.25) * 400 * MIB),
    ...sampled('leaks', (hours) => (100 + hours * 20) * MIB),
  ];
  const judged = growthsOf(samples, { warmUp: 0.3, ...BOUND });
  expect(judged.map(({ server, what, isLeak }) => [server, what, isLeak])).toEqual([
    ['warms up', 'heap', false],
    ['leaks', 'heap', true],
  ]);
});

test('of a log, errors and traces are told, and warnings are not', () => {
  const log = [
    '{"level":40,"msg":"Redis is away"}',
    '{"level":50,"msg":"an operation failed"}',
    '',
    'Error: unhandled',
    '    at somewhere',
  ];
  expect(errorsIn(log.join('\n'))).toEqual([
    '{"level":50,"msg":"an operation failed"}',
    'Error: unhandled',
    '    at somewhere',
  ]);
});
