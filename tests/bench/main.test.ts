import { readFile } from 'node:fs/promises';
import { mkdtempDisposableSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, jest, test } from '@jest/globals';
import { runScript } from '../support/script.ts';

/** A run starts a PostgreSQL, servers and a load, one after the other. */
jest.setTimeout(240_000); // ms

/** Long enough for the slower server, or for Carillon alone, to answer something on a busy machine. */
const SECONDS = { compare: '0.6', grow: '0.4' };
const SHORT = ['--connections', '40', '--rows', '200'];

const FLAWLESS = { lost: 0, duplicated: 0, misdirected: 0, refused: 0 };

interface Measured {
  units: number;
  kibPerConnection?: number;
}

interface Written {
  machine: { node: string };
  faults: typeof FLAWLESS;
  lines?: {
    path: string;
    title: string;
    ratios: number[];
    carillon: Measured[];
    naive: Measured[];
  }[];
  growths?: { rows: { size: number; values: number[] }[] }[];
}

async function bench(seconds: string, ...args: string[]): Promise<{ stdout: string; written: Written }> {
  using directory = mkdtempDisposableSync(join(tmpdir(), 'carillon-bench-test-'));
  const file = join(directory.path, 'bench.json');
  const { code, stdout, stderr } = await runScript('bench/main.ts', [
    ...SHORT,
    '--seconds',
    seconds,
    '--json',
    file,
    ...args,
  ]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return { stdout, written: JSON.parse(await readFile(file, 'utf8')) as Written };
}

describe('the bench', () => {
  test('measures both servers on every path, shows where the time goes, and nothing is lost or doubled meanwhile', async () => {
    const { stdout, written } = await bench(SECONDS.compare, '--rounds', '1', '--profile');
    expect(written).toMatchObject({ machine: { node: process.version }, faults: FLAWLESS });
    expect(written.lines?.map(({ path }) => path)).toEqual([
      'send',
      'rest',
      'deliver',
      'fanout',
      'idle',
      'idle',
      'unread',
      'unread',
      'page',
      'page',
    ]);
    for (const { title, ratios, carillon, naive } of written.lines ?? []) {
      // So few idle connections may leave no trace in a process's memory: then there is nothing to compare.
      const memories = [carillon, naive].map(([one]) => one?.kibPerConnection ?? 0);
      const isTold = !title.startsWith('memory') || memories.every((kib) => kib > 0);
      expect(ratios).toEqual(isTold ? [expect.any(Number)] : []);
      for (const [{ units }] of [carillon, naive] as [Measured][]) expect(units).toBeGreaterThan(0);
    }
    expect(stdout).toContain('| send over GraphQL | sends/s |');
    expect(stdout).toContain('Where the time goes: fan-out to 20 devices of one user');
    expect(stdout).toMatch(/\| src\/services \| \d+ % \|/);
    expect(stdout).toContain('Faults: lost 0, duplicated 0, misdirected 0, refused 0.');
  });

  test('shows how cost grows', async () => {
    const { stdout, written } = await bench(SECONDS.grow, '--grow');
    expect(written.faults).toEqual(FLAWLESS);
    expect(written.growths?.map(({ rows }) => rows.map(({ size }) => size))).toEqual([
      [1, 10, 40],
      [0, 20, 200],
      [40, 40, 200],
    ]);
    for (const { rows } of written.growths ?? []) {
      for (const { values } of rows) expect(values.every(Number.isFinite)).toBe(true);
    }
    expect(stdout).toContain('| connections | KiB each |');
  });

  test('exits 2 with the usage for arguments that make no sense, and 0 for --help', async () => {
    const misuses = [
      '--rounds 0',
      '--seconds x',
      '--only sends',
      '--grow --only send',
      '--connections 7',
      '--rows 3',
      'x',
    ];
    const results = await Promise.all(misuses.map((misuse) => runScript('bench/main.ts', misuse.split(' '))));
    for (const { code, stdout, stderr } of results) {
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toMatch(/^[^\n]+\n\nUsage: /);
    }
    expect(await runScript('bench/main.ts', ['--help'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Usage:'),
    });
  });
});
