import { execFile } from 'node:child_process';
import { getPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';

const settings = fileURLToPath(new URL('../../src/runtime-settings.ts', import.meta.url));

/** Prints how many MiB the young generation has, in a process in which much survives, as when many sockets come at once. */
const crowd = `
  import { setImmediate as nextTurn } from 'node:timers/promises';
  import { getHeapSpaceStatistics } from 'node:v8';
  const held = [];
  for (let turn = 0; turn < 400; turn++) {
    held.push(Array.from({ length: 4000 }, (_, index) => ({ turn, index })));
    await nextTurn();
  }
  const space = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space');
  console.log(space.space_size / 2 ** 20, held.length);
`;

async function outputOf(source: string, ...flags: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, '--input-type=module', '--eval', source]);
  return stdout;
}

const youngGenerationMiB = async (first: string): Promise<number> => Number.parseFloat(await outputOf(first + crowd));

const importSettings = `import { tuneForServing } from ${JSON.stringify(settings)};\n`;

test("V8's young generation stays small when much comes at once, and would not by itself", async () => {
  expect(await youngGenerationMiB('')).toBeGreaterThan(32);
  expect(await youngGenerationMiB(`${importSettings}tuneForServing();\n`)).toBeLessThanOrEqual(32);
});

test('while the server is being loaded the young generation does not grow', async () => {
  expect(await youngGenerationMiB(importSettings)).toBeLessThanOrEqual(2);
});

/** Prints how many MiB the heap has at its peak when much is held for a moment, beside what stays. */
const traffic = `
  import { setImmediate as nextTurn } from 'node:timers/promises';
  const some = () => Array.from({ length: 200 }, (_, index) => ({ index, more: [index] }));
  const stays = Array.from({ length: 2500 }, some);
  const moments = [];
  let peak = 0;
  for (let turn = 0; turn < 20_000; turn++) {
    moments[turn % 800] = some();
    peak = Math.max(peak, process.memoryUsage().heapTotal);
    await nextTurn();
  }
  console.log(peak / 2 ** 20, stays.length);
`;

test('what V8 holds stays near to what is in use, and would not by itself', async () => {
  const peakMiB = async (first: string) => Number.parseFloat(await outputOf(first + traffic));
  expect(await peakMiB(importSettings)).toBeGreaterThan(240);
  expect(await peakMiB(`${importSettings}tuneForServing();\n`)).toBeLessThan(240);
});

/** Calls a function often enough for any compiler. */
const hot = `
  const numbers = Array.from({ length: 50 }, (_, index) => ({ index }));
  const sum = () => numbers.reduce((total, { index }) => total + index, 0);
  let total = 0;
  for (let call = 0; call < 50_000; call++) total += sum();
  console.log(total);
`;

test('what is called often is compiled by the last compiler alone, and would not be by itself', async () => {
  const compilers = async (first: string) => {
    const trace = await outputOf(first + hot, '--trace-opt');
    return new Set([...trace.matchAll(/<JSFunction sum .*?(MAGLEV|TURBOFAN)/g)].map(([, compiler]) => compiler));
  };
  expect(await compilers('')).toContain('MAGLEV');
  expect(await compilers(`${importSettings}tuneForServing();\n`)).toEqual(new Set(['TURBOFAN']));
});

/** Prints the name and the priority of each thread. */
const threads = `
  import { readFileSync, readdirSync } from 'node:fs';
  import { getPriority } from 'node:os';
  for (const id of readdirSync('/proc/self/task')) {
    console.log(readFileSync('/proc/self/task/' + id + '/comm', 'utf8').trim(), getPriority(Number(id)));
  }
`;

test.each(['V8Worker', 'libuv-worker'])('%s, which helps, goes behind the thread that serves', async (name) => {
  const own = getPriority();
  const lines = (await outputOf(`${importSettings}tuneForServing();\n${threads}`)).trim().split('\n');
  const helpers = lines.filter((line) => line.startsWith(`${name} `));
  expect(helpers.length).toBeGreaterThan(0);
  expect(new Set(helpers)).toEqual(new Set([`${name} ${Math.min(19, own + 10)}`]));
  expect(lines).toContain(`MainThread ${own}`);
});
