import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempDisposableSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';

const root = join(import.meta.dirname, '..');

/** What each folder of src may import: `values` freely, `types` with `import type` only. */
const folders: Record<string, { values: string[]; types: string[] }> = {
  entities: { values: ['entities'], types: [] },
  database: { values: ['database', 'entities', 'tracing'], types: [] },
  metrics: { values: ['metrics'], types: [] },
  tracing: { values: ['tracing'], types: [] },
  pubsub: { values: ['pubsub', 'tracing'], types: [] },
  services: { values: ['services', 'entities', 'pubsub', 'tracing'], types: ['metrics'] },
  channels: { values: ['channels', 'services'], types: [] },
  schema: { values: ['schema', 'services', 'channels'], types: ['entities'] },
  transports: { values: ['transports', 'schema', 'services', 'web', 'channels', 'tracing'], types: ['metrics'] },
  web: { values: ['web'], types: [] },
  commands: { values: ['*'], types: [] },
  workers: { values: ['*'], types: [] },
};
/** What every folder may import of the files beside the folders. */
const files = { values: ['errors.ts', 'logger.ts', 'scope.ts'], types: ['config.ts'] };
/** The files that may import anything. */
const roots = ['announce.ts', 'app.ts', 'context.ts', 'main.ts', 'runtime-settings.ts'];

const targets = [...Object.keys(folders), ...files.values, ...files.types, ...roots];
const specifier = (from: string, target: string) => from + (target.endsWith('.ts') ? target : `${target}/x.ts`);

interface Diagnostic {
  code: string;
  help: string;
  filename: string;
}

/** Lints sources in a folder of their own under the project's configuration; answers with rule and message per file. */
function lint(sources: Record<string, string>): Map<string, string[]> {
  using folder = mkdtempDisposableSync(join(tmpdir(), 'carillon-house-'));
  copyFileSync(join(root, '.oxlintrc.json'), join(folder.path, '.oxlintrc.json'));
  for (const [file, source] of Object.entries(sources)) {
    mkdirSync(dirname(join(folder.path, file)), { recursive: true });
    writeFileSync(join(folder.path, file), source);
  }
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [join(root, 'node_modules/oxlint/bin/oxlint'), '--format=json'],
    { cwd: folder.path, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 }, // bytes
  );
  if (!stdout.startsWith('{')) throw new Error(stdout + stderr);
  const found = new Map(Object.keys(sources).map((file) => [file, [] as string[]]));
  for (const { code, help, filename } of (JSON.parse(stdout) as { diagnostics: Diagnostic[] }).diagnostics) {
    found.get(filename.replaceAll('\\', '/'))?.push(`${code} ${help}`);
  }
  return found;
}

const importValue = (path: string) => `import { X } from '${path}';\nexport const y = X;\n`;
const importType = (path: string) => `import type { X } from '${path}';\nexport type Y = X;\n`;

