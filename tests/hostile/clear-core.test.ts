import { type ChildProcess, spawn } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { shareCores } from '../../bench/cores.ts';
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
  const cleared = clearCore(cores);
  using meanwhile = start();
  try {
    expect(coresOfAll(before, meanwhile)).toEqual([cores.others, cores.others]);
  } finally {
    cleared[Symbol.dispose]();
  }
  expect(all).not.toBe(cores.others);
  expect(coresOfAll(before, meanwhile)).toEqual([all, all]);
});
