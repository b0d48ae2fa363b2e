import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { createInProcessTopics } from '../../src/pubsub/in-process.ts';
import type { Topics } from '../../src/pubsub/topics.ts';
import type { Caller } from '../../src/services/caller.ts';
import { SlowConsumerError } from '../../src/services/inbox-listener.ts';
import { type TypingEvent, Typing } from '../../src/services/typing.ts';
import { typingTopic } from '../../src/services/typing-event.ts';
import { eventually } from '../support/eventually.ts';
import { HostileTopics } from './hostile-topics.ts';
import { callerOf, readAll, silent } from './live-support.ts';
import { createRandom } from './support.ts';
import { ofEveryTenant } from '../support/every-tenant.ts';

const REPEAT_MS = 2000;
const EXPIRY_MS = 6000;
/** What timers may be early and late by on a busy machine. */
const EARLY_MS = 50;
const LATE_MS = 3000;

let topics: Topics;
let typing: Typing;
const createTyping = (on: Topics, config = {}): Typing =>
  ofEveryTenant(
    new Typing({ config: { maxWaitingEvents: 256, rateLimits: 'on', ...config }, topics: on, logger: silent }),
  );

beforeEach(() => {
  topics = createInProcessTopics();
  typing = createTyping(topics);
});
afterEach(async () => {
  await typing[Symbol.asyncDispose]();
  await topics[Symbol.asyncDispose]();
});

const set = (from: Caller, to: Caller, isTyping: boolean, conversation = 'c'): Promise<void> =>
  typing.set(from, { to: to.userId, conversation, typing: isTyping });
const listen = async (who: Caller, conversation = 'c') => readAll(await typing.listen(who, conversation));
const heard = ({ messages }: { messages: { all: TypingEvent[] } }) =>
  messages.all.map(({ userId, typing: isTyping }) => [userId, isTyping]);

describe('a listener', () => {
  test('hears who types to it in the conversation, and who has stopped', async () => {
    const [ada, bob] = [callerOf(), callerOf()];
    await using listener = await listen(bob);
    await set(ada, bob, true);
    await set(ada, bob, false);
    expect(await listener.messages.count(2)).toEqual([
      { userId: ada.userId, conversation: 'c', typing: true, at: expect.any(Date) },
      { userId: ada.userId, conversation: 'c', typing: false, at: expect.any(Date) },
    ]);
  });

  test('hears nothing of other conversations, of what is typed to others, and of other tenants', async () => {
    const [ada, bob, eve] = [callerOf(), callerOf(), callerOf()];
    const namesake = callerOf({ tenantId: 'other', userId: bob.userId });
    const foreigner = callerOf({ tenantId: 'other' });
    await using listener = await listen(bob);
    await using others = await Promise.all([listen(eve), listen(ada), listen(namesake)]).then((list) => ({
      list,
      [Symbol.asyncDispose]: async () => void (await Promise.all(list.map((each) => each[Symbol.asyncDispose]()))),
    }));
    await set(ada, bob, true, 'another');
    await set(foreigner, bob, true);
    await set(ada, eve, true);
    await set(ada, bob, true);
    await listener.messages.count(1);
    expect(heard(listener)).toEqual([[ada.userId, true]]);
    expect(others.list.map(heard)).toEqual([[[ada.userId, true]], [], [[foreigner.userId, true]]]);
  });

  test('and all others of the same user share one topic subscription, which ends with the last of them', async () => {
    await using hostile = new HostileTopics(createRandom(1));
    await using shared = createTyping(hostile);
    const bob = callerOf();
    const ear = { heardTyping: jest.fn() };
    const sources = await Promise.all([shared.listen(bob, 'a'), shared.listen(bob, 'b'), shared.join(bob, ear)]);
    expect([hostile.size, shared.listenedTo]).toEqual([1, 1]);
    for (const source of sources) await source?.return();
    expect([hostile.size, shared.listenedTo]).toEqual([1, 1]);
    shared.leave(bob, ear);
    shared.leave(bob, ear);
    expect(shared.listenedTo).toBe(0);
    await eventually(() => hostile.size === 0);
  });

  test('that leaves before it stands leaves no topic behind', async () => {
    await using hostile = new HostileTopics(createRandom(1));
    await using shared = createTyping(hostile);
    const bob = callerOf();
    const ear = { heardTyping: jest.fn() };
    const joined = shared.join(bob, ear);
    shared.leave(bob, ear);
    await joined;
    await eventually(() => hostile.size === 0);
  });

  test('for whom too many wait is ended as too slow', async () => {
    await using small = createTyping(topics, { maxWaitingEvents: 2 });
    const [ada, bob] = [callerOf(), callerOf()];
    const onSlow = jest.fn();
    const source = await small.listen(bob, 'c', { onSlow });
    for (const isTyping of [true, false, true]) await set(ada, bob, isTyping);
    expect(onSlow).toHaveBeenCalledTimes(1);
    await expect(source.next()).rejects.toThrow(SlowConsumerError);
    expect(small.listenedTo).toBe(0);
  });

  test('passes over whatever else comes by the topic', async () => {
    const [ada, bob] = [callerOf(), callerOf()];
    await using listener = await listen(bob);
    const good = { userId: 'x', conversation: 'c', typing: true, at: 0 };
    for (const nonsense of [
      null,
      1,
      'text',
      [],
      {},
      { ...good, userId: '' },
      { ...good, userId: 7 },
      { ...good, conversation: 'c'.repeat(257) },
      { ...good, typing: 'true' },
      { ...good, at: '2026' },
      { ...good, at: 1e300 },
    ]) {
      topics.publish(typingTopic(bob), nonsense);
    }
    await set(ada, bob, true);
    await listener.messages.count(1);
    expect(heard(listener)).toEqual([[ada.userId, true]]);
  });
});

