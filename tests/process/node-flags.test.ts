import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { NODE_FLAGS } from '../../bench/node-flags.ts';

const read = (path: string): string => readFileSync(join(import.meta.dirname, '..', '..', path), 'utf8');

/** Prints how much processor time the whole process took, of that of the thread that serves, to fill and drop a heap. */
const garbage = `
  import { setImmediate as nextTurn } from 'node:timers/promises';
  const held = [];
  for (let turn = 0; turn < 3000; turn++) {
    held[turn % 100] = Array.from({ length: 2000 }, (_, index) => ({ turn, more: [index] }));
    await nextTurn();
  }
  const total = ({ user, system }) => user + system;
  console.log(total(process.cpuUsage()) / total(process.threadCpuUsage()));
`;

async function shareOfHelpers(...flags: string[]): Promise<number> {
  const args = [...flags, '--input-type=module', '--eval', garbage];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return Number.parseFloat(stdout) - 1;
}

test('every start command gives the same to Node', () => {
  const flags = NODE_FLAGS.join(' ');
  const { scripts } = JSON.parse(read('package.json')) as { scripts: { start: string } };
  const starts = [...scripts.start.matchAll(/\bnode (.*?)src\/main\.ts/g)].map(([, args = '']) => args);
  expect(starts).toHaveLength(2);
  for (const args of starts) expect(args.startsWith(`${flags} `)).toBe(true);
  expect(/^ExecStart=\S+ (.*)$/m.exec(read('deploy/systemd/carillon.service'))?.[1]).toBe(`${flags} src/main.ts`);
  const [, entry = ''] = /^ENTRYPOINT (.*)$/m.exec(read('Dockerfile')) ?? [];
  expect(JSON.parse(entry)).toEqual(['node', ...NODE_FLAGS]);
});

test('with it nothing is collected beside the thread that serves, as it would be otherwise', async () => {
  expect(await shareOfHelpers()).toBeGreaterThan(0.1);
  expect(await shareOfHelpers(...NODE_FLAGS)).toBeLessThan(0.1);
});
