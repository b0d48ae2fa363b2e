import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from '@jest/globals';
import { buildSite } from './site.ts';

const packages = join(import.meta.dirname, '../../packages');

/** Bytes of a package, minified and compressed, without what it depends on. */
async function sizeOf(name: string, external: string[]): Promise<number> {
  const outDir = await mkdtemp(join(tmpdir(), 'carillon-size-'));
  try {
    const library = join(packages, name, 'src/index.ts');
    await buildSite({
      root: join(packages, name),
      outDir,
      library,
      external,
      isFromSource: true,
      isDevelopment: false,
    });
    return gzipSync(await readFile(join(outDir, 'library.js'))).length;
  } finally {
    await rm(outDir, { recursive: true, force: true });
  }
}

test('the client is under 12 kB, minified and compressed', async () => {
  const size = await sizeOf('client', ['graphql-ws']);
  expect(size).toBeGreaterThan(1000);
  expect(size).toBeLessThan(12_000);
});