describe('the same state again', () => {
  test('is told once within two seconds, and again after them', async () => {
    const [ada, bob] = [callerOf(), callerOf()];
    await using listener = await listen(bob);
    await eventually(async () => {
      await Promise.all([set(ada, bob, true), set(ada, bob, true)]);
      return listener.messages.all.length > 1;
    });
    const [first, second] = listener.messages.all as [TypingEvent, TypingEvent];
    expect(second.at.getTime() - first.at.getTime()).toBeGreaterThanOrEqual(REPEAT_MS - EARLY_MS);
    expect(heard(listener)).toEqual([
      [ada.userId, true],
      [ada.userId, true],
    ]);
  });

  test('is told at once to somebody else, in another conversation, and by somebody else', async () => {
    const [ada, bob, eve] = [callerOf(), callerOf(), callerOf()];
    await using ofBob = await listen(bob);
    await using elsewhere = await listen(bob, 'another');
    await using ofEve = await listen(eve);
    await Promise.all([set(ada, bob, true), set(ada, eve, true), set(ada, bob, true, 'another'), set(eve, bob, true)]);
    expect(heard(ofBob)).toEqual([
      [ada.userId, true],
      [eve.userId, true],
    ]);
    expect([heard(elsewhere), heard(ofEve)]).toEqual([[[ada.userId, true]], [[ada.userId, true]]]);
  });

  test('costs nothing of the limit of changes', async () => {
    const [ada, bob] = [callerOf(), callerOf()];
    for (let count = 0; count < 100; count += 1) await set(ada, bob, true);
    await set(ada, bob, false);
  });
});

describe('changes', () => {
  const change = (who: Typing, from: Caller, nth: number): Promise<void> =>
    who.set(from, { to: 'bob', conversation: 'c', typing: nth % 2 === 0 });

  test('beyond twenty of one user within ten seconds are refused, and say how long to wait', async () => {
    const ada = callerOf();
    for (let nth = 0; nth < 20; nth += 1) await change(typing, ada, nth);
    for (const conversation of ['c', 'another']) {
      const refused = typing.set(ada, { to: 'bob', conversation, typing: true });
      await expect(refused).rejects.toMatchObject({ code: 'RATE_LIMITED', retryAfterSeconds: expect.any(Number) });
      const { retryAfterSeconds } = await refused.catch((error) => error);
      expect(retryAfterSeconds).toBeGreaterThan(0);
      expect(retryAfterSeconds).toBeLessThanOrEqual(10);
    }
    // Neither another user, nor one of the same id in another tenant.
    await change(typing, callerOf(), 0);
    await change(typing, callerOf({ tenantId: 'other', userId: ada.userId }), 0);
  });

  test('are not counted without rate limits', async () => {
    await using free = createTyping(topics, { rateLimits: 'off' });
    const ada = callerOf();
    for (let nth = 0; nth < 100; nth += 1) await change(free, ada, nth);
  });
});

describe('somebody who says nothing more', () => {
  test('is told to have stopped after six seconds, once; whoever repeats it is not', async () => {
    const [ada, eve, bob] = [callerOf(), callerOf(), callerOf()];
    await using listener = await listen(bob);
    await set(ada, bob, true);
    await set(eve, bob, true);
    const said = performance.now();
    const stopped = () => heard(listener).filter(([, isTyping]) => isTyping === false);
    await eventually(async () => {
      await set(eve, bob, true);
      return stopped().length > 0;
    }, EXPIRY_MS + LATE_MS);
    const tookMs = performance.now() - said;
    expect(tookMs).toBeGreaterThanOrEqual(EXPIRY_MS - EARLY_MS);
    expect(stopped()).toEqual([[ada.userId, false]]);
    expect(heard(listener).filter(([userId]) => userId === ada.userId)).toHaveLength(2);
  });
});

test.each([
  ['to', { to: '' }],
  ['to', { to: 'x'.repeat(129) }],
  ['to', { to: 'a\0b' }],
  ['to', { to: '\ud800' }],
  ['conversation', { conversation: '' }],
  ['conversation', { conversation: 'x'.repeat(129) }],
])('a wrong %s is refused: %j', async (field, wrong) => {
  const refused = typing.set(callerOf(), { to: 'bob', conversation: 'c', typing: true, ...wrong });
  await expect(refused).rejects.toMatchObject({ code: 'BAD_USER_INPUT', field });
});

test('a conversation that cannot be is refused to listeners as well', async () => {
  await expect(typing.listen(callerOf(), '')).rejects.toMatchObject({ code: 'BAD_USER_INPUT', field: 'conversation' });
  expect(typing.listenedTo).toBe(0);
});

test('ids of 128 characters beyond the first plane are told as they are', async () => {
  const long = '😀'.repeat(128);
  const [ada, bob] = [callerOf({ userId: long }), callerOf({ userId: `${long.slice(2)}🔔` })];
  await using listener = await listen(bob, long);
  await set(ada, bob, true, long);
  expect(heard(listener)).toEqual([[long, true]]);
});
