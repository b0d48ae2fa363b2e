import { expect, test } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import { encodeCursor, newEpoch } from '../../src/services/cursor.ts';
import { decodeSentCursor, encodeSentCursor } from '../../src/services/sent-cursor.ts';

const sender = { tenantId: 'acme', userId: 'ada' };
const refusal = expect.objectContaining({ code: 'BAD_USER_INPUT', field: 'after' });

test('a cursor leads back to its id, and is URL-safe', () => {
  for (const id of [uuidv7(), uuidv7(), '00000000-0000-0000-0000-000000000000']) {
    const cursor = encodeSentCursor(sender, id);
    expect(decodeSentCursor(sender, cursor, 'after')).toBe(id);
    expect(encodeURIComponent(cursor)).toBe(cursor);
  }
});

test.each([
  ['another user', { ...sender, userId: 'bob' }],
  ['another tenant', { ...sender, tenantId: 'globex' }],
  ['ids that read the same when joined', { tenantId: 'acmea', userId: 'da' }],
])('a cursor of %s is refused', (_who, other) => {
  const cursor = encodeSentCursor(other, uuidv7());
  expect(() => decodeSentCursor(sender, cursor, 'after')).toThrow(refusal);
});

test('a cursor in which any character is another one is refused, and so is any other text', () => {
  const cursor = encodeSentCursor(sender, uuidv7());
  for (let at = 0; at < cursor.length; at += 1) {
    const garbled = `${cursor.slice(0, at)}${cursor[at] === 'A' ? 'B' : 'A'}${cursor.slice(at + 1)}`;
    expect(() => decodeSentCursor(sender, garbled, 'after')).toThrow(refusal);
  }
  for (const text of [
    '',
    'x',
    `${cursor}A`,
    cursor.slice(1),
    encodeCursor(newEpoch(), 5),
    'A'.repeat(32),
    '\0'.repeat(32),
  ]) {
    expect(() => decodeSentCursor(sender, text, 'after')).toThrow(refusal);
  }
});
