import { type ChildProcess, spawn } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { keepTo, shareCores } from '../../bench/cores.ts';
import { clearCore, coresOf } from '../../hostile/clear-core.ts';

const start = (): ChildProcess & Disposable => {
  const child = spawn('sleep', ['60']);
  return Object.assign(child, { [Symbol.dispose]: () => void child.kill() });
};

const coresOfAll = (...children: ChildProcess[]) => children.map(({ pid }) => coresOf(String(pid)));

test("what runs is kept off the server's core, with what is started meanwhile, and may run there again afterwards", () => {
  const cores = shareCores()!;
  using before = start();
  const [all] = coresOfAll(before);
  // Only these: tests do not touch what else runs here.
  const asked = [before];
  const cleared = clearCore(cores, () => asked.map(({ pid }) => String(pid)));
  expect(coresOfAll(before)).toEqual([cores.others]);
  using meanwhile = start();
  keepTo(meanwhile.pid!, cores.others);
  asked.push(meanwhile);
  cleared[Symbol.dispose]();
  expect(all).not.toBe(cores.others);
  expect(coresOfAll(before, meanwhile)).toEqual([all, all]);
});

test('without cores to share there is nothing to clear', () => {
  expect(() => clearCore(undefined)).toThrow('no cores to share');
});
