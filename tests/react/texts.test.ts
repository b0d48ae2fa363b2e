import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { safeLink } from '../../packages/react/src/link.ts';
import { relativeTime } from '../../packages/react/src/time.ts';

const read = (path: string): string => readFileSync(join(import.meta.dirname, '../../packages/react', path), 'utf8');

describe('the README', () => {
  const readme = read('README.md');

  test('names every variable of the stylesheet, with its values', () => {
    const css = read('src/styles.css');
    const variables = [...css.matchAll(/var\((--carillon-[a-z-]+), (?:light-dark\((#\w+), (#\w+)\))?/g)];
    expect(variables.length).toBeGreaterThan(10);
    for (const [, name, light, dark] of variables) {
      expect(readme).toContain(light ? `| \`${name}\` | \`${light}\` | \`${dark}\` |` : `| \`${name}\` |`);
    }
  });

  test('names every message', () => {
    const [, messages = ''] = /interface Messages \{(.*?)\n\}/s.exec(read('src/messages.ts')) ?? [];
    const names = [...messages.matchAll(/readonly (\w+):/g)].map(([, name]) => `\`${name}\``);
    expect(names.length).toBeGreaterThan(30);
    const table = readme.slice(readme.indexOf('## Messages'));
    expect(names.filter((name) => !table.includes(name))).toEqual([]);
  });
});

describe('a link', () => {
  test.each(['https://example.com/a?b#c', 'http://localhost:1/', 'HTTPS://EXAMPLE.COM', '/', '/a/b?c=//d#e'])(
    'to %s is followed',
    (link) => {
      expect(safeLink(link)).toBe(link);
    },
  );

  test.each([
    'javascript:alert(1)',
    'JavaScript:alert(1)',
    ' javascript:alert(1)',
    'java\nscript:alert(1)',
    'data:text/html,x',
    'vbscript:x',
    'file:///etc/passwd',
    '//example.com',
    '/\\example.com',
    '/\t/example.com',
    '/\n/example.com',
    'https://',
    'relative/path',
    '',
  ])('to %j is not', (link) => {
    expect(safeLink(link)).toBeNull();
  });
});

describe('a time', () => {
  const now = Date.parse('2026-06-15T12:00:00Z');
  const SECOND = 1000;
  const MINUTE = 60 * SECOND;
  const HOUR = 60 * MINUTE;
  const DAY = 24 * HOUR;
  test.each([
    [0, 'now', '现在'],
    [-5 * MINUTE, 'now', '现在'],
    [59 * SECOND, 'now', '现在'],
    [5 * MINUTE, '5 min. ago', '5分钟前'],
    [3 * HOUR, '3 hr. ago', '3小时前'],
    [DAY, 'yesterday', '昨天'],
    [6 * DAY, '6 days ago', '6天前'],
    [10 * DAY, 'Jun 5', '6月5日'],
    [300 * DAY, 'Aug 19, 2025', '2025年8月19日'],
  ])('of %i ms ago is “%s”', (ago, english, chinese) => {
    expect(relativeTime(now - ago, now, 'en-US')).toBe(english);
    expect(relativeTime(now - ago, now, 'zh-CN')).toBe(chinese);
  });
});
