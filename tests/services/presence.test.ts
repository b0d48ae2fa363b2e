import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { createInProcessTopics } from '../../src/pubsub/in-process.ts';
import type { Topics } from '../../src/pubsub/topics.ts';
import type { Caller } from '../../src/services/caller.ts';
import type { UserPresence } from '../../src/services/presence.ts';
import { type Link, openLink } from '../../torture/proxy.ts';
import { eventually } from '../support/eventually.ts';
import { createTestDatabase, withClient } from '../support/postgres.ts';
import { HostileTopics } from './hostile-topics.ts';
import { callerOf, readAll, silent } from './live-support.ts';
import { type InstanceOptions, type TestInstance, openInstance } from './presence-support.ts';
import { createRandom, numbers } from './support.ts';

const GRACE_MS = 2000;

let resources: AsyncDisposableStack;
let url: string;
let topics: Topics;

beforeEach(async () => {
  resources = new AsyncDisposableStack();
  url = resources.use(await createTestDatabase()).url;
  topics = resources.use(createInProcessTopics());
});
afterEach(async () => {
  await resources.disposeAsync();
});

const open = async (on: Topics = topics, options: InstanceOptions = {}): Promise<TestInstance> =>
  resources.use(await openInstance(url, on, options));
const query = (text: string, values: unknown[] = []) => withClient(url, (client) => client.query(text, values));

/** What mostly waits: such tests run beside each other, each with a database of its own. */
function testBeside(
  title: string,
  body: (world: {
    openOwn: () => Promise<TestInstance>;
    queryOwn: (text: string) => Promise<unknown>;
  }) => Promise<void>,
): void {
  test.concurrent(title, async () => {
    await using own = new AsyncDisposableStack();
    const database = own.use(await createTestDatabase());
    const shared = own.use(createInProcessTopics());
    await body({
      openOwn: async () => own.use(await openInstance(database.url, shared)),
      queryOwn: (text) => withClient(database.url, (client) => client.query(text)),
    });
  });
}

const asker = callerOf();
const stateOf = async ({ presence }: TestInstance, { userId }: Caller, by = asker): Promise<UserPresence> =>
  (await presence.isOnline(by, [userId]))[0] as UserPresence;
const isConnected = (instance: TestInstance, who: Caller, connections: number): Promise<boolean> =>
  eventually(async () => (await stateOf(instance, who)).connections === connections);
const watch = async ({ presence }: TestInstance, ...users: Caller[]) =>
  readAll(
    await presence.watch(
      asker,
      users.map(({ userId }) => userId),
    ),
  );
const countsOf = ({ messages }: { messages: { all: UserPresence[] } }) =>
  messages.all.map(({ connections }) => connections);

