import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempDisposableSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { satisfies } from '../../scripts/spdx.ts';
import { read, root } from './files.ts';

const run = (script: string, ...args: string[]) =>
  spawnSync(process.execPath, [join(root, 'scripts', script), ...args], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024, // bytes
  });

const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> };
const direct = Object.entries(dependencies).map(([name, version]) => `${name}@${version}`);

interface Package {
  name: string;
  version: string;
}

/** Runs the list of licences on a package of these dependencies, each of which is its manifest; `?` marks optional ones. */
function licencesOf(packages: Record<string, object | undefined>) {
  using folder = mkdtempDisposableSync(join(tmpdir(), 'carillon-licences-'));
  const wanted = Object.keys(packages).map((name) => [name, '1.0.0'] as const);
  const manifest = {
    name: 'top',
    version: '1.0.0',
    license: 'Proprietary',
    dependencies: Object.fromEntries(wanted.filter(([name]) => !name.endsWith('-optional'))),
    optionalDependencies: Object.fromEntries(wanted.filter(([name]) => name.endsWith('-optional'))),
  };
  writeFileSync(join(folder.path, 'package.json'), JSON.stringify(manifest));
  for (const [name, more] of Object.entries(packages)) {
    if (more === undefined) continue;
    mkdirSync(join(folder.path, 'node_modules', name), { recursive: true });
    const text = JSON.stringify({ name, version: '1.0.0', ...more });
    writeFileSync(join(folder.path, 'node_modules', name, 'package.json'), text);
  }
  const { status, stdout, stderr } = run('licences.ts', '--root', folder.path);
  return { status, lines: stdout.trim().split('\n'), faults: stderr.trim().split('\n') };
}

describe('npm run licences', () => {
  test('lists every production dependency with an allowed licence', () => {
    const { status, stdout, stderr } = run('licences.ts');
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const listed = new Map(stdout.split('\n').map((line) => line.split(/ +/, 2) as [string, string]));
    expect(direct.filter((id) => !listed.has(id))).toEqual([]);
    expect(listed.get(`pg@${dependencies['pg']}`)).toBe('MIT');
    expect([...listed.keys()].filter((id) => /^(jest|vite|typescript)@/.test(id))).toEqual([]);
  });

  test('fails on licences that are not allowed, on none, and on what is missing, and names each', () => {
    const { status, lines, faults } = licencesOf({
      fine: { license: 'MIT', dependencies: { deeper: '1.0.0' } },
      deeper: { license: 'GPL-3.0-only' },
      silent: {},
      older: { licenses: [{ type: 'AGPL-3.0' }, { type: 'BSD' }] },
      gone: undefined,
    });
    expect(status).toBe(1);
    expect(faults).toEqual([
      'gone, which top needs, is not installed',
      'deeper@1.0.0: GPL-3.0-only is not allowed',
      'older@1.0.0: AGPL-3.0 OR BSD is not allowed',
      'silent@1.0.0: no licence is not allowed',
    ]);
    expect(lines).toContain('fine@1.0.0    MIT');
  });

  test('passes over an optional dependency that is for another platform, and peers that are optional', () => {
    const peers = { peerDependencies: { copyleft: '1' }, peerDependenciesMeta: { copyleft: { optional: true } } };
    const { status, lines } = licencesOf({
      'other-optional': undefined,
      older: { license: { type: 'ISC' }, ...peers },
      choice: { license: '(GPL-2.0-only OR MIT)' },
    });
    expect(lines).toEqual(['choice@1.0.0  (GPL-2.0-only OR MIT)', 'older@1.0.0   ISC', '', '2 packages, 0 faults']);
    expect(status).toBe(0);
  });

  test('reads licence expressions as SPDX means them', () => {
    const allowed = new Set(['A', 'B']);
    const met = ['A', 'A OR X', 'X OR A', 'A AND B', '(A)', '(X OR A) AND B', 'X AND X OR A', 'A OR X AND X'];
    expect(met.filter((one) => !satisfies(one, allowed))).toEqual([]);
    const unmet = ['', 'X', 'A AND X', 'X AND A', '(A OR B) AND X', 'A WITH Y', '(A', 'A)', 'A B', 'OR', 'A OR', 'a'];
    // An unfinished OR is met by its finished side, and then has a word too many.
    expect(unmet.filter((one) => satisfies(one, allowed))).toEqual([]);
  });
});

describe('npm run sbom', () => {
  const { status, stdout } = run('sbom.ts');
  const bom = JSON.parse(stdout) as {
    bomFormat: string;
    specVersion: string;
    metadata: { component: Package & { 'bom-ref': string } };
    components: (Package & { 'bom-ref': string; purl: string; hashes?: object[] })[];
    dependencies: { ref: string; dependsOn: string[] }[];
  };
  const ids = new Set(bom.components.map(({ name, version }) => `${name}@${version}`));

  test('writes CycloneDX of this version of carillon', () => {
    expect(status).toBe(0);
    expect(bom).toMatchObject({ bomFormat: 'CycloneDX', specVersion: '1.5' });
    const { name, version } = JSON.parse(read('package.json')) as Package;
    expect(bom.metadata.component).toMatchObject({ name, version });
  });

  test('has every package that the list of licences has, each with its hash, and no tool of development', () => {
    const listed = run('licences.ts').stdout.split('\n\n')[0]!.split('\n');
    expect(listed.map((line) => line.split(' ')[0] as string).filter((id) => !ids.has(id))).toEqual([]);
    expect(direct.filter((id) => !ids.has(id))).toEqual([]);
    expect([...ids].filter((id) => /^(jest|vite|@biomejs\/biome|oxlint)@/.test(id))).toEqual([]);
    expect(bom.components.filter(({ hashes, purl }) => !hashes?.length || !purl.startsWith('pkg:npm/'))).toEqual([]);
  });

  test('its dependencies refer to components that are there, each once', () => {
    const refs = bom.components.map((component) => component['bom-ref']);
    expect(new Set(refs).size).toBe(refs.length);
    const known = new Set([...refs, bom.metadata.component['bom-ref']]);
    expect(
      bom.dependencies.flatMap(({ ref, dependsOn }) => [ref, ...dependsOn]).filter((ref) => !known.has(ref)),
    ).toEqual([]);
  });
});