describe('the import rules of the house', () => {
  test('know every folder and file of src', () => {
    const present = readdirSync(join(root, 'src'));
    expect(present.filter((name) => !targets.includes(name))).toEqual([]);
  });

  test.each(Object.entries(folders))(
    'let %s import what its row of the table says, and nothing else',
    (folder, may) => {
      const free = may.values.includes('*');
      const cases = targets.flatMap((target) => {
        const value = free || may.values.includes(target) || files.values.includes(target);
        const type = value || may.types.includes(target) || files.types.includes(target);
        const typesOnly = type && !value;
        return [1, 2].flatMap((depth) => {
          const at = `src/${folder}/${depth === 1 ? '' : 'deep/'}${target.replace('.ts', '-file')}`;
          const path = specifier('../'.repeat(depth), target);
          return [
            { file: `${at}-value.ts`, source: importValue(path), allowed: value, typesOnly },
            { file: `${at}-side-effect.ts`, source: `import '${path}';\n`, allowed: value, typesOnly },
            {
              file: `${at}-dynamic.ts`,
              source: `export const y = await import('${path}');\n`,
              allowed: value,
              typesOnly,
            },
            { file: `${at}-re-export.ts`, source: `export { X } from '${path}';\n`, allowed: value, typesOnly },
            { file: `${at}-type.ts`, source: importType(path), allowed: type, typesOnly },
          ];
        });
      });
      const found = lint(Object.fromEntries(cases.map(({ file, source }) => [file, source])));
      const reports = ({ allowed, typesOnly }: (typeof cases)[number]) => {
        if (allowed) return [];
        const reason = typesOnly
          ? 'may (be imported here|import entities) as types only \\(import type\\)'
          : `${folder}/ may import only .*Data flows door -> schema or shim -> service -> log`;
        return [expect.stringMatching(`^eslint\\(no-restricted-imports\\) .*${reason}`)];
      };
      expect(Object.fromEntries(found)).toEqual(Object.fromEntries(cases.map((each) => [each.file, reports(each)])));
    },
  );

  test.each(['config.ts', 'errors.ts', 'logger.ts', 'scope.ts'])(
    'let %s import nothing local, not even a type',
    (file) => {
      const local = lint({ [`src/${file}`]: importType('./entities/x.ts') });
      expect(local.get(`src/${file}`)).toEqual([
        expect.stringContaining('import nothing local: every folder may import them'),
      ]);
      expect(lint({ [`src/${file}`]: importValue('pino') }).get(`src/${file}`)).toEqual([]);
    },
  );

  test.each(roots)('let %s import anything', (file) => {
    const others = targets.filter((target) => target !== file);
    const source = others.map((target, n) => `export { X as X${n} } from '${specifier('./', target)}';\n`).join('');
    expect(lint({ [`src/${file}`]: source }).get(`src/${file}`)).toEqual([]);
  });

  test('refuse the ways around import type', () => {
    const found = lint({
      'src/schema/annotation.ts': "export type Y = import('../database/x.ts').X;\n",
      'src/schema/inline.ts': "import { type X } from '../entities/x.ts';\nexport type Y = X;\n",
    });
    expect(found.get('src/schema/annotation.ts')).toEqual([expect.stringContaining('consistent-type-imports')]);
    expect(found.get('src/schema/inline.ts')).toEqual([expect.stringContaining('no-import-type-side-effects')]);
  });
});

describe('the other rules of the house', () => {
  const forbidden = {
    'a cycle of imports': [
      'src/services/a.ts',
      "import { b } from './b.ts';\nexport const a = () => b;\n",
      'import(no-cycle)',
    ],
    'a default export': ['src/services/a.ts', 'export default 1;\n', 'import(no-default-export)'],
    'process.env outside config.ts': ['src/services/a.ts', 'export const a = process.env;\n', 'node(no-process-env)'],
    'console outside commands': ['src/services/a.ts', "console.log('a');\n", 'eslint(no-console)'],
    'a test that does not run': ['tests/a.test.ts', "test.skip('a', () => {});\n", 'jest(no-disabled-tests)'],
    'a test that runs alone': ['tests/a.test.ts', "test.only('a', () => {});\n", 'jest(no-focused-tests)'],
  };
  test.each(Object.entries(forbidden))('refuse %s', (_, [file = '', source = '', rule = '']) => {
    const found = lint({
      [file]: source,
      'src/services/b.ts': "import { a } from './a.ts';\nexport const b = () => a;\n",
    });
    expect(found.get(file)).toEqual([expect.stringContaining(rule)]);
  });

  test('let config.ts read process.env, commands print, and tests and scripts do both', () => {
    const source = 'console.log(process.env);\n';
    const found = lint({
      'src/config.ts': 'export const a = process.env;\n',
      'src/commands/a.ts': "console.log('a');\n",
      'tests/a.ts': source,
      'scripts/a.ts': source,
    });
    expect([...found.values()].flat()).toEqual([]);
  });
});
