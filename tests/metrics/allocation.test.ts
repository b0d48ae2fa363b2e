import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';

/** Of the runtime: a push that made but one small object would be at 12 or more. */
const NOISE_BYTES = 0.05;

const FLAGS = ['--expose-gc', '--min-semi-space-size=64', '--max-semi-space-size=64']; // MiB

test('counting a push allocates nothing, whether an event goes to a thousand connections or to one', async () => {
  const script = join(import.meta.dirname, 'allocation.ts');
  const { stdout } = await promisify(execFile)(process.execPath, [...FLAGS, script]);
  const { PUSHES, readings, counted, collections, forced } = JSON.parse(stdout);
  expect(counted).toBeGreaterThan(PUSHES * 10);
  // Otherwise what was allocated may have been collected before it was measured.
  expect(collections).toBe(forced);
  for (const { pushes, idle } of readings) expect((pushes - idle) / PUSHES).toBeLessThan(NOISE_BYTES);
});
