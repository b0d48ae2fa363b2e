import { expect, test } from '@jest/globals';
import { type ActiveSpan, under } from '../../src/tracing/spans.ts';
import { inStatement } from '../../src/tracing/statements.ts';

/** What the span of a statement is called. */
function nameOf(text: string): string {
  const names: string[] = [];
  const span: ActiveSpan = {
    traceparent: '',
    child: (name) => {
      names.push(name);
      return span;
    },
    linking: () => span,
    rename() {},
    set() {},
    fail() {},
    end() {},
  };
  under(span, () => inStatement(text, () => undefined));
  return names.join();
}

test.each([
  ['begin', 'BEGIN'],
  ['select a from inbox where id = $1', 'SELECT inbox'],
  ['with asked as (select 1) select * from asked join inbox i using (id)', 'SELECT inbox'],
  ['select * from unnest($1::text[]) as t (id) join "inbox" using (id)', 'SELECT inbox'],
  ['update inbox as i set total = 1 where i.id = $1', 'UPDATE inbox'],
  ['delete from tombstone where id = $1', 'DELETE tombstone'],
  [
    'with m as (insert into inbox as i (id) values ($1) on conflict (id) do update set id = 1) insert into "notification" select 1',
    'INSERT inbox INSERT notification',
  ],
])('%s is told as %s', (text, name) => {
  expect(nameOf(text)).toBe(name);
});
