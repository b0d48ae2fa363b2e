/**
 * `npm run sbom`: what the server is made of in production, as CycloneDX JSON on standard output.
 *
 * npm makes the list from package-lock.json. Its own `--omit dev` also leaves out what production and development share,
 * such as graphql and ws, so the list is cut here: to what can be reached from the dependencies of package.json.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Component {
  'bom-ref': string;
  name: string;
  properties?: { name: string; value: string }[];
}

interface Bom {
  metadata: { component: Component };
  components: Component[];
  dependencies: { ref: string; dependsOn: string[] }[];
}

const DEVELOPMENT = 'cdx:npm:package:development';
const root = join(import.meta.dirname, '..');
const { name, dependencies, optionalDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  name: string;
  dependencies: Record<string, string>;
  optionalDependencies: Record<string, string>;
};

const { status, stdout, stderr } = spawnSync(
  'npm',
  ['sbom', '--sbom-format', 'cyclonedx', '--sbom-type', 'application', '--package-lock-only', '--no-workspaces'],
  { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024, shell: process.platform === 'win32' },
);
if (status !== 0) {
  process.stderr.write(stderr);
  process.exit(1);
}
const bom = JSON.parse(stdout) as Bom;

const own = bom.metadata.component;
// npm takes the name of the folder.
own.name = name;
const direct = new Set(Object.keys({ ...dependencies, ...optionalDependencies }));
const nameOf = new Map(bom.components.map((component) => [component['bom-ref'], component.name]));
// A package that is there twice is told twice, under one reference.
const needs = new Map<string, Set<string>>();
for (const { ref, dependsOn } of bom.dependencies) {
  const before = needs.get(ref) ?? [];
  needs.set(ref, new Set([...before, ...dependsOn]));
}
const first = [...(needs.get(own['bom-ref']) ?? [])].filter((ref) => direct.has(nameOf.get(ref) ?? ''));
needs.set(own['bom-ref'], new Set(first));

const reached = new Set<string>();
const queue = [...first];
for (let ref = queue.pop(); ref !== undefined; ref = queue.pop()) {
  if (reached.has(ref)) continue;
  reached.add(ref);
  queue.push(...(needs.get(ref) ?? []));
}

const unique = new Map(bom.components.map((component) => [component['bom-ref'], component]));
bom.components = [...unique.values()]
  .filter((component) => reached.has(component['bom-ref']))
  .map((component) => ({
    ...component,
    properties: (component.properties ?? []).filter((property) => property.name !== DEVELOPMENT),
  }));
bom.dependencies = [own['bom-ref'], ...reached]
  .map((ref) => ({ ref, dependsOn: [...(needs.get(ref) ?? [])].filter((one) => reached.has(one)) }))
  .toSorted((one, other) => one.ref.localeCompare(other.ref));
console.log(JSON.stringify(bom, undefined, 2));
