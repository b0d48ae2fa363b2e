import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeAll, expect, test } from '@jest/globals';

/** Where the test run has built the console. */
const distFolder = join(import.meta.dirname, '..', '..', 'packages', 'console', 'dist');

/** Everything that the page asks for before anybody has done anything, packed. */
const MOST_BYTES = 200_000;

let html: string;
let files: string[];

beforeAll(async () => {
  html = await readFile(join(distFolder, 'index.html'), 'utf8');
  files = [...html.matchAll(/(?:src|href)="\.\/(assets\/[^"]+)"/g)].map(([, file]) => file!);
});

test('the first load stays within its budget', async () => {
  const sizes = await Promise.all(
    ['index.html', ...files].map(async (file) => gzipSync(await readFile(join(distFolder, file))).length),
  );
  expect(files.length).toBeGreaterThan(2);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(MOST_BYTES);
});

test('charts are no part of the first load', async () => {
  const loaded = await Promise.all(files.map((file) => readFile(join(distFolder, file), 'utf8')));
  expect(loaded.some((text) => text.includes('.uplot'))).toBe(false);
});

test('the page has nothing inline, and nothing of another origin', () => {
  expect(html).not.toMatch(/<style|\sstyle=|\son\w+=|https?:/);
  expect(html.match(/<script(?![^>]*\ssrc=)/)).toBeNull();
});