describe('a user', () => {
  testBeside(
    'is online while connected to any instance, with the connections to all of them, and was seen until the last',
    async ({ openOwn }) => {
      const [one, other] = [await openOwn(), await openOwn()];
      const ada = callerOf();
      expect(await stateOf(one, ada)).toEqual({
        userId: ada.userId,
        online: false,
        lastSeenAt: null,
        connections: 0,
      });
      const ends = [one.connect(ada), one.connect(ada), other.connect(ada)];
      await isConnected(one, ada, 3);
      const online = await stateOf(other, ada);
      expect(online).toMatchObject({ online: true, connections: 3 });
      expect(Math.abs(Date.now() - online.lastSeenAt!.getTime())).toBeLessThan(5000);

      ends[2]!();
      ends[0]!();
      await isConnected(one, ada, 1);
      const before = Date.now();
      ends[1]!();
      await isConnected(one, ada, 0);
      const offline = await stateOf(other, ada);
      expect(offline).toMatchObject({ online: false, connections: 0 });
      expect(offline.lastSeenAt!.getTime()).toBeGreaterThanOrEqual(before - 100);
      expect(await stateOf(other, ada)).toEqual(offline);
    },
  );

  testBeside('of another tenant, or whom nobody knows, is offline and was never seen', async ({ openOwn }) => {
    const one = await openOwn();
    const ada = callerOf();
    const end = one.connect(ada);
    await isConnected(one, ada, 1);
    const stranger = callerOf({ tenantId: 'other' });
    const never = { online: false, lastSeenAt: null, connections: 0 };
    const [known, unknown] = await one.presence.isOnline(stranger, [ada.userId, 'nobody']);
    expect([known, unknown]).toEqual([
      { userId: ada.userId, ...never },
      { userId: 'nobody', ...never },
    ]);
    end();
    await isConnected(one, ada, 0);
    expect(await stateOf(one, ada, stranger)).toEqual({ userId: ada.userId, ...never });
  });

  testBeside('who comes back within two seconds never was away', async ({ openOwn }) => {
    const one = await openOwn();
    const ada = callerOf();
    let end = one.connect(ada);
    await isConnected(one, ada, 1);
    await using watcher = await watch(one, ada);
    for (let round = 0; round < 3; round += 1) {
      end();
      end = one.connect(ada);
    }
    one.connect(ada);
    await watcher.messages.count(2);
    expect(countsOf(watcher)).toEqual([1, 2]);
  });

  testBeside('who goes is told to be gone two seconds later', async ({ openOwn }) => {
    const one = await openOwn();
    const ada = callerOf();
    const end = one.connect(ada);
    await isConnected(one, ada, 1);
    await using watcher = await watch(one, ada);
    const began = performance.now();
    end();
    await watcher.messages.count(2);
    expect(performance.now() - began).toBeGreaterThanOrEqual(GRACE_MS - 50);
    expect(countsOf(watcher)).toEqual([1, 0]);
  });

  testBeside(
    'whose instance was taken for dead is online again without anybody connecting to it',
    async ({ openOwn, queryOwn }) => {
      const one = await openOwn();
      const ada = callerOf();
      one.connect(ada);
      await isConnected(one, ada, 1);
      await queryOwn('delete from instance');
      await eventually(async () => (await stateOf(one, ada)).online, 10_000);
    },
  );
});

describe('those who are asked for', () => {
  test('are answered in the order asked, also those who are asked for twice', async () => {
    const one = await open();
    const [ada, bob] = [callerOf(), callerOf()];
    one.connect(bob);
    await isConnected(one, bob, 1);
    const asked = [bob.userId, ada.userId, bob.userId, 'nobody'];
    const states = await one.presence.isOnline(asker, asked);
    expect(states.map(({ userId }) => userId)).toEqual(asked);
    expect(states.map(({ online }) => online)).toEqual([true, false, true, false]);
  });

  test.each<[string, string[]]>([
    ['nobody', []],
    ['more than a hundred', numbers(1, 101).map(String)],
    ['an empty id', ['ada', '']],
    ['an id that is too long', ['x'.repeat(129)]],
    ['an id that cannot be stored', ['a\0']],
  ])('may not be %s', async (_, userIds) => {
    const { presence } = await open();
    const refusal = { code: 'BAD_USER_INPUT', field: 'userIds' };
    await expect(presence.isOnline(asker, userIds)).rejects.toMatchObject(refusal);
    await expect(presence.watch(asker, userIds)).rejects.toMatchObject(refusal);
  });
});

