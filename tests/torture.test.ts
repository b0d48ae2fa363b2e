import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Report } from '../torture/report.ts';

const SECONDS_OF_FAULTS = 30;
const LEAST_FAULTS = 10;
const LEAST_KINDS = 6;

const root = join(import.meta.dirname, '..');

test('whatever fails, every device ends with exactly the changes of its inbox, in order', async () => {
  const minutes = String(SECONDS_OF_FAULTS / 60);
  const child = spawn(
    process.execPath,
    [
      'torture/main.ts',
      '--minutes',
      minutes,
      '--clients',
      '40',
      '--rate',
      '30',
      '--every',
      '1',
      '--seed',
      '4',
      '--json',
    ],
    { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const printed = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (printed.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (printed.stderr += text));
  const [code] = (await once(child, 'close')) as [number | null];
  expect(printed.stderr).toBe('');
  const { counts, details, crashes, resets, faults, faultCount, sends, deliveries } = JSON.parse(
    printed.stdout,
  ) as Report;
  expect({ counts, details, crashes, resets }).toEqual({
    counts: { lost: 0, duplicated: 0, reordered: 0, 'wrong counts': 0 },
    details: { lost: [], duplicated: [], reordered: [], 'wrong counts': [] },
    crashes: [],
    resets: 0,
  });
  expect(code).toBe(0);
  expect(faultCount).toBeGreaterThanOrEqual(LEAST_FAULTS);
  expect(Object.keys(faults).length).toBeGreaterThanOrEqual(LEAST_KINDS);
  expect(sends.acknowledged).toBeGreaterThan(0);
  expect(deliveries).toBeGreaterThan(sends.acknowledged);
}, 240_000);
