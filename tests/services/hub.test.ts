import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createInProcessTopics } from '../../src/pubsub/in-process.ts';
import type { InboxAddress } from '../../src/services/caller.ts';
import { encodeCursor, newEpoch } from '../../src/services/cursor.ts';
import type { Hub } from '../../src/services/hub.ts';
import { SlowConsumerError } from '../../src/services/inbox-listener.ts';
import { eventually } from '../support/eventually.ts';
import { HostileTopics } from './hostile-topics.ts';
import { ControlledReplays, Reader, createHub } from './hub-support.ts';
import { type Services, createRandom, newAddress, numbers, openServices, sendItems } from './support.ts';

let services: Services;

beforeAll(async () => {
  services = await openServices();
});
afterAll(async () => {
  await services[Symbol.asyncDispose]();
});

/** Stores that many and rings the doorbell for each. */
async function add(hub: Hub, address: InboxAddress, count = 1): Promise<void> {
  for (const event of await services.store(sendItems(address, count))) hub.publish(address, event);
}

const cursorAt = (epoch: string, version: number) => ({ epoch, version });

describe('a listener', () => {
  test('without a cursor gets what comes from now on, once and in order, and the head of its beginning', async () => {
    await using topics = createInProcessTopics();
    await using hub = createHub(topics, services);
    const address = newAddress();
    await add(hub, address, 3);
    await using reader = await Reader.open(hub, address);
    expect(reader.listener.head).toMatchObject({ version: 3, unreadCount: 3 });
    await add(hub, address, 5);
    await reader.reached(8);
    expect(reader.versions).toEqual(numbers(4, 8));
  });

  test('of an inbox that does not exist yet gets its very first notification', async () => {
    await using topics = createInProcessTopics();
    await using hub = createHub(topics, services);
    const address = newAddress();
    await using one = await Reader.open(hub, address);
    await using other = await Reader.open(hub, address, { after: cursorAt('-'.repeat(11), 0) });
    await add(hub, address, 2);
    await Promise.all([one.reached(2), other.reached(2)]);
    expect([one.versions, other.versions]).toEqual([
      [1, 2],
      [1, 2],
    ]);
  });

  test('with a cursor gets everything after it and goes on live, while sends go on all the time', async () => {
    await using topics = createInProcessTopics();
    await using hub = createHub(topics, services);
    const address = newAddress();
    await add(hub, address, 250);
    const { epoch } = await services.log.head(address);
    const sending = (async () => {
      for (let round = 0; round < 40; round += 1) await add(hub, address, 5);
    })();
    const readers = await Promise.all(
      numbers(0, 9).map((tenth) => Reader.open(hub, address, { after: cursorAt(epoch, tenth * 25) })),
    );
    await sending;
    await Promise.all(readers.map((reader) => reader.reached(450)));
    for (const [tenth, reader] of readers.entries()) expect(reader.versions).toEqual(numbers(tenth * 25 + 1, 450));
    await Promise.all(readers.map((reader) => reader.listener.return()));
  });

  test('that comes back at once with others, with the same cursor, is told everything like each of them', async () => {
    await using topics = createInProcessTopics();
    await using hub = createHub(topics, services);
    const address = newAddress();
    await add(hub, address, 70);
    const { epoch } = await services.log.head(address);
    const readers = await Promise.all(
      numbers(1, 10).map(() => Reader.open(hub, address, { after: cursorAt(epoch, 5) })),
    );
    await Promise.all(readers.map((reader) => reader.reached(70)));
    for (const reader of readers) expect(reader.versions).toEqual(numbers(6, 70));
    await Promise.all(readers.map((reader) => reader.listener.return()));
  });

  test('of additions only is refused with a cursor of another inbox or of the future, and leaves no topic behind', async () => {
    await using topics = new HostileTopics(createRandom(1));
    await using hub = createHub(topics, services);
    const address = newAddress();
    await add(hub, address);
    const { epoch } = await services.log.head(address);
    for (const after of [cursorAt(newEpoch(), 1), cursorAt(epoch, 2)]) {
      const refused = hub.listen(address, { after, additionsOnly: true });
      await expect(refused).rejects.toMatchObject({ code: 'BAD_USER_INPUT', field: 'after' });
    }
    await eventually(() => topics.size === 0 && hub.feedCount === 0);
  });

  test('of all changes gets a reset for such a cursor, which says why, and goes on live from there', async () => {
    await using topics = createInProcessTopics();
    await using hub = createHub(topics, services);
    const address = newAddress();
    await add(hub, address, 3);
    const { epoch } = await services.log.head(address);
    const cases = [
      { after: cursorAt(newEpoch(), 1), reason: 'FOREIGN_CURSOR' },
      { after: cursorAt(epoch, 99), reason: 'FUTURE_CURSOR' },
    ] as const;
    for (const [nth, { after, reason }] of cases.entries()) {
      const version = 3 + nth;
      await using reader = await Reader.open(hub, address, { after });
      expect(await reader.reset()).toEqual({
        kind: 'reset',
        reason,
        epoch,
        version,
        previousVersion: version,
        unreadCount: version,
        totalCount: version,
      });
      await add(hub, address);
      await reader.reached(version + 1);
      expect([reader.versions, reader.resets.length]).toEqual([[version + 1], 1]);
    }
  });

  test('takes a cursor that this instance’s feed has not heard of yet', async () => {
    await using topics = new HostileTopics(createRandom(1), { drop: 1 });
    await using hub = createHub(topics, services);
    const address = newAddress();
    await using _behind = await Reader.open(hub, address);
    await add(hub, address, 2);
    const { epoch } = await services.log.head(address);
    await using reader = await Reader.open(hub, address, { after: cursorAt(epoch, 2) });
    topics.hostility.drop = 0;
    await add(hub, address);
    await reader.reached(3);
    expect(reader.versions).toEqual([3]);
    expect(encodeCursor(epoch, 3)).toContain(epoch);
  });

  test('of additions only is told nothing else, in the backfill and live', async () => {
    await using topics = createInProcessTopics();
    await using hub = createHub(topics, services);
    const address = newAddress();
    const items = sendItems(address, 4);
    await services.store(items);
    await services.changes.markRead(address, [items[0]!.id]);
    const { epoch } = await services.log.head(address);
    await using reader = await Reader.open(hub, address, { after: cursorAt(epoch, 1), additionsOnly: true });
    await reader.reached(4);
    for (const change of [
      await services.changes.markRead(address, [items[1]!.id]),
      await services.changes.delete(address, [items[2]!.id]),
    ]) {
      hub.publish(address, change.event!);
    }
    await add(hub, address);
    await reader.reached(8);
    expect(reader.events.map(({ kind, version }) => [kind, version])).toEqual([2, 3, 4, 8].map((v) => ['added', v]));
  });
});