describe('a watcher', () => {
  test('is told the present state of each user, and then each change of any of them, of all instances', async () => {
    const [one, other] = [await open(), await open()];
    const [ada, bob, eve] = [callerOf(), callerOf(), callerOf()];
    one.connect(ada);
    await isConnected(one, ada, 1);
    await using watcher = await watch(one, ada, bob, ada);
    expect(watcher.messages.all.map(({ userId, online }) => [userId, online])).toEqual([
      [ada.userId, true],
      [bob.userId, false],
    ]);
    other.connect(eve);
    other.connect(bob);
    await watcher.messages.count(3);
    other.connect(ada);
    await watcher.messages.count(4);
    expect(watcher.messages.all.slice(2)).toMatchObject([
      { userId: bob.userId, online: true, connections: 1 },
      { userId: ada.userId, online: true, connections: 2 },
    ]);
  });

  test('of a user of the same id in another tenant hears nothing', async () => {
    const one = await open();
    const ada = callerOf();
    const namesake = callerOf({ tenantId: 'other', userId: ada.userId });
    await using watcher = await watch(one, ada);
    one.connect(namesake);
    await eventually(async () => (await stateOf(one, namesake, namesake)).online);
    one.connect(ada);
    await watcher.messages.count(2);
    expect(countsOf(watcher)).toEqual([0, 1]);
    await isConnected(one, ada, 1);
    expect(countsOf(watcher)).toEqual([0, 1]);
  });

  test('that comes while others are told misses nothing, and all share one topic subscription a user', async () => {
    const hostile = resources.use(new HostileTopics(createRandom(1)));
    const one = await open(hostile);
    const users = Array.from({ length: 20 }, () => callerOf());
    const watching = Promise.all(Array.from({ length: 10 }, () => watch(one, ...users)));
    for (const user of users) one.connect(user);
    const watchers = await watching;
    expect([hostile.size, one.presence.watchedCount]).toEqual([20, 20]);
    for (const { messages } of watchers) {
      await eventually(
        () => new Set(messages.all.filter(({ online }) => online).map(({ userId }) => userId)).size === 20,
      );
    }
    for (const each of watchers) await each[Symbol.asyncDispose]();
    expect(one.presence.watchedCount).toBe(0);
    await eventually(() => hostile.size === 0);
  });

  test('is told by a sweep, and when the broker is back, what a lost message did not tell; and only what is new', async () => {
    const deaf = resources.use(new HostileTopics(createRandom(1), { drop: 1 }));
    const one = await open(deaf);
    const [ada, bob] = [callerOf(), callerOf()];
    await using watcher = await watch(one, ada, bob);
    one.connect(ada);
    await isConnected(one, ada, 1);
    deaf.restore();
    await watcher.messages.count(3);
    deaf.restore();
    one.connect(bob);
    await isConnected(one, bob, 1);
    deaf.restore();
    await watcher.messages.count(4);
    expect(watcher.messages.all.slice(2).map(({ userId }) => userId)).toEqual([ada.userId, bob.userId]);

    const swept = await open(deaf, { sweepIntervalMs: 20 });
    const eve = callerOf();
    await using another = await watch(swept, eve);
    swept.connect(eve);
    await another.messages.count(2);
    expect(countsOf(another)).toEqual([0, 1]);
  });

  test('that reads nothing is ended as too slow, but not by the states that it begins with', async () => {
    const one = await open(topics, { maxWaitingEvents: 1 });
    const users = numbers(1, 50).map(() => callerOf());
    const onSlow = jest.fn();
    const ids = users.map(({ userId }) => userId);
    const source = await one.presence.watch(asker, ids, { onSlow });
    expect(onSlow).not.toHaveBeenCalled();
    for (const user of users.slice(0, 2)) one.connect(user);
    await eventually(() => onSlow.mock.calls.length === 1);
    await expect(source.next()).rejects.toMatchObject({ code: 'RATE_LIMITED' });
    expect(one.presence.watchedCount).toBe(0);
  });
});

