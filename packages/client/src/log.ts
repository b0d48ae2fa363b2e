import type { InboxEvent, Notification, Page } from './types.ts';

/** What a person has asked for, and is shown at once. */
export type Change =
  | { readonly kind: 'read' | 'unread' | 'delete'; readonly id: string }
  /** Everything that is there now, and nothing that comes later. */
  | { readonly kind: 'readAll' };

/** A change on its way. It is laid over what the server has told, until the server has told it, or refused it. */
interface Pending {
  readonly change: Change;
  readonly at: string;
  /** Cursors from its beginning on: its own event may come before its answer does. */
  readonly seen: Set<string>;
  /** What came after it began. */
  readonly newer: Set<string>;
  /** Whether anything was told of its notification since it began. */
  isTouched: boolean;
  /** Where the log stood after it, once it is answered. */
  cursor: string | null;
}

export interface View {
  readonly items: readonly Notification[];
  readonly unreadCount: number;
  readonly totalCount: number;
}

/** What happened while a page was on its way. */
type Recording = InboxEvent[];

const EMPTY: View = { items: [], unreadCount: 0, totalCount: 0 };

/**
 * The part of an inbox that is loaded, and where it stands in the inbox's log. It knows no network: pages, events and
 * answers are handed in.
 */
export class InboxLog {
  #told = EMPTY;
  #view: View | null = EMPTY;
  #pending: Pending[] = [];
  #recordings = new Set<Recording>();
  #end: string | null = null;
  /** The last event or page that is in here; null before the first page. */
  cursor: string | null = null;

  /** Where the next older page begins; null when there is none. */
  get end(): string | null {
    return this.#end;
  }

  /** Begins anew with the newest page. */
  reset(page: Page): void {
    this.cursor = page.cursor;
    this.#end = page.pageInfo.hasNextPage ? page.pageInfo.endCursor : null;
    this.#recordings.clear();
    this.forgetAnswered();
    this.#tell({ items: page.nodes, unreadCount: page.unreadCount, totalCount: page.totalCount });
  }

  /** Call when an older page is asked for; hand what it returns to `append` together with the page. */
  record(): Recording {
    const recording: Recording = [];
    this.#recordings.add(recording);
    return recording;
  }

  /** Adds an older page. What changed in it while it was on its way is made good; after a `reset` it is ignored. */
  append(page: Page, recording: Recording): void {
    if (!this.#recordings.delete(recording)) return;
    const known = new Set(this.#told.items.map(({ id }) => id));
    const older = recording.reduce(
      changeItems,
      page.nodes.filter(({ id }) => !known.has(id)),
    );
    this.#end = page.pageInfo.hasNextPage ? page.pageInfo.endCursor : null;
    this.#tell({ ...this.#told, items: [...this.#told.items, ...older] });
  }

  /** Call when the page does not come. */
  discard(recording: Recording): void {
    this.#recordings.delete(recording);
  }

  /** Takes in an event, which must be the next one after `cursor`. */
  apply(event: InboxEvent): void {
    for (const recording of this.#recordings) recording.push(event);
    for (const pending of this.#pending) {
      pending.seen.add(event.cursor);
      pending.isTouched ||= pending.change.kind !== 'readAll' && names(event, pending.change.id);
      if (event.__typename === 'NotificationAdded') pending.newer.add(event.notification.id);
    }
    this.#pending = this.#pending.filter(({ change, cursor }) => {
      if (cursor === null) return true;
      return cursor !== event.cursor && !(change.kind !== 'readAll' && names(event, change.id));
    });
    const { items, totalCount } = this.#told;
    this.cursor = event.cursor;
    this.#tell({
      items: event.__typename === 'NotificationAdded' ? added(items, event.notification) : changeItems(items, event),
      unreadCount: event.unreadCount,
      totalCount: totalCount + growth(event),
    });
  }

  /** Shows a change at once. Hand what it returns to `settle` or `revert`. */
  begin(change: Change): Pending {
    const pending = {
      change,
      at: new Date().toISOString(),
      seen: new Set(this.cursor === null ? [] : [this.cursor]),
      newer: new Set<string>(),
      isTouched: false,
      cursor: null,
    };
    this.#pending.push(pending);
    this.#view = null;
    return pending;
  }

  /**
   * The server has done it, which led to this cursor. It stays laid over until the event of it has come. Where something
   * was told of the notification meanwhile that may be long ago: what changes nothing has no event, and the cursor of the
   * change before.
   */
  settle(pending: Pending, cursor: string): void {
    pending.cursor = cursor;
    if (pending.seen.has(cursor) || pending.isTouched || this.#isTold(pending)) this.revert(pending);
  }

  /** Takes a change back. */
  revert(pending: Pending): void {
    this.#pending = this.#pending.filter((each) => each !== pending);
    this.#view = null;
  }

  /** Call when the stream begins again: it tells what became of everything that was answered. */
  forgetAnswered(): void {
    this.#pending = this.#pending.filter(({ cursor }) => cursor === null);
    this.#view = null;
  }

  /** What a person should see. The same object until something changes. */
  get view(): View {
    this.#view ??= this.#pending.reduce(overlay, this.#told);
    return this.#view;
  }

  #tell(told: View): void {
    this.#told = told;
    this.#view = null;
  }

  #isTold(pending: Pending): boolean {
    return overlay(this.#told, pending) === this.#told;
  }
}

