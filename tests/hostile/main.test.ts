import { mkdtempDisposableSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, jest, test } from '@jest/globals';
import type { Trial } from '../../hostile/run.ts';
import { runScript } from '../support/script.ts';

/** Those that leave the server time to answer each of them, also on a busy machine. */
const KINDS = [
  'bad tokens',
  'garbage to REST',
  'garbage instead of HTTP',
  'bodies past the limit',
  'bad frames to GraphQL',
  'bad frames to the raw socket',
  'one subscription twice',
  'storms of connections',
  'floods of logins',
];

/** A run starts a PostgreSQL, a server, good clients and a hostile one. */
jest.setTimeout(180_000); // ms

test('a hostile client is answered in all that it does, and takes nothing from good ones', async () => {
  using directory = mkdtempDisposableSync(join(tmpdir(), 'carillon-hostile-test-'));
  const file = join(directory.path, 'hostile.json');
  // How long anybody waits says nothing here: other tests run beside this one.
  const short = `--minutes 0.15 --quiet-minutes 0.05 --clients 30 --rate 20 --ratio 1000000 --json ${file}`.split(' ');
  const { code, stdout, stderr } = await runScript('hostile/main.ts', [...short, '--only', KINDS.join(',')]);
  expect(stderr).toBe('');
  const { quiet, attacked, answers, errors, broken } = JSON.parse(await readFile(file, 'utf8')) as Trial & {
    broken: string[];
  };
  const none = { lost: 0, duplicated: 0, misdirected: 0, refused: 0 };
  expect({ broken, errors, quiet: quiet.faults, attacked: attacked.faults }).toEqual({
    broken: [],
    errors: [],
    quiet: none,
    attacked: none,
  });
  expect(code).toBe(0);
  expect(attacked.units).toBeGreaterThan(20);
  expect(Object.keys(answers)).toEqual(KINDS);
  for (const counts of Object.values(answers)) expect(Object.keys(counts)).not.toEqual([]);
  expect(Object.keys(answers['garbage to REST'] ?? {})).toContain('404');
  expect(Object.keys(answers['bad tokens'] ?? {})).toContain('401');
  expect(stdout).toContain('All promises hold.');
});
