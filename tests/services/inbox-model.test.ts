import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { InboxAddress } from '../../src/services/caller.ts';
import type { InboxEvent } from '../../src/services/inbox-event.ts';
import { InboxReplays } from '../../src/services/inbox-replay.ts';
import { InboxModel } from './inbox-model.ts';
import { fold, idsOf, isRecall, outlineOf, readAll } from './replay-support.ts';
import { type Services, newAddress, numbers, openServices, sendItems } from './support.ts';

const TIME_LIMIT_MS = 5000;
const HOUR_MS = 3_600_000;

let services: Services;
/** Readers with pages from the smallest to those of the product. */
let readers: InboxReplays[];

beforeAll(async () => {
  services = await openServices();
  readers = [{ firstPage: 1, furtherPage: 1 }, { firstPage: 3, furtherPage: 2 }, {}].map(
    (pages) => new InboxReplays(services.database, pages),
  );
});
afterAll(async () => {
  await services[Symbol.asyncDispose]();
});

/** Picks are places among all ids that ever were; what is deleted by then is picked all the same. */
type Operation =
  | { kind: 'send'; count: number }
  | { kind: 'read' | 'delete' | 'recall'; picks: number[] }
  | { kind: 'unread'; pick: number }
  | { kind: 'readUpTo'; version: number; most: number };

const pick = fc.nat({ max: 30 });
const picks = fc.array(pick, { minLength: 1, maxLength: 5 });
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('send' as const), count: fc.integer({ min: 1, max: 3 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constantFrom('read' as const, 'delete' as const, 'recall' as const), picks }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('unread' as const), pick }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('readUpTo' as const),
      version: fc.nat({ max: 60 }),
      most: fc.integer({ min: 1, max: 6 }),
    }),
  },
);

/** An inbox and what it must be like. */
class Inbox {
  readonly address: InboxAddress = newAddress();
  readonly model = new InboxModel();
  readonly #everIds: string[] = [];

  /** Does it, and answers with the events and with the ids that each may be about, by the model as it stands now. */
  async run(what: Operation): Promise<{ events: InboxEvent[]; foreseen: () => readonly string[] }> {
    const { changes } = services;
    const { address, model } = this;
    if (what.kind === 'send') {
      const items = sendItems(address, what.count);
      const events = await services.store(items);
      this.#everIds.push(...items.map(({ id }) => id));
      return { events, foreseen: () => items.map(({ id }) => id) };
    }
    if (what.kind === 'readUpTo') {
      const version = Math.min(what.version, model.head.version);
      const { event } = await changes.markAllRead(address, version, {}, what.most);
      return { events: event ? [event] : [], foreseen: () => model.unreadUpTo(version).slice(0, what.most) };
    }
    const places = what.kind === 'unread' ? [what.pick] : what.picks;
    const ids = [...new Set(places.flatMap((place) => this.#everIds[place % this.#everIds.length] ?? []))];
    const [first] = ids;
    if (first === undefined) return { events: [], foreseen: () => [] };
    if (what.kind === 'unread') {
      const { event } = await changes.markUnread(address, first);
      return { events: event ? [event] : [], foreseen: () => (model.state.get(first) === true ? [first] : []) };
    }
    if (what.kind === 'recall') {
      const scope = { tenantId: address.tenantId, senderId: 'sender', windowMs: HOUR_MS };
      const departed = await services.departures.recall(ids, scope);
      expect(departed.map((each) => each.address)).toEqual(departed.map(() => address));
      return {
        events: departed.map(({ event }) => event),
        foreseen: () => ids.filter((id) => model.state.has(id)),
      };
    }
    const { event } = what.kind === 'read' ? await changes.markRead(address, ids) : await changes.delete(address, ids);
    const isMeant = (id: string) => (what.kind === 'read' ? model.state.get(id) === false : model.state.has(id));
    return { events: event ? [event] : [], foreseen: () => ids.filter(isMeant) };
  }

  /** Takes an event over into the model, and expects that it says where the inbox stands after it. */
  take(event: InboxEvent): void {
    this.model.apply({ kind: event.kind, ids: idsOf(event), recalled: isRecall(event) });
    expect(event).toMatchObject(this.model.head);
    expect(event.previousVersion).toBe(event.version - 1);
  }

  /** Expects of head, list and every replay, from every cursor there ever was, that they are what the model says. */
  async expectAsForetold(): Promise<void> {
    const { address, model } = this;
    const { head, notifications } = await services.log.page(address, { filter: {}, order: 'oldest', limit: 1000 });
    expect(head ?? { version: 0 }).toMatchObject(head ? model.head : { version: model.head.version });
    expect(notifications.map(({ id, readAt }) => [id, readAt !== null])).toEqual([...model.state]);
    await Promise.all(numbers(0, model.head.version).map((after) => this.#expectReplay(after)));
  }

  async #expectReplay(after: number): Promise<void> {
    const { address, model } = this;
    const foretold = model.changesSince(after);
    for (const { head, events } of await Promise.all(
      readers.map((replays) => readAll(replays.after(address, after))),
    )) {
      expect(head).toMatchObject(model.head);
      expect(events.map(outlineOf)).toEqual(foretold);
      expect(fold(model.stateAt(after), events)).toEqual(model.state);
    }
    const additions = foretold.filter(({ kind }) => kind === 'added');
    for (const replays of readers) {
      const { events } = await readAll(replays.after(address, after, { additionsOnly: true }));
      expect(events.map(({ kind, version }) => [kind, version])).toEqual(
        additions.map(({ version }) => ['added', version]),
      );
    }
  }
}

test('whatever is done, in whatever order, counts, order and every replay are what a plain model of an inbox says', async () => {
  const property = fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 30 }), async (operations) => {
    const inbox = new Inbox();
    for (const one of operations) {
      const { events, foreseen } = await inbox.run(one);
      const expected = foreseen();
      for (const event of events) inbox.take(event);
      expect(events.flatMap(idsOf).toSorted()).toEqual(expected.toSorted());
    }
    await inbox.expectAsForetold();
  });
  await fc.assert(property, { numRuns: 60, interruptAfterTimeLimit: TIME_LIMIT_MS });
});

test('whatever is done at the same time has one order, in which counts and every replay are what the model says', async () => {
  const groups = fc.array(fc.array(operation, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 8 });
  const property = fc.asyncProperty(groups, async (rounds) => {
    const inbox = new Inbox();
    for (const round of rounds) {
      const results = await Promise.all(round.map((one) => inbox.run(one)));
      const inOrder = results
        .flatMap(({ events, foreseen }) => events.map((event) => ({ event, foreseen })))
        .toSorted((a, b) => a.event.version - b.event.version);
      for (const { event, foreseen } of inOrder) {
        // One that reads saw the inbox a moment before its turn: what became unread meanwhile it may pass over.
        const possible = event.kind === 'read' ? [...inbox.model.state.keys()] : foreseen();
        expect(idsOf(event).filter((id) => !possible.includes(id))).toEqual([]);
        if (event.kind === 'read') for (const id of event.ids) expect(inbox.model.state.get(id)).toBe(false);
        inbox.take(event);
      }
    }
    await inbox.expectAsForetold();
  });
  await fc.assert(property, { numRuns: 30, interruptAfterTimeLimit: TIME_LIMIT_MS });
});
