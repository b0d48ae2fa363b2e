import { describe, expect, test } from '@jest/globals';
import { CarillonError } from '../../src/errors.ts';
import { NO_EPOCH, decodeCursor, encodeCursor, newEpoch, versionIn } from '../../src/services/cursor.ts';

const versions = [0, 1, 35, 36, 1e6, 2 ** 32, 36 ** 10 - 1];
const epoch = newEpoch();

const refusal = (action: () => unknown): CarillonError => {
  try {
    action();
  } catch (error) {
    if (error instanceof CarillonError) return error;
  }
  throw new Error('nothing was refused');
};

test.each(versions)('version %d comes back as it was, and needs no escaping in an address', (version) => {
  const text = encodeCursor(epoch, version);
  expect(encodeURIComponent(text)).toBe(text);
  expect(decodeCursor(text, 'after')).toEqual({ epoch, version });
});

test('epochs are drawn anew for each inbox', () => {
  expect(new Set(Array.from({ length: 1000 }, newEpoch)).size).toBe(1000);
});

test.each([
  '',
  'x',
  epoch,
  `${epoch}-1`,
  `${epoch}01`,
  `${epoch}A`,
  `${epoch}1 `,
  ` ${epoch}1`,
  `${epoch}1\n`,
  `${epoch}1.5`,
  `${epoch}zzzzzzzzzzz`,
  `${epoch}zzzzzzzzzzzzzz`,
  `${epoch.slice(1)}+1`,
  'a'.repeat(10_000),
  '\0'.repeat(12),
])('%j is refused as bad input that names the field', (text) => {
  expect(refusal(() => decodeCursor(text, 'since'))).toMatchObject({ code: 'BAD_USER_INPUT', field: 'since' });
});

describe('a cursor in an inbox', () => {
  const head = { epoch, version: 10 };

  test('stands for its version up to the head', () => {
    expect([0, 1, 10].map((version) => versionIn(head, { epoch, version }, 'after'))).toEqual([0, 1, 10]);
  });

  test('is refused when it lies in the future, belongs to another inbox, or the inbox does not exist', () => {
    const cases = [
      () => versionIn(head, { epoch, version: 11 }, 'before'),
      () => versionIn(head, { epoch: newEpoch(), version: 1 }, 'before'),
      () => versionIn(undefined, { epoch, version: 1 }, 'before'),
      () => versionIn({ epoch: NO_EPOCH, version: 0 }, { epoch, version: 0 }, 'before'),
      () => versionIn(head, { epoch: NO_EPOCH, version: 1 }, 'before'),
    ];
    for (const one of cases) expect(refusal(one)).toMatchObject({ code: 'BAD_USER_INPUT', field: 'before' });
  });

  test('from before the inbox existed means the very beginning, whatever it has become', () => {
    const beginning = decodeCursor(encodeCursor(NO_EPOCH, 0), 'after');
    expect(versionIn(head, beginning, 'after')).toBe(0);
    expect(versionIn(undefined, beginning, 'after')).toBe(0);
  });
});
