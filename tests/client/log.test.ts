import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Change, InboxLog } from '../../packages/client/src/log.ts';
import type { InboxEvent, Notification, Page } from '../../packages/client/src/types.ts';

const notification = (id: string, isRead = false): Notification => ({
  id,
  cursor: `place of ${id}`,
  recipientId: 'ada',
  senderId: null,
  type: 'SYSTEM',
  priority: 'NORMAL',
  channel: 'IN_APP',
  status: isRead ? 'READ' : 'DELIVERED',
  title: id,
  content: 'C',
  link: null,
  data: null,
  relatedType: null,
  relatedId: null,
  isRead,
  readAt: isRead ? '2026-01-01T00:00:00.000Z' : null,
  createdAt: '2026-01-01T00:00:00.000Z',
  expiresAt: null,
});

/** A server's inbox, newest first, and the events that it tells. */
class Server {
  items: Notification[] = [];
  /** By id: where each was changed last. */
  readonly changedAt = new Map<string, string>();
  #version = 0;
  #named = 0;

  get cursor(): string {
    return String(this.#version);
  }
  get unreadCount(): number {
    return this.items.filter(({ isRead }) => !isRead).length;
  }
  #tell(what: object): InboxEvent {
    this.#version += 1;
    const event = what as InboxEvent;
    const ids = 'ids' in event ? event.ids : 'notification' in event ? [event.notification.id] : [];
    for (const id of ids) this.changedAt.set(id, this.cursor);
    return { ...what, cursor: this.cursor, unreadCount: this.unreadCount } as InboxEvent;
  }
  add(): InboxEvent {
    const added = notification(`n${(this.#named += 1)}`);
    this.items = [added, ...this.items];
    return this.#tell({ __typename: 'NotificationAdded', notification: added });
  }
  /** Nothing is told of what changes nothing. All are those up to the newest that whoever asks has seen. */
  change(change: Change, upTo = Infinity): InboxEvent[] {
    if (change.kind === 'readAll') {
      const ids = this.items.filter((item) => !item.isRead && numberOf(item) <= upTo).map(({ id }) => id);
      return ids.length === 0 ? [] : [this.#read(ids)];
    }
    const item = this.items.find(({ id }) => id === change.id);
    if (!item || (change.kind === 'read' && item.isRead) || (change.kind === 'unread' && !item.isRead)) return [];
    if (change.kind === 'read') return [this.#read([item.id])];
    if (change.kind === 'delete') {
      this.items = this.items.filter(({ id }) => id !== item.id);
      return [this.#tell({ __typename: 'NotificationsDeleted', ids: [item.id], recalled: false })];
    }
    const updated = notification(item.id);
    this.items = this.items.map((each) => (each.id === item.id ? updated : each));
    return [this.#tell({ __typename: 'NotificationUpdated', notification: updated })];
  }
  #read(ids: string[]): InboxEvent {
    this.items = this.items.map((item) => (ids.includes(item.id) ? notification(item.id, true) : item));
    return this.#tell({ __typename: 'NotificationsRead', ids, readAt: '2026-01-01T00:00:00.000Z' });
  }
  page(size: number, after?: string): Page {
    const from = after === undefined ? 0 : Number(after);
    const nodes = this.items.filter((item) => numberOf(item) < (from || Infinity)).slice(0, size);
    const last = nodes.at(-1);
    const hasNextPage = last !== undefined && this.items.some((item) => numberOf(item) < numberOf(last));
    const { cursor, unreadCount } = this;
    const pageInfo = { hasNextPage, endCursor: last ? String(numberOf(last)) : null };
    return { cursor, unreadCount, totalCount: this.items.length, nodes, pageInfo };
  }
}

const numberOf = ({ id }: { id: string }): number => Number(id.slice(1));
const shown = (items: readonly Notification[]) => items.map(({ id, isRead }) => [id, isRead]);

/** A change that was asked for; `cursor` is where it led to, once the server has done it. */
interface UnderWay {
  change: Change;
  pending: ReturnType<InboxLog['begin']>;
  upTo: number;
  cursor: string | null;
}

/** What may happen, in any order. Numbers choose an item, or one of those that are on their way. */
const step = fc.oneof(
  fc.record({ does: fc.constantFrom('add', 'deliver', 'ask', 'page', 'lose') }),
  fc.record({
    does: fc.constantFrom('remote', 'begin'),
    kind: fc.constantFrom('read', 'unread', 'delete', 'readAll'),
    nth: fc.nat(20),
  }),
  fc.record({ does: fc.constantFrom('perform', 'answer', 'refuse'), nth: fc.nat(20) }),
);

describe('a log to which anything happens in any order', () => {
  test('shows exactly what the server has as soon as all is told and answered', () => {
    fc.assert(
      fc.property(fc.nat(12), fc.array(step, { maxLength: 60 }), (before, steps) => {
        const server = new Server();
        const log = new InboxLog();
        for (let nth = 0; nth < before; nth += 1) server.add();
        log.reset(server.page(4));
        let untold: InboxEvent[] = [];
        const changes: UnderWay[] = [];
        let asked: { page: Page; recording: ReturnType<InboxLog['record']> } | undefined;
        const deliver = () => {
          const event = untold.shift();
          if (event) log.apply(event);
        };
        const changeOf = (kind: Change['kind'], nth: number, items: readonly Notification[]): Change | undefined => {
          if (kind === 'readAll') return { kind };
          const item = items[nth % items.length];
          return item && { kind, id: item.id };
        };
        const perform = (one: UnderWay | undefined) => {
          if (!one || one.cursor !== null) return;
          const { change } = one;
          if (change.kind !== 'readAll' && !server.items.some(({ id }) => id === change.id)) return;
          untold.push(...server.change(change, one.upTo));
          const isMarking = change.kind === 'read' || change.kind === 'unread';
          one.cursor = (isMarking && server.changedAt.get(change.id)) || server.cursor;
        };
        const answer = (nth: number, isRefused: boolean) => {
          const [one] = changes.splice(nth % changes.length, 1);
          if (!one) return;
          // Who is refused may be so for want of an answer only; what is gone is refused.
          if (!isRefused) perform(one);
          if (isRefused || one.cursor === null) log.revert(one.pending);
          else log.settle(one.pending, one.cursor);
        };
        const takePage = () => {
          if (asked) log.append(asked.page, asked.recording);
          asked = undefined;
        };
        for (const it of steps) {
          if (it.does === 'add') untold.push(server.add());
          else if (it.does === 'deliver') deliver();
          else if (it.does === 'ask' && !asked && log.end !== null) {
            asked = { recording: log.record(), page: server.page(4, log.end) };
          } else if (it.does === 'page') takePage();
          // What was untold comes again after the stream has begun anew.
          else if (it.does === 'lose') log.forgetAnswered();
          else if ('kind' in it) {
            const items = it.does === 'remote' ? server.items : log.view.items;
            const change = changeOf(it.kind, it.nth, items);
            if (!change) continue;
            if (it.does === 'remote') untold.push(...server.change(change));
            else {
              const [newest] = log.view.items;
              changes.push({ change, pending: log.begin(change), upTo: newest ? numberOf(newest) : 0, cursor: null });
            }
          } else if (it.does === 'perform') perform(changes[it.nth % changes.length]);
          else if ('nth' in it) answer(it.nth, it.does === 'refuse');
        }
        while (changes.length > 0) answer(0, false);
        while (untold.length > 0) deliver();
        takePage();
        while (log.end !== null) log.append(server.page(4, log.end), log.record());
        // A device that comes back later shows it too: nothing is left over.
        if (server.items[0]) {
          for (const event of server.change({ kind: 'unread', id: server.items[0].id })) log.apply(event);
        }
        expect(shown(log.view.items)).toEqual(shown(server.items));
        expect(log.view).toMatchObject({ unreadCount: server.unreadCount, totalCount: server.items.length });
      }),
      { numRuns: 3000 },
    );
  });
});

describe('a change on its way', () => {
  const begun = () => {
    const server = new Server();
    server.add();
    const second = server.add();
    const log = new InboxLog();
    log.reset(server.page(10));
    return { server, log, id: (second as { notification: Notification }).notification.id };
  };

  test('is shown until it is told, whichever comes first, the answer or the event', () => {
    for (const isToldFirst of [true, false]) {
      const { server, log, id } = begun();
      const pending = log.begin({ kind: 'read', id });
      const [event] = server.change({ kind: 'read', id });
      if (isToldFirst) log.apply(event!);
      log.settle(pending, server.cursor);
      expect(log.view).toMatchObject({ unreadCount: 1, items: [{ isRead: true }, { isRead: false }] });
      if (!isToldFirst) log.apply(event!);
      expect(log.view).toMatchObject({ unreadCount: 1, items: [{ isRead: true }, { isRead: false }] });
    }
  });

  test('does not hide what another device does after it', () => {
    const { server, log, id } = begun();
    const pending = log.begin({ kind: 'read', id });
    const events = [...server.change({ kind: 'read', id }), ...server.change({ kind: 'unread', id })];
    log.settle(pending, '3');
    for (const event of events) log.apply(event);
    expect(log.view).toMatchObject({ unreadCount: 2, items: [{ isRead: false }, { isRead: false }] });
  });

  test('leaves the view the same object while nothing changes', () => {
    const { log, id } = begun();
    expect(log.view).toBe(log.view);
    const before = log.view;
    log.revert(log.begin({ kind: 'delete', id }));
    expect(log.view).toBe(before);
  });
});
