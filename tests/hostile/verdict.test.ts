import { describe, expect, test } from '@jest/globals';
import type { Trial } from '../../hostile/run.ts';
import { judge } from '../../hostile/verdict.ts';

const MIB = 2 ** 20;
const none = { lost: 0, duplicated: 0, misdirected: 0, refused: 0 };
const holding = { heapBytes: 50 * MIB, rssBytes: 150 * MIB, descriptors: 1100 };

const trial: Trial = {
  quiet: { units: 1000, perSecond: 100, p50Ms: 10, p99Ms: 30, faults: none },
  attacked: { units: 1000, perSecond: 100, p50Ms: 11, p99Ms: 35, faults: none },
  answers: {},
  isInTheWay: false,
  load: { quiet: 0.2, attacked: 0.6 },
  holding: { before: holding, peak: { ...holding, rssBytes: 300 * MIB }, after: holding },
  places: undefined,
  errors: [],
};

test('good clients that hardly notice, and a server that comes back, are as promised', () => {
  expect(judge(trial)).toEqual({ ratios: { p50: 1.1, p99: expect.closeTo(1.167, 2) }, broken: [] });
});

test('a millisecond or two is not a promise that was broken, whatever its ratio', () => {
  const { quiet, attacked } = trial;
  const fast = { ...trial, quiet: { ...quiet, p50Ms: 1, p99Ms: 2 }, attacked: { ...attacked, p50Ms: 2, p99Ms: 4 } };
  expect(judge(fast).broken).toEqual([]);
});

describe('it is told', () => {
  const { attacked, holding: held } = trial;
  const cases: [string, Partial<Trial>, string][] = [
    ['who waits too long', { attacked: { ...attacked, p99Ms: 40 } }, 'p99 is 40.0 ms under attack, 30.0 ms without'],
    ['what is lost', { attacked: { ...attacked, faults: { ...none, lost: 1 } } }, '"lost":1'],
    ['what comes twice', { attacked: { ...attacked, faults: { ...none, duplicated: 1 } } }, '"duplicated":1'],
    ['who is refused', { quiet: { ...trial.quiet, faults: { ...none, refused: 2 } } }, '"refused":2'],
    [
      'memory without a bound',
      { holding: { ...held, peak: { ...holding, rssBytes: 900 * MIB } } },
      'memory is not bounded',
    ],
    ['memory that is kept', { holding: { ...held, after: { ...holding, heapBytes: 90 * MIB } } }, 'does not come back'],
    ['descriptors that are kept', { holding: { ...held, after: { ...holding, descriptors: 1200 } } }, 'descriptors'],
    ['an error of the log', { errors: ['{"level":50}'] }, '1 lines of errors'],
  ];
  test.each(cases)('%s', (_, part, words) => {
    expect(judge({ ...trial, ...part }).broken).toEqual([expect.stringContaining(words)]);
  });
});
