import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';

const settings = fileURLToPath(new URL('../../src/v8-settings.ts', import.meta.url));

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

async function youngGenerationMiB(first: string): Promise<number> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', first + crowd]);
  return Number.parseFloat(stdout);
}

const importSettings = `import { tuneForServing } from ${JSON.stringify(settings)};\n`;

test("V8's young generation stays small when much comes at once, and would not by itself", async () => {
  expect(await youngGenerationMiB('')).toBeGreaterThan(32);
  expect(await youngGenerationMiB(`${importSettings}tuneForServing();\n`)).toBeLessThanOrEqual(32);
});

test('while the server is being loaded the young generation does not grow', async () => {
  expect(await youngGenerationMiB(importSettings)).toBeLessThanOrEqual(2);
});
