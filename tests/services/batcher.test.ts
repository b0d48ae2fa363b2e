import { expect, test } from '@jest/globals';
import { asEveryTenant, asTenant, currentScope } from '../../src/scope.ts';
import { Batcher } from '../../src/services/batcher.ts';
import { exclusiveKeyOf } from '../../src/services/send-item.ts';
import { newAddress, numbers, openServices, sendItem } from './support.ts';

interface Call {
  readonly items: readonly string[];
  answer(): void;
  fail(error: unknown): void;
}

/** A batcher whose statements a test answers one by one. */
function createControlled({ maxBatch = 10, maxInFlight = 1, maxQueued = 100 } = {}) {
  const calls: Call[] = [];
  let arrived = Promise.withResolvers<void>();
  const batcher = new Batcher<string, string>({
    write: (items) => {
      const { promise, resolve, reject } = Promise.withResolvers<(string | Error)[]>();
      const answer = () => resolve(items.map((item) => (item.startsWith('own') ? new Error(item) : `${item}!`)));
      calls.push({ items, answer, fail: reject });
      arrived.resolve();
      return promise;
    },
    exclusiveKey: (item) => /key \w+/.exec(item)?.[0],
    groupKey: (item) => /group \w+/.exec(item)?.[0] ?? item,
    maxBatch,
    maxInFlight,
    maxQueued,
  });
  /** The next statement, when it is sent. */
  const nextCall = async (): Promise<Call> => {
    while (calls.length === 0) {
      await arrived.promise;
      arrived = Promise.withResolvers<void>();
    }
    return calls.shift() as Call;
  };
  return { batcher, calls, nextCall };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
const rowFault = (): Error => Object.assign(new Error('invalid byte sequence'), { code: '22021' });

test('what arrives in one turn shares a statement, and what arrives during it shares the next', async () => {
  const { batcher, nextCall } = createControlled();
  const first = ['a', 'b'].map((item) => batcher.add(item));
  const one = await nextCall();
  const second = ['c', 'd', 'e'].map((item) => batcher.add(item));
  expect(one.items).toEqual(['a', 'b']);
  one.answer();
  const two = await nextCall();
  expect(two.items).toEqual(['c', 'd', 'e']);
  two.answer();
  expect(await Promise.all([...first, ...second])).toEqual(['a!', 'b!', 'c!', 'd!', 'e!']);
});

test('a statement runs within the scopes of all whose items it holds, also when it is tried again in halves', async () => {
  const scopes: (readonly [string, string])[] = [];
  const batcher = new Batcher<string, string>({
    write: async (items) => {
      scopes.push([items.join(' '), currentScope().setting]);
      if (items.length > 1 && items.includes('bad')) throw rowFault();
      return items;
    },
    maxBatch: 10,
    maxInFlight: 1,
    maxQueued: 100,
  });
  const add = (tenantId: string, item: string) => asTenant(tenantId, () => batcher.add(item));
  // Whoever makes a batch begin is of no account.
  await asEveryTenant(() => Promise.all([add('a', 'one'), add('b', 'two'), add('a', 'three')]));
  await Promise.all([add('a', 'good'), add('b', 'bad'), batcher.add('nobody’s')]);
  expect(scopes).toEqual([
    ['one two three', '{"a","b"}'],
    ['good bad nobody’s', '{"a","b"}'],
    ['good', '{"a"}'],
    ['bad nobody’s', '{"b"}'],
    ['bad', '{"b"}'],
    ['nobody’s', '{}'],
  ]);
});

test('items of one group share a statement or come one after the other, and hold up nobody else', async () => {
  const { batcher, calls, nextCall } = createControlled({ maxInFlight: 2 });
  const answers = ['a group x', 'b group x'].map((item) => batcher.add(item));
  const one = await nextCall();
  expect(one.items).toEqual(['a group x', 'b group x']);
  answers.push(...['c group x', 'd group y', 'e'].map((item) => batcher.add(item)));
  const two = await nextCall();
  expect(two.items).toEqual(['d group y', 'e']);
  two.answer();
  await turn();
  expect(calls).toEqual([]);
  one.answer();
  const three = await nextCall();
  expect(three.items).toEqual(['c group x']);
  three.answer();
  expect(await Promise.all(answers)).toHaveLength(5);
});

test('statements are no larger, and no more at once, than allowed', async () => {
  const { batcher, calls, nextCall } = createControlled({ maxBatch: 3, maxInFlight: 2 });
  const answers = numbers(1, 8).map((item) => batcher.add(`${item}`));
  const [one, two] = [await nextCall(), await nextCall()];
  await turn();
  expect(calls).toHaveLength(0);
  one.answer();
  const three = await nextCall();
  expect([one, two, three].map(({ items }) => items.length)).toEqual([3, 3, 2]);
  two.answer();
  three.answer();
  expect(await Promise.all(answers)).toEqual(numbers(1, 8).map((item) => `${item}!`));
});

test('more than may wait is refused with RATE_LIMITED, and what waits is still written', async () => {
  const { batcher, nextCall } = createControlled({ maxQueued: 2 });
  const under = batcher.add('under way');
  const call = await nextCall();
  const waiting = [batcher.add('a'), batcher.add('b')];
  await expect(batcher.add('c')).rejects.toMatchObject({ code: 'RATE_LIMITED', retryAfterSeconds: 1 });
  call.answer();
  (await nextCall()).answer();
  expect(await Promise.all([under, ...waiting])).toEqual(['under way!', 'a!', 'b!']);
});

test('an error among the results is that item’s own', async () => {
  const { batcher, nextCall } = createControlled();
  const answers = Promise.allSettled(['a', 'own', 'b'].map((item) => batcher.add(item)));
  (await nextCall()).answer();
  expect((await answers).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
});

test('a statement that fails for a row’s sake is split until only that row has failed', async () => {
  const { batcher, nextCall } = createControlled();
  const answers = Promise.allSettled(['a', 'b', 'bad', 'c', 'd'].map((item) => batcher.add(item)));
  const settled = answers.then(() => 'settled' as const);
  for (;;) {
    const call = await Promise.race([nextCall(), settled]);
    if (call === 'settled') break;
    if (call.items.includes('bad')) call.fail(rowFault());
    else call.answer();
  }
  expect((await answers).map(({ status }) => status)).toEqual([
    'fulfilled',
    'fulfilled',
    'rejected',
    'fulfilled',
    'fulfilled',
  ]);
});

test('a statement that fails for another reason fails all its items at once, and the next one is written', async () => {
  const { batcher, nextCall } = createControlled();
  const answers = Promise.allSettled(['a', 'b'].map((item) => batcher.add(item)));
  (await nextCall()).fail(Object.assign(new Error('terminated'), { code: '57P01' }));
  expect((await answers).every(({ status }) => status === 'rejected')).toBe(true);
  const next = batcher.add('c');
  (await nextCall()).answer();
  expect(await next).toBe('c!');
});

test('items with the same key neither share a statement nor run beside each other; others pass them', async () => {
  const { batcher, calls, nextCall } = createControlled({ maxInFlight: 2 });
  const answers = ['1 key a', '2 key a', '3 key b', '4'].map((item) => batcher.add(item));
  const one = await nextCall();
  expect(one.items).toEqual(['1 key a', '3 key b', '4']);
  const late = batcher.add('5');
  const two = await nextCall();
  expect(two.items).toEqual(['5']);
  two.answer();
  await late;
  await turn();
  expect(calls).toHaveLength(0);
  one.answer();
  const three = await nextCall();
  expect(three.items).toEqual(['2 key a']);
  three.answer();
  expect(await Promise.all(answers)).toHaveLength(4);
});

test('a key is free again after its statement failed', async () => {
  const { batcher, nextCall } = createControlled();
  const answers = Promise.allSettled(['1 key a', '2 key a'].map((item) => batcher.add(item)));
  (await nextCall()).fail(new Error('lost'));
  (await nextCall()).answer();
  expect((await answers).map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
});

test('drain resolves at once when idle, and otherwise after the last answer', async () => {
  const { batcher, nextCall } = createControlled({ maxBatch: 1 });
  await batcher.drain();
  const answered: string[] = [];
  const answers = ['a', 'b'].map((item) => batcher.add(item).then((answer) => answered.push(answer)));
  const drained = batcher.drain().then(() => answered.length);
  (await nextCall()).answer();
  (await nextCall()).answer();
  expect(await drained).toBe(2);
  await Promise.all(answers);
});

test('against the real database one row that it refuses fails alone, and its neighbours are stored in order', async () => {
  await using services = await openServices();
  const batcher = new Batcher({
    write: services.write,
    exclusiveKey: exclusiveKeyOf,
    maxBatch: 100,
    maxInFlight: 2,
    maxQueued: 100,
  });
  const address = newAddress();
  const items = numbers(1, 9).map((nth) => sendItem(address, { title: nth === 6 ? 'NUL \0' : `${nth}` }));
  const results = await Promise.allSettled(items.map((item) => batcher.add(item)));
  expect(results.map(({ status }) => status === 'fulfilled')).toEqual(numbers(1, 9).map((nth) => nth !== 6));
  const { notifications, head } = await services.log.page(address, { filter: {}, order: 'oldest', limit: 100 });
  expect(notifications.map(({ title }) => title)).toEqual(['1', '2', '3', '4', '5', '7', '8', '9']);
  expect(head).toMatchObject({ version: 8, totalCount: 8, unreadCount: 8 });
});
