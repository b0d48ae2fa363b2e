import { stripVTControlCharacters } from 'node:util';

/** What terminals show two columns wide: the wide and fullwidth blocks of East Asia (UAX #11), and emoji. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** How many columns of a terminal a text takes, colours aside. */
export function columnsOf(text: string): number {
  let columns = 0;
  for (const { segment } of graphemes.segment(stripVTControlCharacters(text))) columns += WIDE.test(segment) ? 2 : 1;
  return columns;
}

/** Rows with their cells one below the other, two spaces apart; those of `right` end together, the others begin so. */
export function alignedTable(
  rows: readonly (readonly string[])[],
  right: (column: number) => boolean = () => false,
): string {
  const widths = rows.reduce<number[]>((sum, row) => {
    return row.map((cell, column) => Math.max(sum[column] ?? 0, columnsOf(cell)));
  }, []);
  const pad = (cell: string, column: number): string => {
    const space = ' '.repeat((widths[column] ?? 0) - columnsOf(cell));
    return right(column) ? space + cell : cell + space;
  };
  return rows.map((row) => row.map(pad).join('  ').trimEnd()).join('\n');
}
