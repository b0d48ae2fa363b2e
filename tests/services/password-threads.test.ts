import { expect, jest, test } from '@jest/globals';
import { hashPassword, verifyPassword } from '../../src/services/password.ts';

test('a password is hashed while the thread of the one before it ends', async () => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] });
  const hash = await hashPassword('one');
  jest.advanceTimersByTime(60_000);
  expect(await verifyPassword('one', hash)).toBe(true);
  jest.advanceTimersByTime(60_000);
  expect(await Promise.all([verifyPassword('one', hash), verifyPassword('two', hash)])).toEqual([true, false]);
});
