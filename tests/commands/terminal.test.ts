import { describe, expect, test } from '@jest/globals';
import { progressLine } from '../../src/commands/terminal/progress-bar.ts';
import { visible } from '../../src/commands/terminal/style.ts';
import { alignedTable, columnsOf } from '../../src/commands/terminal/table.ts';

const plain = (_format: unknown, text: string): string => text;
const bold = (text: string): string => `\x1b[1m${text}\x1b[22m`;

describe('an aligned table', () => {
  test('puts cells one below the other, whatever colours they have', () => {
    const rows = [
      [bold('NAME'), bold('ID')],
      ['a', '1'],
      ['longer', '2'],
    ];
    expect(alignedTable(rows)).toBe(`${bold('NAME')}    ${bold('ID')}\na       1\nlonger  2`);
  });

  test('puts numbers to the right', () => {
    expect(
      alignedTable(
        [
          ['of', 'each'],
          ['a', '1'],
          ['b', '10'],
        ],
        (column) => column > 0,
      ),
    ).toBe('of  each\na      1\nb     10');
  });

  test('counts wide characters and emoji as two columns, and what joins others as none', () => {
    expect(['ab', '张三', '한글', '🔔', 'é', 'e\u0301', ''].map(columnsOf)).toEqual([2, 4, 4, 2, 1, 1, 0]);
    expect(
      alignedTable([
        ['张三', 'x'],
        ['ada', 'y'],
      ]),
    ).toBe('张三  x\nada   y');
  });
});

test('names cannot move the cursor, nor begin a line or column of their own', () => {
  expect(visible('a\tb\nc\x1b[2Jd\x9b')).toBe('a\\u0009b\\u000ac\\u001b[2Jd\\u009b');
  expect(visible('张三 ada')).toBe('张三 ada');
});

describe('a line of progress', () => {
  test('tells the share, the time and what is done', () => {
    expect(progressLine({ text: 'round 1', share: 0.5 }, 75, 80, plain)).toBe(
      `${'━'.repeat(10)}${'─'.repeat(10)}  50 %  1:15  round 1`,
    );
  });

  test('never is as wide as the terminal, so that it never wraps', () => {
    const text = 'x'.repeat(300);
    for (const columns of [10, 20, 49, 50, 80, 300]) {
      for (const share of [undefined, 0, 0.333, 1, 7]) {
        expect(progressLine({ text, share }, 3599, columns, plain).length).toBeLessThan(columns);
      }
    }
  });

  test('shows no share where none is known', () => {
    expect(progressLine({ text: 'starting' }, 3, 80, plain)).toBe('0:03  starting');
  });
});
