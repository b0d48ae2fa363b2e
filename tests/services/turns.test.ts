import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { Turns } from '../../src/services/turns.ts';

/** Asks for this much in this turn, and tells in which turn, counted from now, each was let on. */
async function turnsOf(amounts: readonly number[]): Promise<number[]> {
  const turns = new Turns(10);
  const letOn: number[] = [];
  let turn = 0;
  // Before those of `turns`: what they let on is of the turn that has begun.
  let counting = setImmediate(function count() {
    turn += 1;
    counting = setImmediate(count);
  });
  await Promise.all(
    amounts.map(async (amount, nth) => {
      await turns.take(amount);
      letOn[nth] = turn;
    }),
  );
  clearImmediate(counting);
  return letOn;
}

test('what fits into a turn is done in it, and the rest in the next ones, in order', async () => {
  expect(await turnsOf([4, 6])).toEqual([0, 0]);
  expect(await turnsOf([4, 6, 1, 9, 1, 5, 5])).toEqual([0, 0, 1, 1, 2, 2, 3]);
});

test('what is too large for any turn has one alone', async () => {
  expect(await turnsOf([25, 1, 25, 25, 3])).toEqual([0, 1, 2, 3, 4]);
});

test('a small amount does not go before a large one that came earlier', async () => {
  expect(await turnsOf([8, 5, 1])).toEqual([0, 1, 1]);
});

test('who comes when nothing waits is not made to wait', async () => {
  const turns = new Turns(10);
  expect(turns.take(10)).toBeUndefined();
  await nextTurn();
  expect(turns.take(10)).toBeUndefined();
});
