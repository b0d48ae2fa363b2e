import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '../..');

export const read = (file: string): string => readFileSync(join(root, file), 'utf8');

/** Every page that a reader is led to: those of docs/, and those of the root. */
export const pages: readonly string[] = [
  'README.md',
  'README.zh-CN.md',
  'ARCHITECTURE.md',
  'PROTOCOL.md',
  'CHANGELOG.md',
  'SECURITY.md',
  'packages/client/README.md',
  'packages/react/README.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

/**
 * A fenced block. A comment in front of it, which readers do not see, says what the tests do with it:
 *
 * - `file: NAME` is saved under that name, for those that are run;
 * - `run: NAME` is for the shell, after the blocks of the same name before it;
 * - `stream: NAME` is for the shell as well, and goes on until it is stopped;
 * - `output: NAME` is what a program prints;
 * - `excerpt` is not run: it is a part of something, or needs what a test has not.
 */
export interface Block {
  readonly language: string;
  readonly code: string;
  readonly kind: string | undefined;
  readonly name: string;
}

const BLOCK = /(?:^<!-- (\w+)(?:: (\S+))? -->\n)?^```(\w*)\n(.*?)^```$/gms;

export const blocksOf = (markdown: string): Block[] =>
  [...markdown.matchAll(BLOCK)].map(([, kind, name = '', language = '', code = '']) => ({
    language,
    code,
    kind,
    name,
  }));

/** The text without what is in fences, where nothing is a link or a heading. */
export const proseOf = (markdown: string): string => markdown.replaceAll(/^```.*?^```$/gms, '');

/** The anchors of a page's headings, as GitHub makes them. */
export function anchorsOf(markdown: string): Set<string> {
  const anchors = new Set<string>();
  const times = new Map<string, number>();
  for (const [, heading = ''] of proseOf(markdown).matchAll(/^#{1,6} +(.+)$/gm)) {
    const words = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    const anchor = words.replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, '').replaceAll(' ', '-');
    const before = times.get(anchor) ?? 0;
    times.set(anchor, before + 1);
    anchors.add(before === 0 ? anchor : `${anchor}-${before}`);
  }
  return anchors;
}

/** The targets of the links that stay within the repository. */
export const linksOf = (markdown: string): string[] =>
  [...proseOf(markdown).matchAll(/\]\((?!https?:|mailto:)([^)\s]+)\)/g)].map(([, target = '']) => target);