function names(event: InboxEvent, id: string): boolean {
  if ('ids' in event) return event.ids.includes(id);
  return 'notification' in event && event.notification.id === id;
}

function growth(event: InboxEvent): number {
  if (event.__typename === 'NotificationAdded') return 1;
  return event.__typename === 'NotificationsDeleted' ? -event.ids.length : 0;
}

const added = (items: readonly Notification[], notification: Notification): readonly Notification[] => [
  notification,
  ...items.filter(({ id }) => id !== notification.id),
];

/** What an event makes of those that are there already. */
function changeItems(items: readonly Notification[], event: InboxEvent): readonly Notification[] {
  switch (event.__typename) {
    case 'NotificationUpdated': {
      const { notification } = event;
      return items.map((item) => (item.id === notification.id ? notification : item));
    }
    case 'NotificationsRead': {
      const ids = new Set(event.ids);
      return items.map((item) => (ids.has(item.id) && !item.isRead ? read(item, event.readAt) : item));
    }
    case 'NotificationsDeleted': {
      const ids = new Set(event.ids);
      return items.filter(({ id }) => !ids.has(id));
    }
    default:
      return items;
  }
}

const read = (item: Notification, readAt: string): Notification => ({ ...item, isRead: true, readAt, status: 'READ' });
const unread = (item: Notification): Notification => ({ ...item, isRead: false, readAt: null, status: 'DELIVERED' });

/** Lays a change over a view; answers with the same view when it shows that already. */
function overlay(view: View, { change, at, newer }: Pending): View {
  if (change.kind === 'readAll') {
    const isOpen = (item: Notification): boolean => !item.isRead && newer.has(item.id);
    const unreadCount = view.items.filter(isOpen).length;
    if (unreadCount === view.unreadCount) return view;
    const items = view.items.map((item) => (item.isRead || isOpen(item) ? item : read(item, at)));
    return { ...view, items, unreadCount };
  }
  const index = view.items.findIndex(({ id }) => id === change.id);
  const item = view.items[index];
  if (item === undefined) return view;
  const { unreadCount, totalCount } = view;
  if (change.kind === 'delete') {
    const items = view.items.toSpliced(index, 1);
    return { items, unreadCount: unreadCount - (item.isRead ? 0 : 1), totalCount: totalCount - 1 };
  }
  if (item.isRead === (change.kind === 'read')) return view;
  const items = view.items.with(index, item.isRead ? unread(item) : read(item, at));
  return { items, unreadCount: unreadCount + (item.isRead ? 1 : -1), totalCount };
}
