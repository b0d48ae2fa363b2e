import { expect, jest, test } from '@jest/globals';
import { SlowConsumerError } from '../../src/services/inbox-listener.ts';
import { LiveQueue } from '../../src/services/live-queue.ts';
import { readAll } from './live-support.ts';

function open({ maxWaiting = 3, first = [] as number[] } = {}) {
  const onEnd = jest.fn();
  const onSlow = jest.fn();
  return { onEnd, onSlow, queue: new LiveQueue<number>({ maxWaiting, first, onEnd, onSlow }) };
}

test('what is pushed is handed over in the same turn, after what waited', () => {
  const { queue } = open({ first: [1, 2] });
  queue.push(3);
  const { messages } = readAll(queue);
  expect(messages.all).toEqual([1, 2, 3]);
  queue.push(4);
  expect(messages.all).toEqual([1, 2, 3, 4]);
});

test('a reader that asks for one at a time gets each once, in order', async () => {
  const { queue } = open({ first: [1] });
  expect(await queue.next()).toEqual({ done: false, value: 1 });
  const next = queue.next();
  queue.push(2);
  queue.push(3);
  expect(await next).toEqual({ done: false, value: 2 });
  expect(await queue.next()).toEqual({ done: false, value: 3 });
});

test('a sink that wants no more gets no more until it asks again', () => {
  const { queue } = open();
  const taken: number[] = [];
  const sink = { take: (event: number) => taken.push(event) > 1, ended: () => {} };
  queue.pipe(sink);
  queue.push(1);
  queue.push(2);
  expect(taken).toEqual([1]);
  queue.pipe(sink);
  queue.push(3);
  expect(taken).toEqual([1, 2, 3]);
});

test('as many as allowed wait beside those that were there first; one more ends the reader as too slow', async () => {
  const { queue, onSlow, onEnd } = open({ maxWaiting: 2, first: [1, 2, 3] });
  for (const event of [4, 5]) queue.push(event);
  expect(onSlow).not.toHaveBeenCalled();
  queue.push(6);
  queue.push(7);
  expect([onSlow.mock.calls.length, onEnd.mock.calls.length]).toEqual([1, 1]);
  await expect(queue.next()).rejects.toThrow(SlowConsumerError);
  expect(await queue.next()).toEqual({ done: true, value: undefined });
});

test('an error ends it once, and is told to the sink that waits', async () => {
  const { queue, onEnd } = open();
  const { ended } = readAll(queue);
  queue.fail(new Error('over'));
  queue.fail(new Error('over again'));
  expect(await ended).toEqual(new Error('over'));
  expect(onEnd).toHaveBeenCalledTimes(1);
  queue.push(1);
  expect(await queue.next()).toEqual({ done: true, value: undefined });
});

test('its owner ends it without an error, also in the middle of being told', async () => {
  const { queue, onEnd } = open({ first: [1, 2] });
  const taken: number[] = [];
  const over = Promise.withResolvers<Error | undefined>();
  queue.pipe({
    take(event) {
      taken.push(event);
      void queue.return();
      return true;
    },
    ended: over.resolve,
  });
  expect(taken).toEqual([1]);
  expect(onEnd).toHaveBeenCalledTimes(1);
  const { ended } = readAll(queue);
  expect(await ended).toBeUndefined();
});
