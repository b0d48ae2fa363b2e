import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { hasMoreValues } from '../../src/transports/json-text.ts';

const valuesIn = (value: unknown): number =>
  typeof value === 'object' && value !== null
    ? 1 +
      Math.max(
        1,
        Object.values(value).reduce<number>((sum, one) => sum + valuesIn(one), 0),
      )
    : 1;

const has = (text: string, most: number): boolean => hasMoreValues(Buffer.from(text), most);

describe('the values of a JSON text', () => {
  test('are those that a parser makes of it, whatever its strings say; an empty list or object counts as one more', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.integer({ min: 0, max: 4 }), (value, indent) => {
        const text = JSON.stringify(value, undefined, indent);
        const values = valuesIn(value);
        // What is too short to have more is not read; padded, everything is.
        const padded = text + ' '.repeat(2 * values);
        expect([has(padded, values), values === 1 || has(padded, values - 1)]).toEqual([false, true]);
      }),
    );
  });

  test.each([
    ['brackets that are never closed', '['.repeat(2001)],
    ['braces', '{"a":'.repeat(1001)],
    ['commas alone', ','.repeat(2001)],
    ['a string that never ends, behind what is too much', `${'[],'.repeat(1000)}"`],
  ])('are counted where it is no JSON: %s', (_, text) => {
    expect(has(text, 1000)).toBe(true);
  });

  test('in strings are none', () => {
    expect(has(JSON.stringify([`${'[{,'.repeat(1000)}\\"`, '\\', '"']), 4)).toBe(false);
  });
});
