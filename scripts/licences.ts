/**
 * `npm run licences`: every package that the server has in production with its licence, as the packages themselves say.
 * Exits with 1 when one of them has none that is allowed below, or when one is missing. `--root DIR` looks elsewhere.
 */
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { satisfies } from './spdx.ts';

/**
 * Licences under which a package may be used unchanged by a server, with no duty but to keep its notice. MPL-2.0 asks
 * for the source of its own files where these are changed and passed on; here they are not changed.
 */
const allowed: ReadonlySet<string> = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'ISC',
  'MIT',
  'MIT-0',
  'MPL-2.0',
  'PostgreSQL',
  'Python-2.0',
  'Unlicense',
]);

interface Manifest {
  name: string;
  version: string;
  license?: unknown;
  licenses?: unknown;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  peerDependenciesMeta?: Record<string, { optional?: boolean }>;
}

const { values } = parseArgs({ options: { root: { type: 'string', default: join(import.meta.dirname, '..') } } });
const root = realpathSync(values.root);

const manifestOf = (directory: string): Manifest =>
  JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as Manifest;

/** Where Node finds a package that one in `from` imports. */
function find(name: string, from: string): string | undefined {
  for (let directory = from; ; directory = dirname(directory)) {
    const candidate = join(directory, 'node_modules', name);
    if (existsSync(join(candidate, 'package.json'))) return realpathSync(candidate);
    if (directory === root || directory === dirname(directory)) return undefined;
  }
}

/** What it says itself, as an expression of SPDX; the older forms are an object, and a list of objects. */
function licenceOf({ license, licenses }: Manifest): string {
  const texts = [license ?? licenses]
    .flat()
    .map((one) => (typeof one === 'string' ? one : (one as { type?: string } | undefined)?.type));
  return texts.every((text) => text !== undefined) ? texts.join(' OR ') : '';
}

const found = new Map<string, Manifest>();
const missing: string[] = [];

function visit(directory: string): void {
  if (found.has(directory)) return;
  const manifest = manifestOf(directory);
  found.set(directory, manifest);
  const { dependencies = {}, optionalDependencies = {}, peerDependencies = {}, peerDependenciesMeta = {} } = manifest;
  const peers = Object.keys(peerDependencies).filter((name) => !peerDependenciesMeta[name]?.optional);
  for (const name of new Set([...Object.keys({ ...dependencies, ...optionalDependencies }), ...peers])) {
    const place = find(name, directory);
    if (place !== undefined) visit(place);
    // Optional ones are for other platforms, or were left out.
    else if (!(name in optionalDependencies)) missing.push(`${name}, which ${manifest.name} needs, is not installed`);
  }
}

visit(root);
found.delete(root);
// The same version may be installed in several places.
const licences = new Map([...found.values()].map((one) => [`${one.name}@${one.version}`, licenceOf(one)]));
const rows = Array.from(licences, ([id, licence]) => ({ id, licence })).toSorted((one, other) =>
  one.id.localeCompare(other.id),
);
const width = Math.max(0, ...rows.map(({ id }) => id.length));
for (const { id, licence } of rows) console.log(`${id.padEnd(width)}  ${licence || '(none)'}`);

const refused = rows.filter(({ licence }) => !satisfies(licence, allowed));
const faults = [...missing, ...refused.map(({ id, licence }) => `${id}: ${licence || 'no licence'} is not allowed`)];
console.log(`\n${rows.length} packages, ${faults.length} faults`);
if (faults.length > 0) {
  console.error(faults.join('\n'));
  process.exitCode = 1;
}