describe('an instance', () => {
  test('that ends takes its users with it, who were seen until then, and watchers are told', async () => {
    const one = await open();
    const other = await openInstance(url, topics);
    const [ada, bob] = [callerOf(), callerOf()];
    for (const instance of [one, other]) instance.connect(bob);
    other.connect(ada);
    await isConnected(one, ada, 1);
    await isConnected(one, bob, 2);
    await using watcher = await watch(one, ada, bob);
    await other[Symbol.asyncDispose]();
    await watcher.messages.count(4);
    const told = watcher.messages.all.slice(2).toSorted((a, b) => a.connections - b.connections);
    expect(told).toMatchObject([
      { userId: ada.userId, online: false, lastSeenAt: expect.any(Date) },
      { userId: bob.userId, online: true, connections: 1 },
    ]);
    expect((await query('select 1 from instance')).rowCount).toBe(1);
  });

  test('that has not said for fifteen seconds that it lives counts for nothing; its users were seen until then', async () => {
    const one = await open();
    const [ada, dead] = [callerOf(), randomUUID()];
    await query(`insert into instance values ($1, now() - interval '16 seconds')`, [dead]);
    await query(`insert into presence values ('acme', $1, $2, 3, now())`, [ada.userId, dead]);
    const { rows } = await query('select alive_at from instance where id = $1', [dead]);
    expect(await stateOf(one, ada)).toEqual({
      userId: ada.userId,
      online: false,
      lastSeenAt: rows[0].alive_at,
      connections: 0,
    });
  });

  test('that others took for dead comes back with all its users', async () => {
    const one = await open();
    const [ada, bob] = [callerOf(), callerOf()];
    one.connect(ada);
    await isConnected(one, ada, 1);
    await query('delete from instance');
    expect((await stateOf(one, ada)).online).toBe(false);
    // What is stored next finds out; the next beat would as well.
    one.connect(bob);
    await isConnected(one, ada, 1);
    await isConnected(one, bob, 1);
  });

  test('that starts and lets five thousand users in at once stores them all, and none of them waits', async () => {
    const one = await open();
    const began = performance.now();
    for (let nth = 0; nth < 5000; nth += 1) one.connect(callerOf());
    const tookMs = performance.now() - began;
    await eventually(async () => (await query('select 1 from presence')).rowCount === 5000, 20_000);
    // Some microseconds each; a statement for each would take hundreds.
    expect(tookMs).toBeLessThan(500);
  });

  test('is never written by two statements at once, and the newest count of a user wins', async () => {
    const one = await open();
    const users = Array.from({ length: 50 }, () => callerOf());
    const random = createRandom(7);
    const ends = new Map(users.map((user) => [user, [] as (() => void)[]]));
    for (let step = 0; step < 2000; step += 1) {
      const user = users[random.below(users.length)] as Caller;
      const list = ends.get(user) ?? [];
      if (list.length > 0 && random.chance(0.5)) list.pop()?.();
      else list.push(one.connect(user));
      // Statements are under way meanwhile.
      if (step % 10 === 0) await stateOf(one, user);
    }
    await eventually(async () => {
      const states = await one.presence.isOnline(
        asker,
        users.map(({ userId }) => userId),
      );
      return states.every(({ connections }, nth) => connections === ends.get(users[nth] as Caller)?.length);
    });
  });
});

describe('a database that is away', () => {
  let link: Link;
  let away: TestInstance;

  beforeEach(async () => {
    link = resources.use(await openLink(Number(new URL(url).port)));
    const through = new URL(url);
    through.hostname = '127.0.0.1';
    through.port = String(link.port);
    away = resources.use(await openInstance(through.href, topics, { timeoutMs: 500 }));
  });
  afterEach(() => {
    link.heal();
  });

  test('keeps nobody from connecting; what has changed meanwhile is true soon after it is back', async () => {
    const [ada, bob, eve] = [callerOf(), callerOf(), callerOf()];
    const endOfAda = away.connect(ada);
    away.connect(eve);
    await isConnected(away, ada, 1);
    await isConnected(away, eve, 1);
    await using watcher = await watch(away, ada, bob, eve);
    link.hold('down');
    away.connect(bob);
    away.connect(bob);
    endOfAda();
    await expect(stateOf(away, ada)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    link.heal();
    await eventually(async () => (await stateOf(away, bob)).connections === 2, 20_000);
    await isConnected(away, ada, 0);
    expect(await stateOf(away, eve)).toMatchObject({ online: true, connections: 1 });
    await eventually(() => {
      const last = new Map(watcher.messages.all.map(({ userId, connections }) => [userId, connections]));
      return last.get(ada.userId) === 0 && last.get(bob.userId) === 2 && last.get(eve.userId) === 1;
    });
  });

  test('does not keep an instance from ending', async () => {
    const ending = await openInstance(url.replace(/:\d+\//, `:${link.port}/`), topics, { timeoutMs: 30_000 });
    ending.connect(callerOf());
    link.hold('up');
    const began = performance.now();
    ending.connections[Symbol.dispose]();
    await ending.presence[Symbol.asyncDispose]();
    expect(performance.now() - began).toBeLessThan(5000);
    link.heal();
    await ending[Symbol.asyncDispose]();
  });
});

test('nothing is logged as a failure while all goes well', async () => {
  const warn = jest.spyOn(silent, 'warn');
  const one = await open();
  const ada = callerOf();
  one.connect(ada)();
  one.connect(ada);
  await isConnected(one, ada, 1);
  expect(warn).not.toHaveBeenCalled();
  warn.mockRestore();
});
