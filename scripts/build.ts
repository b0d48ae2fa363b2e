/**
 * `npm run build`: the packages for browsers, and the console that the server has at `/`. Does nothing when what it made
 * last is of the same sources, so it can stand before every start.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';

const root = join(import.meta.dirname, '..');
const built = join(root, 'packages/console/dist');
const STAMP = '.built-from';
/** Smaller ones come no faster for it. */
const WORTH_COMPRESSING_BYTES = 1024;

const sources = globSync(
  ['packages/*/{src/**/*,*.html,*.json,vite.config.ts}', 'packages/tsconfig.json', 'package-lock.json'],
  {
    cwd: root,
    withFileTypes: true,
  },
)
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name))
  .toSorted();

function fingerprint(): string {
  const hash = createHash('sha256');
  for (const file of sources) hash.update(file).update('\0').update(readFileSync(file)).update('\0');
  return hash.digest('hex');
}

function run(script: string, ...args: string[]): void {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'node_modules', script), ...args], {
    cwd: root,
    encoding: 'utf8',
  });
  if (status === 0) return;
  console.error(`${stdout}${stderr}`.trim());
  process.exit(1);
}

function compress(directory: string): void {
  for (const name of globSync('**/*.{html,js,css,svg,json}', { cwd: directory })) {
    const file = join(directory, name);
    const content = readFileSync(file);
    if (content.length < WORTH_COMPRESSING_BYTES) continue;
    writeFileSync(`${file}.gz`, gzipSync(content, { level: 9 }));
    writeFileSync(`${file}.br`, brotliCompressSync(content));
  }
}

function build(stamp: string): void {
  const started = performance.now();
  run('typescript/bin/tsc', '--project', 'packages/client');
  run('typescript/bin/tsc', '--project', 'packages/react');
  // Beside its place, and then put there in one step: a server may be looking.
  const fresh = `${built}.${process.pid}`;
  run('vite/bin/vite.js', 'build', 'packages/console', '--outDir', fresh, '--emptyOutDir', '--logLevel', 'warn');
  compress(fresh);
  writeFileSync(join(fresh, STAMP), stamp);
  rmSync(built, { recursive: true, force: true });
  renameSync(fresh, built);
  console.log(`built the packages and the console in ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

if (!existsSync(join(root, 'node_modules/vite'))) {
  console.log('The console is not built: that takes the packages for development, which are not installed here.');
} else {
  const stamp = fingerprint();
  const stampFile = join(built, STAMP);
  const upToDate = existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp;
  if (!upToDate) build(stamp);
}
