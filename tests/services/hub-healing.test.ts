import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { InboxAddress } from '../../src/services/caller.ts';
import { newEpoch } from '../../src/services/cursor.ts';
import type { Hub } from '../../src/services/hub.ts';
import { type InboxEvent, inboxTopic } from '../../src/services/inbox-event.ts';
import { withClient } from '../support/postgres.ts';
import { InboxLog } from '../../src/services/inbox-log.ts';
import { type Hostility, HostileTopics } from './hostile-topics.ts';
import { ControlledReplays, Reader, createHub } from './hub-support.ts';
import { idsOf } from './replay-support.ts';
import { type Services, createRandom, newAddress, numbers, openServices, sendItem, sendItems } from './support.ts';

let services: Services;

beforeAll(async () => {
  services = await openServices();
});
afterAll(async () => {
  await services[Symbol.asyncDispose]();
});

const store = (address: InboxAddress, count: number): Promise<InboxEvent[]> =>
  services.store(sendItems(address, count));

function publish(hub: Hub, address: InboxAddress, events: readonly InboxEvent[]): void {
  for (const event of events) hub.publish(address, event);
}

async function setUp(hostility: Partial<Hostility> = {}, seed = 1) {
  const resources = new AsyncDisposableStack();
  const topics = resources.use(new HostileTopics(createRandom(seed), hostility));
  const log = new InboxLog(services.database);
  const replays = new ControlledReplays(services.database);
  const hub = resources.use(createHub(topics, { log, replays }));
  return { topics, log, replays, hub, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}

describe.each<[string, Partial<Hostility>]>([
  ['drops', { drop: 0.3 }],
  ['repeats', { duplicate: 0.6 }],
  ['delays and reorders', { delay: 0.7 }],
  ['forges', { forge: 0.5 }],
  ['does everything at once', { drop: 0.2, duplicate: 0.3, delay: 0.5, forge: 0.3 }],
])('with a broker that %s', (_what, hostility) => {
  test.each([1, 2, 3])('every listener gets every addition exactly once and in order (seed %i)', async (seed) => {
    await using world = await setUp(hostility, seed);
    const { hub, topics, log } = world;
    const random = createRandom(seed + 100);
    const address = newAddress();
    const readers = [await Reader.open(hub, address)];
    for (const round of numbers(1, 60)) {
      publish(hub, address, await store(address, 1 + random.below(5)));
      const { epoch, version } = await log.head(address);
      const after = { epoch, version: random.below(version + 1) };
      if (round % 10 === 0) readers.push(await Reader.open(hub, address, random.chance(0.7) ? { after } : {}));
      if (round % 15 === 0) topics.restore();
    }
    const { version } = await log.head(address);
    topics.restore();
    await Promise.all(readers.map((reader) => reader.reached(version)));
    expect(readers[0]!.versions).toEqual(numbers(1, version));
    for (const reader of readers) {
      expect(reader.versions).toEqual(numbers(reader.versions[0]!, version));
      await reader.listener.return();
    }
  });

  test('reads, their taking back and deletions lead every listener to the state of the log', async () => {
    await using world = await setUp(hostility, 4);
    const { hub, topics, log } = world;
    const random = createRandom(5);
    const address = newAddress();
    const readers = [await Reader.open(hub, address), await Reader.open(hub, address)];
    const ids: string[] = [];
    for (const _ of numbers(1, 80)) {
      const items = sendItems(address, 1 + random.below(3));
      ids.push(...items.map(({ id }) => id));
      publish(hub, address, await services.store(items));
      const some = random.some(ids, 4);
      const { event } = await (random.chance(0.5)
        ? services.changes.markRead(address, some)
        : random.chance(0.5)
          ? services.changes.markUnread(address, some[0]!)
          : services.changes.delete(address, some));
      if (event) hub.publish(address, event);
    }
    publish(hub, address, await store(address, 1));
    topics.restore();
    const { head, notifications } = await log.page(address, { filter: {}, order: 'oldest', limit: 10_000 });
    const truth = new Map(notifications.map(({ id, readAt }) => [id, readAt !== null]));
    for (const reader of readers) {
      await reader.reached(head!.version);
      const state = new Map<string, boolean>();
      for (const event of reader.events) {
        if ('notification' in event) {
          state.set(event.notification.id, event.notification.readAt !== null);
        } else if (event.kind === 'read') for (const id of event.ids) state.set(id, true);
        else for (const id of event.ids) state.delete(id);
      }
      expect(state).toEqual(truth);
      expect(reader.versions).toEqual([...new Set(reader.versions)].toSorted((a, b) => a - b));
      await reader.listener.return();
    }
  });
});

describe('a gap', () => {
  test('is filled from the log when the next doorbell shows it, without any comparison', async () => {
    await using world = await setUp();
    const { hub } = world;
    const address = newAddress();
    await using reader = await Reader.open(hub, address);
    const events = await store(address, 5);
    publish(hub, address, [events[0]!, events[4]!]);
    await reader.reached(5);
    expect(reader.versions).toEqual(numbers(1, 5));
  });

  test('costs no read of the log when it was only an overtaking', async () => {
    await using world = await setUp();
    const { hub, replays } = world;
    const address = newAddress();
    publish(hub, address, await store(address, 1));
    await using reader = await Reader.open(hub, address);
    publish(hub, address, (await store(address, 20)).toReversed());
    await reader.reached(21);
    expect(reader.versions).toEqual(numbers(2, 21));
    expect(replays.reads).toBe(0);
  });

  test('of more doorbells than are kept is filled all the same', async () => {
    await using world = await setUp();
    const { hub } = world;
    const address = newAddress();
    publish(hub, address, await store(address, 1));
    await using reader = await Reader.open(hub, address);
    publish(hub, address, (await store(address, 500)).slice(1).toReversed());
    await reader.reached(501);
    expect(reader.versions).toEqual(numbers(2, 501));
  });

  test('is told of large notifications, whose doorbells carry no content, at once', async () => {
    await using world = await setUp({ delay: 0.5, duplicate: 0.5 });
    const { hub, topics } = world;
    const address = newAddress();
    await using reader = await Reader.open(hub, address);
    const content = 'x'.repeat(10_000);
    publish(hub, address, await services.store(numbers(1, 30).map(() => sendItem(address, { content }))));
    topics.restore();
    await reader.reached(30);
    expect(reader.versions).toEqual(numbers(1, 30));
    expect(reader.events.every((event) => event.kind === 'added' && event.notification.content === content)).toBe(true);
  });

  test('in which a stranger’s doorbell lies is filled by the true one that comes while the log is read', async () => {
    await using world = await setUp();
    const { hub, log, replays, topics } = world;
    const address = newAddress();
    publish(hub, address, await store(address, 1));
    await using reader = await Reader.open(hub, address);
    const { epoch: _, ...shape } = await log.head(address);
    const stranger = { ...shape, epoch: newEpoch(), kind: 'moved', previousVersion: 1, version: 2 };
    const reading = replays.hold();
    topics.publish(inboxTopic(address), stranger);
    await reading;
    publish(hub, address, await store(address, 1));
    replays.release();
    await reader.reached(2);
    expect(reader.versions).toEqual([2]);
  });
});

describe('while the feed catches up', () => {
  test('a listener that comes is attached without a gap, and one that goes is told nothing more', async () => {
    await using world = await setUp();
    const { hub, replays } = world;
    const address = newAddress();
    publish(hub, address, await store(address, 1));
    await using staying = await Reader.open(hub, address);
    const going = await Reader.open(hub, address);
    const events = await store(address, 4);
    const reading = replays.hold();
    publish(hub, address, events.slice(3));
    await reading;
    await going.listener.return();
    await using coming = await Reader.open(hub, address);
    // Its cursor is one that the feed has not heard of: it waits for the feed, so that its counts are not older.
    const waiting = Reader.open(hub, address, { after: { epoch: events[0]!.epoch, version: 3 } });
    const more = await store(address, 2);
    publish(hub, address, more);
    replays.release();
    await using resuming = await waiting;
    expect(resuming.listener.head.version).toBeGreaterThanOrEqual(5);
    await Promise.all([staying.reached(7), coming.reached(7), resuming.reached(7)]);
    expect(staying.versions).toEqual(numbers(2, 7));
    expect(coming.versions).toEqual(numbers(coming.listener.head.version + 1, 7));
    expect(resuming.versions).toEqual(numbers(4, 7));
    expect(going.versions).toEqual([]);
  });

  test('a listener that comes, and has read the log further than the feed, is told of the deletion of what only it knows', async () => {
    await using world = await setUp();
    const { hub, replays } = world;
    const address = newAddress();
    const [first] = await store(address, 1);
    publish(hub, address, [first!]);
    await using staying = await Reader.open(hub, address);
    const [known, rung] = await store(address, 2);
    const postponing = replays.postpone('read');
    publish(hub, address, [rung!]);
    const readOn = await postponing;
    await using coming = await Reader.open(hub, address, { after: { epoch: first!.epoch, version: 0 } });
    await coming.reached(3);
    await services.changes.delete(address, idsOf(known!));
    readOn();
    await staying.reached(3);
    publish(hub, address, await store(address, 1));
    await Promise.all([staying.reached(5), coming.reached(5)]);
    const told = ({ events }: Reader) => events.map((event) => [event.kind, event.version, idsOf(event)]);
    expect(told(coming)[3]).toEqual(['deleted', 4, idsOf(known!)]);
    expect(coming.versions).toEqual([1, 2, 3, 4, 5]);
    expect(staying.versions).toEqual([3, 4, 5]);
  });

  test('a database that fails is asked again until it answers', async () => {
    await using world = await setUp();
    const { hub, replays } = world;
    const address = newAddress();
    publish(hub, address, await store(address, 1));
    await using reader = await Reader.open(hub, address);
    replays.failures = 2;
    publish(hub, address, (await store(address, 3)).slice(2));
    await reader.reached(4);
    expect(replays.failures).toBe(0);
    expect(reader.versions).toEqual([2, 3, 4]);
  });
});

test('an inbox that was lost and began anew tells its listeners so; those of additions only are ended', async () => {
  await using world = await setUp();
  const { hub } = world;
  const address = newAddress();
  publish(hub, address, await store(address, 3));
  await using reader = await Reader.open(hub, address);
  await using additions = await Reader.open(hub, address, { additionsOnly: true });
  await withClient(services.url, (client) => client.query('delete from inbox where user_id = $1', [address.userId]));
  const [first] = await store(address, 1);
  publish(hub, address, [first!]);
  await expect(additions.done).rejects.toThrow('began anew');
  expect(await reader.reset()).toEqual({
    kind: 'reset',
    reason: 'INBOX_BEGAN_ANEW',
    epoch: first!.epoch,
    version: 1,
    previousVersion: 3,
    unreadCount: 1,
    totalCount: 1,
  });
  await using again = await Reader.open(hub, address, { additionsOnly: true });
  publish(hub, address, await store(address, 2));
  await Promise.all([reader.reached(3), again.reached(3)]);
  expect([reader.versions, again.versions, reader.resets.length]).toEqual([[2, 3], [2, 3], 1]);
});

test('an inbox that begins anew while a listener reads it back: what it read of the old one is not told', async () => {
  await using world = await setUp();
  const { hub, replays } = world;
  const address = newAddress();
  const [first] = await store(address, 3);
  await using staying = await Reader.open(hub, address);
  const postponing = replays.postpone('answer');
  await using coming = await Reader.open(hub, address, { after: { epoch: first!.epoch, version: 1 } });
  const tellOn = await postponing;
  await withClient(services.url, (client) => client.query('delete from inbox where user_id = $1', [address.userId]));
  publish(hub, address, await store(address, 2));
  await staying.reset();
  tellOn();
  expect(await coming.reset()).toMatchObject({ reason: 'INBOX_BEGAN_ANEW', version: 2, previousVersion: 1 });
  publish(hub, address, await store(address, 1));
  await coming.reached(3);
  expect([coming.versions, coming.resets.length]).toEqual([[3], 1]);
});

test('an inbox that is gone is told at the next comparison, before anything new comes to it', async () => {
  await using world = await setUp();
  const { hub } = world;
  const address = newAddress();
  publish(hub, address, await store(address, 3));
  await using reader = await Reader.open(hub, address);
  await using unknown = await Reader.open(hub, newAddress());
  await withClient(services.url, (client) => client.query('delete from inbox where user_id = $1', [address.userId]));
  await hub.sweep();
  expect(await reader.reset()).toMatchObject({ reason: 'INBOX_BEGAN_ANEW', version: 0, unreadCount: 0, totalCount: 0 });
  publish(hub, address, await store(address, 2));
  await reader.reached(2);
  await hub.sweep();
  expect([reader.versions, reader.resets.length, unknown.resets]).toEqual([[1, 2], 1, []]);
});

test('a comparison that is asked for during another is made after it', async () => {
  await using world = await setUp({ drop: 1 });
  const { hub, log } = world;
  const address = newAddress();
  publish(hub, address, await store(address, 1));
  await using reader = await Reader.open(hub, address);
  const heads = log.heads.bind(log);
  log.heads = async (addresses) => {
    const answer = await heads(addresses);
    log.heads = heads;
    await store(address, 1);
    void hub.sweep();
    return answer;
  };
  await hub.sweep();
  await reader.reached(2);
  expect(reader.versions).toEqual([2]);
});
