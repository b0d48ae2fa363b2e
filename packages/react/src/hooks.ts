import type { Inbox, InboxSnapshot } from '@carillon/client';
import { useMemo, useSyncExternalStore } from 'react';
import { useCarillon } from './context.ts';

/** The same functions for as long as the provider has the same inbox. They reject with a `CarillonError`. */
export type InboxActions = Pick<
  Inbox,
  'loadMore' | 'markRead' | 'markUnread' | 'markAllRead' | 'delete' | 'send' | 'connect' | 'disconnect'
>;

export const useSnapshot = (inbox: Inbox): InboxSnapshot =>
  useSyncExternalStore(inbox.subscribe, inbox.getSnapshot, inbox.getSnapshot);

/** The inbox at one moment, and what can be done with it. */
export interface UsedInbox extends InboxSnapshot, InboxActions {}

/** The inbox as it is now, and what can be done with it. Renders again at each change of the inbox. */
export function useInbox(): UsedInbox {
  const { inbox } = useCarillon();
  const snapshot = useSnapshot(inbox);
  const actions = useMemo<InboxActions>(
    () => ({
      loadMore: () => inbox.loadMore(),
      markRead: (id) => inbox.markRead(id),
      markUnread: (id) => inbox.markUnread(id),
      markAllRead: () => inbox.markAllRead(),
      delete: (id) => inbox.delete(id),
      send: (input) => inbox.send(input),
      connect: () => inbox.connect(),
      disconnect: () => inbox.disconnect(),
    }),
    [inbox],
  );
  return useMemo(() => ({ ...snapshot, ...actions }), [snapshot, actions]);
}

/** Of the whole inbox, loaded or not. Renders again only when the number changes. */
export function useUnreadCount(): number {
  const { inbox } = useCarillon();
  const count = (): number => inbox.getSnapshot().unreadCount;
  return useSyncExternalStore(inbox.subscribe, count, count);
}
