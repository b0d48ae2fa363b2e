import { mkdtempDisposableSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, jest, test } from '@jest/globals';
import type { Report } from '../../soak/report.ts';
import { runScript } from '../support/script.ts';

/** A run starts a PostgreSQL, a Redis and two servers, and lets what it began come to its end. */
jest.setTimeout(240_000); // ms

async function soak(...args: string[]): Promise<{ code: number | null; stdout: string; report: Report }> {
  using directory = mkdtempDisposableSync(join(tmpdir(), 'carillon-soak-test-'));
  const file = join(directory.path, 'soak.json');
  const short = `--minutes 0.13 --every 0.3 --clients 20 --seed 7 --noise 48 --descriptors 200 --json ${file}`.split(
    ' ',
  );
  const { code, stdout, stderr } = await runScript('soak/main.ts', [...short, ...args]);
  expect(stderr).toBe('');
  return { code, stdout, report: JSON.parse(await readFile(file, 'utf8')) as Report };
}

const goodOf = ({ details, surprises, cutOff, errors }: Report) => ({ details, surprises, cutOff, errors });

const GOOD = {
  details: { lost: [], duplicated: [], reordered: [], 'wrong counts': [] },
  surprises: {},
  cutOff: {},
  errors: [],
};

test('a short soak finds nothing that grows, and everything as it should be', async () => {
  const { code, stdout, report } = await soak();
  expect({ ...goodOf(report), leaks: report.growths.filter(({ isLeak }) => isLeak) }).toEqual({ ...GOOD, leaks: [] });
  expect({ code, exitCode: report.exitCode }).toEqual({ code: 0, exitCode: 0 });
  expect(report.sends).toBeGreaterThan(20);
  expect(report.deliveries).toBeGreaterThan(report.sends);
  expect([...new Set(report.samples.map(({ server }) => server))]).toEqual(['server-0', 'server-1']);
  expect(stdout).toMatch(/ leaks +0\n/);
});

test('and a server that leaks is found out, by its heap and by its descriptors', async () => {
  // A slope takes some collections, of which a busy machine makes few.
  const longer = ['--minutes', '0.35', '--every', '0.2'];
  const leaking = ['--servers', '1', '--preload', join(import.meta.dirname, 'leak.ts')];
  const { code, stdout, report } = await soak(...leaking, ...longer);
  expect(goodOf(report)).toEqual(GOOD);
  const leaks = report.growths.filter(({ isLeak }) => isLeak).map(({ what }) => what);
  expect(leaks).toEqual(report.samples[0]?.descriptors === undefined ? ['heap'] : ['heap', 'descriptors']);
  expect(code).toBe(1);
  expect(stdout).toContain('heap of server-0');
});
