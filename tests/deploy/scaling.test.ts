import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { planCapacity } from '../../scripts/capacity-plan.ts';
import { read, root } from './files.ts';

const capacity = (...args: string[]) =>
  spawnSync(process.execPath, [join(root, 'scripts/capacity.ts'), ...args], { encoding: 'utf8' });

const measured = {
  sendUs: 100,
  deliveryUs: 10,
  connectUs: 700,
  pageUs: 200,
  countUs: 100,
  connectionKib: 16,
  rowBytes: 512,
  databaseSendUs: 200,
  databasePageUs: 50,
  connectionsPerProcess: 5000,
};
/** A day of 86,400 s divides it without a remainder. */
const assumed = {
  users: 864_000,
  online: 0.25,
  devices: 2,
  perDay: 10,
  opens: 5,
  peak: 2,
  use: 0.5,
  days: 30,
  bloat: 2,
  processGib: 1,
  databaseCores: 4,
  databaseGib: 10,
  copies: 2,
  corePrice: 10,
  memoryPrice: 1,
  diskPrice: 0.1,
};

test('the plan is what one reckons by hand', () => {
  const plan = planCapacity(measured, assumed);
  expect(plan).toMatchObject({
    connections: 432_000,
    sendsPerSecond: 200,
    deliveriesPerSecond: 100,
    opensPerSecond: 100,
    processesByCores: 1,
    processesByConnections: 87,
    processes: 87,
    rows: 259_200_000,
    serverCost: 957,
  });
  expect(plan.connectionGib).toBeCloseTo(6.592, 3);
  expect(plan.busyCores).toBeCloseTo(0.121, 6);
  expect(plan.busyDatabaseCores).toBeCloseTo(0.045, 6);
  expect(plan.reconnectSeconds).toBeCloseTo(6.952, 3);
  expect(plan.diskGib).toBeCloseTo(247.192, 3);
  expect(plan.databaseCost).toBeCloseTo(149.438, 3);
  expect(plan.costPerMillion).toBeCloseTo((957 + plan.databaseCost) / 0.864, 6);
});

test('where work is what counts, processes are as many as it keeps busy', () => {
  const plan = planCapacity(measured, { ...assumed, perDay: 10_000, online: 0.001 });
  expect(plan.processesByConnections).toBe(1);
  expect(plan.processes).toBe(Math.ceil(plan.busyCores / 0.5));
  expect(plan.processes).toBeGreaterThan(40);
});

test('docs/scaling.md has what npm run capacity prints from the figures of docs/performance.md', () => {
  const { status, stdout, stderr } = capacity();
  expect(stderr).toBe('');
  expect(status).toBe(0);
  const [, shown] = /<!-- capacity -->\n\n(.*)\n<!-- \/capacity -->/s.exec(read('docs/scaling.md')) ?? [];
  // When it differs: npm run capacity -- --write
  expect(shown).toBe(stdout.slice(0, -1));
});

test('assumptions can be replaced, and what is no number is refused', () => {
  expect(capacity('--users', '2000000').stdout).toContain('| connections | `users × online × devices` | 240,000 |');
  const { status, stderr } = capacity('--online', 'many');
  expect(status).toBe(1);
  expect(stderr).toContain('--online must be a number above 0');
});
