import { expect, test } from '@jest/globals';
import { Buckets } from '../../src/metrics/buckets.ts';
import { DoorMeter } from '../../src/metrics/door-meter.ts';

test('buckets count what is at most their bound, and have the sum', () => {
  const buckets = new Buckets([1, 2.5, 10]);
  for (const value of [0, 1, 1.1, 2.5, 9, 10.5, 1000]) buckets.observe(value);
  expect(buckets.cumulative()).toEqual([2, 4, 5, 7]);
  expect([buckets.count, buckets.sum]).toEqual([7, 1024.1]);
  buckets.observe(2);
  buckets.again();
  expect(buckets.cumulative()).toEqual([2, 6, 7, 9]);
  expect(buckets.sum).toBe(1028.1);
});

test('a meter observes every push of an event that says when it was committed, and of no other', () => {
  const meter = new DoorMeter();
  const timed = { committedAtMs: Date.now() - 3000 };
  const future = { committedAtMs: Date.now() + 60_000 };
  const untimed = {};
  for (const event of [timed, timed, untimed, untimed, timed, future]) meter.pushed(event);
  for (let nth = 0; nth < 1000; nth += 1) meter.pushed(timed);
  expect(meter.delivered).toBe(1006);
  expect(meter.latency.count).toBe(1004);
  expect(meter.latency.sum).toBeGreaterThanOrEqual(1003 * 2.99);
  // The clock of another machine may be ahead.
  expect(meter.latency.cumulative()[0]).toBe(1);
});
