import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { InboxAddress } from '../../src/services/caller.ts';
import { InboxReplays } from '../../src/services/inbox-replay.ts';
import { InboxModel } from './inbox-model.ts';
import { expectIds, fold, outlineOf, readAll } from './replay-support.ts';
import { type Services, createRandom, newAddress, numbers, openServices, sendItems } from './support.ts';

const SEED = 20_261_123;
const OPERATIONS = 300;

let services: Services;

beforeAll(async () => {
  services = await openServices();
});
afterAll(async () => {
  await services[Symbol.asyncDispose]();
});

describe('a random history of a few hundred operations', () => {
  const address = newAddress();
  const model = new InboxModel();

  beforeAll(async () => {
    const random = createRandom(SEED);
    for (let operation = 0; operation < OPERATIONS; operation += 1) {
      if (model.ids.length < 3 || random.chance(0.5)) {
        const items = sendItems(address, 1 + random.below(4));
        await services.store(items);
        for (const { id } of items) model.add(id);
      } else {
        const ids = random.some(model.ids, 6);
        const dice = random.below(4);
        if (dice < 2) expectIds(await services.changes.markRead(address, ids), model.read(ids));
        else if (dice < 3) {
          expectIds(await services.changes.markUnread(address, ids[0]!), model.unread(ids[0]!));
        } else expectIds(await services.changes.delete(address, ids), model.delete(ids));
      }
    }
  });

  test('has the head that the model has', async () => {
    expect(await services.log.head(address)).toMatchObject(model.head);
  });

  test.each([
    { firstPage: 10_000, furtherPage: 1 },
    { firstPage: 20, furtherPage: 200 },
    { firstPage: 3, furtherPage: 1 },
    { firstPage: 1, furtherPage: 3 },
  ])(
    'is told from every position, in pages of $firstPage and $furtherPage, as exactly the suffix that the model foretells',
    async (pages) => {
      const replays = new InboxReplays(services.database, pages);
      const step = pages.firstPage < 10 ? 40 : 6;
      const positions = numbers(0, model.head.version).filter((version) => version % step === 0);
      const told = await Promise.all(positions.map((after) => readAll(replays.after(address, after))));
      for (const [index, after] of positions.entries()) {
        expect(told[index]!.head).toMatchObject(model.head);
        expect(told[index]!.events.map(outlineOf)).toEqual(model.changesSince(after));
        expect(fold(model.stateAt(after), told[index]!.events)).toEqual(model.state);
      }
    },
  );

  test('tells only additions when asked to, all of them that still stand', async () => {
    for (const after of [0, 1, model.head.version >> 1, model.head.version]) {
      const { events } = await readAll(services.replays.after(address, after, { additionsOnly: true }));
      expect(events.map(({ version }) => version)).toEqual(
        model
          .changesSince(after)
          .filter(({ kind }) => kind === 'added')
          .map(({ version }) => version),
      );
    }
  });
});

test('readers of many inboxes that ask at once get each their own, those without an inbox nothing', async () => {
  const addresses = numbers(1, 450).map(newAddress);
  const filled = addresses.filter((_, index) => index % 3 !== 0);
  await services.store(filled.flatMap((address, index) => sendItems(address, 1 + (index % 30))));
  const told = await Promise.all(addresses.map((address) => readAll(services.replays.after(address, 0))));
  for (const [index, address] of addresses.entries()) {
    const count = index % 3 === 0 ? 0 : 1 + (filled.indexOf(address) % 30);
    expect(told[index]!.events.map(({ version }) => version)).toEqual(numbers(1, count));
    for (const event of told[index]!.events) {
      expect(event.kind === 'added' && event.notification.recipientId).toBe(address.userId);
    }
  }
});

test('readers of one inbox that ask the same at once share an answer, those who ask otherwise get their own', async () => {
  const address = newAddress();
  const items = sendItems(address, 5);
  await services.store(items);
  await services.changes.markRead(address, [items[4]!.id]);
  const [one, another, later, additions] = await Promise.all([
    services.replays.after(address, 1).next(),
    services.replays.after(address, 1).next(),
    services.replays.after(address, 3).next(),
    services.replays.after(address, 1, { additionsOnly: true }).next(),
  ]);
  expect(one.events.map(outlineOf)).toHaveLength(5);
  expect(another).toBe(one);
  expect(later.events.map(({ version }) => version)).toEqual([4, 5, 6]);
  expect(additions.events.map(({ kind }) => kind)).toEqual(['added', 'added', 'added', 'added']);
});

describe('between two pages', () => {
  async function beginReading(count: number): Promise<{ address: InboxAddress; ids: string[] }> {
    const address = newAddress();
    const items = sendItems(address, count);
    await services.store(items);
    return { address, ids: items.map(({ id }) => id) };
  }

  test('a deletion of what was on the first is told, and an addition comes at the end', async () => {
    const { address, ids } = await beginReading(30);
    const reader = services.replays.after(address, 0);
    const { events } = await reader.next();
    expect(events).toHaveLength(20);
    await services.changes.delete(address, [ids[0]!, ids[25]!]);
    const [late] = sendItems(address, 1);
    await services.store([late!]);
    const rest = await readAll(reader);
    const state = fold(new Map(), [...events, ...rest.events]);
    expect([...state.keys()]).toEqual([...ids.filter((_, nth) => nth !== 0 && nth !== 25), late!.id]);
    expect(rest.events.map(({ version }) => version)).toEqual([...numbers(21, 25), ...numbers(27, 32)]);
  });

  test('a deletion of what was deleted before the first is not told', async () => {
    const { address, ids } = await beginReading(30);
    await services.changes.delete(address, [ids[3]!, ids[29]!]);
    const { events } = await readAll(services.replays.after(address, 0));
    expect(events.some(({ kind }) => kind === 'deleted')).toBe(false);
    expect(events).toHaveLength(28);
  });

  test('whoever may know of later additions is told of their deletion', async () => {
    const { address, ids } = await beginReading(3);
    await services.changes.delete(address, [ids[2]!]);
    const unaware = await readAll(services.replays.after(address, 1));
    expect(unaware.events.map(({ kind }) => kind)).toEqual(['added']);
    const aware = await readAll(services.replays.after(address, 1, { everyDeletion: true }));
    expect(aware.events.map(outlineOf)).toEqual([
      { kind: 'added', version: 2, previousVersion: 1, ids: [ids[1]], recalled: false },
      { kind: 'deleted', version: 4, previousVersion: 2, ids: [ids[2]], recalled: false },
    ]);
  });
});

test('a page that failed can be asked for again', async () => {
  const address = newAddress();
  await services.store(sendItems(address, 3));
  const reader = services.replays.after(address, 0);
  jest.spyOn(services.database.em, 'getConnection').mockImplementationOnce(() => {
    throw new Error('not now');
  });
  await expect(reader.next()).rejects.toThrow('not now');
  expect((await reader.next()).events.map(({ version }) => version)).toEqual([1, 2, 3]);
});
