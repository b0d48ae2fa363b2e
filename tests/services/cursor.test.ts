import { describe, expect, test } from '@jest/globals';
import { CarillonError } from '../../src/errors.ts';
import { NO_EPOCH, decodeCursor, encodeCursor, faultIn, mustBeIn, newEpoch } from '../../src/services/cursor.ts';

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

  test('is of use up to the head', () => {
    for (const version of [0, 1, 10]) {
      expect(faultIn(head, { epoch, version })).toBeUndefined();
      mustBeIn(head, { epoch, version }, 'after');
    }
  });

  test('is refused when it lies in the future, belongs to another inbox, or the inbox does not exist', () => {
    const cases = [
      { inbox: head, cursor: { epoch, version: 11 }, fault: 'FUTURE_CURSOR' },
      { inbox: head, cursor: { epoch: newEpoch(), version: 1 }, fault: 'FOREIGN_CURSOR' },
      { inbox: undefined, cursor: { epoch, version: 1 }, fault: 'FOREIGN_CURSOR' },
      { inbox: { epoch: NO_EPOCH, version: 0 }, cursor: { epoch, version: 0 }, fault: 'FOREIGN_CURSOR' },
      { inbox: head, cursor: { epoch: NO_EPOCH, version: 1 }, fault: 'FOREIGN_CURSOR' },
    ];
    for (const { inbox, cursor, fault } of cases) {
      expect(faultIn(inbox, cursor)).toBe(fault);
      const refused = refusal(() => mustBeIn(inbox, cursor, 'before'));
      expect(refused).toMatchObject({ code: 'BAD_USER_INPUT', field: 'before' });
    }
  });

  test('from before the inbox existed means the very beginning, whatever it has become', () => {
    const beginning = decodeCursor(encodeCursor(NO_EPOCH, 0), 'after');
    for (const inbox of [head, undefined]) {
      expect(faultIn(inbox, beginning)).toBeUndefined();
      mustBeIn(inbox, beginning, 'after');
    }
    expect(beginning.version).toBe(0);
  });
});
