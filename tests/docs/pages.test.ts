import { existsSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { type DocumentNode, Kind, buildSchema, parse, specifiedRules, validate } from 'graphql';
import { loadConfig, variableName } from '../../src/config.ts';
import { errorKinds } from '../../src/errors.ts';
import { anchorsOf, blocksOf, linksOf, pages, read, root } from './markdown.ts';

const schema = buildSchema(read('schema.graphql'));

/** What is wrong with a link of a page, if anything is. */
function faultOf(page: string, target: string): string | undefined {
  const [path = '', anchor] = target.split('#');
  const file = path === '' ? page : relative(root, join(root, dirname(page), path));
  if (!existsSync(join(root, file))) return `${target}: no such file`;
  if (anchor === undefined || !file.endsWith('.md')) return undefined;
  return anchorsOf(read(file)).has(anchor) ? undefined : `${target}: no such heading`;
}

/** Each operation by itself: pages show several without a name in one block. */
const operationsOf = (code: string): DocumentNode[] => {
  const { definitions } = parse(code);
  const fragments = definitions.filter(({ kind }) => kind === Kind.FRAGMENT_DEFINITION);
  return definitions
    .filter(({ kind }) => kind === Kind.OPERATION_DEFINITION)
    .map((operation) => ({ kind: Kind.DOCUMENT, definitions: [operation, ...fragments] }));
};

test('a link to what is not there is found, and one to a heading is held to what GitHub makes of it', () => {
  const page = 'docs/channels.md';
  expect(['nothing.md', 'receipts.md#nothing', '#nothing'].map((target) => faultOf(page, target))).toEqual([
    'nothing.md: no such file',
    'receipts.md#nothing: no such heading',
    '#nothing: no such heading',
  ]);
  expect(['receipts.md#the-list', '../schema.graphql', '#mail'].map((target) => faultOf(page, target))).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  const headings = '# `/metrics`, and more\n\n## A [link](x.md)\n\n## Same\n\n## Same\n\n```sh\n# no heading\n```\n';
  expect([...anchorsOf(headings)]).toEqual(['metrics-and-more', 'a-link', 'same', 'same-1']);
});

describe.each(pages)('%s', (page) => {
  const markdown = read(page);

  test('has only links that lead somewhere', () => {
    expect(linksOf(markdown).flatMap((target) => faultOf(page, target) ?? [])).toEqual([]);
  });

  test('has only GraphQL that the schema takes', () => {
    const blocks = blocksOf(markdown).filter(({ language }) => language === 'graphql');
    const errors = blocks.flatMap(({ code }) =>
      operationsOf(code).flatMap((one) => validate(schema, one, specifiedRules)),
    );
    expect(errors.map(({ message }) => message)).toEqual([]);
  });
});

const written = pages.filter((page) => page.startsWith('docs/'));

/** Words in capitals that are no settings of ours: codes of errors, and values of the schema. */
const otherWords = new Set([
  ...Object.keys(errorKinds),
  ...Array.from(read('schema.graphql').matchAll(/^ {2}([A-Z_]+)$/gm), ([, word = '']) => word),
  'PERSISTED_QUERY_NOT_FOUND',
  // OpenTelemetry's library reads it by itself.
  'OTEL_RESOURCE_ATTRIBUTES',
]);

test.each(written)('%s names only settings that exist', (page) => {
  const settings = new Set(Object.keys(loadConfig({})).map(variableName));
  const named = [...read(page).matchAll(/`([A-Z]+(?:_[A-Z]+)+)(?==|`)/g)].map(([, name = '']) => name);
  const isSetting = (name: string) => settings.has(name) || settings.has(name.replace(/_FILE$/, ''));
  expect(named.filter((name) => !isSetting(name) && !otherWords.has(name))).toEqual([]);
});

test.each(['docs/graphql.md', 'docs/getting-started.md', 'docs/legacy.md'])(
  '%s says of every program and shell line whether it is run',
  (page) => {
    const programs = blocksOf(read(page)).filter(({ language }) => ['js', 'sh', 'go'].includes(language));
    expect(programs.filter(({ kind }) => kind === undefined)).toEqual([]);
    expect(programs.length).toBeGreaterThan(0);
  },
);

test('the index leads to every page of docs/', () => {
  const linked = new Set(linksOf(read('docs/README.md')));
  const names = written.map((page) => page.slice('docs/'.length)).filter((name) => name !== 'README.md');
  expect(names.filter((name) => !linked.has(name))).toEqual([]);
});