describe('a listener that is not read', () => {
  const bound = 20;

  test('is ended with SlowConsumerError past its bound, told once; others of the inbox miss nothing', async () => {
    await using topics = createInProcessTopics();
    await using hub = createHub(topics, services, bound);
    const address = newAddress();
    const slowness = Promise.withResolvers<void>();
    const slow = await hub.listen(address, { onSlow: slowness.resolve });
    await using reader = await Reader.open(hub, address);
    for (const nth of numbers(1, bound)) {
      await add(hub, address);
      await reader.reached(nth);
    }
    expect(await slow.next()).toMatchObject({ value: { version: 1 } });
    for (const nth of numbers(bound + 1, bound + 2)) {
      await add(hub, address);
      await reader.reached(nth);
    }
    await slowness.promise;
    await expect(slow.next()).rejects.toBeInstanceOf(SlowConsumerError);
    expect(await slow.next()).toEqual({ done: true, value: undefined });
    await add(hub, address, 3);
    await reader.reached(bound + 5);
    expect(reader.versions).toEqual(numbers(1, bound + 5));
    expect(hub.feedCount).toBe(1);
  });

  test('in its backfill costs one page, however long the backfill is, and is never too slow', async () => {
    await using topics = createInProcessTopics();
    await using hub = createHub(topics, services, bound);
    const address = newAddress();
    await add(hub, address, 10 * bound);
    const { epoch } = await services.log.head(address);
    const listener = await hub.listen(address, { after: cursorAt(epoch, 0) });
    await listener.next();
    await add(hub, address, 10 * bound);
    for (const version of numbers(2, 20 * bound)) expect(await listener.next()).toMatchObject({ value: { version } });
    await listener.return();
  });
});

describe('the topic of an inbox', () => {
  test('is subscribed once for all its listeners, and left after the last', async () => {
    await using topics = new HostileTopics(createRandom(1));
    await using hub = createHub(topics, services);
    const address = newAddress();
    const listeners = await Promise.all(numbers(1, 50).map(() => hub.listen(address)));
    expect([topics.size, hub.feedCount]).toEqual([1, 1]);
    for (const listener of listeners.slice(1)) await listener.return();
    expect([topics.size, hub.feedCount]).toEqual([1, 1]);
    await listeners[0]!.return();
    await eventually(() => topics.size === 0 && hub.feedCount === 0);
  });

  test('is not left behind by a thousand listeners that come and go at once, on a few inboxes', async () => {
    await using topics = new HostileTopics(createRandom(1));
    await using hub = createHub(topics, services);
    const random = createRandom(2);
    const addresses = numbers(1, 10).map(newAddress);
    await Promise.all(
      numbers(1, 1000).map(async () => {
        const listener = await hub.listen(addresses[random.below(10)]!);
        if (random.chance(0.5)) await new Promise((resolve) => setImmediate(resolve));
        await listener.return();
      }),
    );
    await eventually(() => topics.size === 0 && hub.feedCount === 0);
    await using reader = await Reader.open(hub, addresses[0]!);
    await add(hub, addresses[0]!);
    await reader.reached(1);
  });

  test('ends with the hub: listeners are told, and no new ones come', async () => {
    await using topics = new HostileTopics(createRandom(1));
    const hub = createHub(topics, services);
    const listener = await hub.listen(newAddress());
    const late = hub.listen(newAddress());
    const refusal = { code: 'UNAVAILABLE', message: expect.stringContaining('shutting down') };
    await Promise.all([hub[Symbol.asyncDispose](), expect(late).rejects.toMatchObject(refusal)]);
    await expect(listener.next()).rejects.toMatchObject(refusal);
    await expect(hub.listen(newAddress())).rejects.toMatchObject(refusal);
    expect([topics.size, hub.feedCount]).toEqual([0, 0]);
  });
});

test('a backfill that the database fails ends its listener with UNAVAILABLE, and holds no topic', async () => {
  await using topics = new HostileTopics(createRandom(1));
  const { log } = services;
  const replays = new ControlledReplays(services.database);
  await using hub = createHub(topics, { log, replays });
  const address = newAddress();
  await add(hub, address, 2);
  const { epoch } = await log.head(address);
  const listener = await hub.listen(address, { after: cursorAt(epoch, 0) });
  replays.failures = 1;
  await expect(listener.next()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  expect(await listener.next()).toEqual({ done: true, value: undefined });
  await eventually(() => topics.size === 0 && hub.feedCount === 0);
});
