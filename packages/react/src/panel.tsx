import type { Notification } from '@carillon/client';
import { type KeyboardEvent, type ReactNode, type RefObject, useCallback, useRef } from 'react';
import { Connection } from './connection.tsx';
import { useCarillon } from './context.ts';
import { Failures } from './failures.tsx';
import { Feed, type FeedHandle } from './feed.tsx';
import { useSnapshot } from './hooks.ts';
import { checkAllIcon } from './icons.tsx';
import { isForeign, safeLink } from './link.ts';
import { Empty, Idle, Skeleton } from './states.tsx';
import { useKeptFocus } from './use-kept-focus.ts';

export interface PanelProps {
  readonly onSelect: ((notification: Notification) => void) | undefined;
  readonly renderItem: ((notification: Notification) => ReactNode) | undefined;
  /** Called after a notification has led somewhere. */
  readonly onLeave?: () => void;
  readonly feed?: RefObject<FeedHandle | null>;
}

/** Heading, state of the connection, feed, and what failed. */
export function Panel({ onSelect, renderItem, onLeave, feed: given }: PanelProps) {
  const { inbox, changes, messages, attributes } = useCarillon();
  const snapshot = useSnapshot(inbox);
  const { items, unreadCount, isLoading, status } = snapshot;
  const root = useRef<HTMLElement>(null);
  const own = useRef<FeedHandle>(null);
  const feed = given ?? own;
  const keptFocus = useKeptFocus(root, () => {
    if (feed.current) feed.current.move(0);
    else root.current?.focus();
  });

  const select = useCallback(
    (notification: Notification) => {
      if (!notification.isRead) changes.markRead(notification);
      const link = safeLink(notification.link);
      if (onSelect) onSelect(notification);
      else if (link !== null) follow(link);
      if (onSelect || link !== null) onLeave?.();
    },
    [changes, onSelect, onLeave],
  );

  return (
    <section
      ref={root}
      className="carillon-inbox"
      aria-label={messages.title}
      tabIndex={-1}
      onKeyDown={(event) => feed.current && handleKey(event, feed.current, select, changes.delete)}
      {...attributes}
      {...keptFocus}
    >
      <header className="carillon-header">
        <h2 className="carillon-heading">{messages.title}</h2>
        {unreadCount > 0 && (
          <span className="carillon-count">
            <span aria-hidden="true">{unreadCount}</span>
            <span className="carillon-sr">{messages.unreadCount(unreadCount)}</span>
          </span>
        )}
        <button
          type="button"
          className="carillon-button carillon-button-quiet"
          disabled={unreadCount === 0 || items.length === 0}
          onClick={() => changes.markAllRead()}
        >
          {checkAllIcon}
          {messages.markAllRead}
        </button>
      </header>
      <Connection snapshot={snapshot} />
      {items.length > 0 && <Feed handle={feed} snapshot={snapshot} onSelect={select} renderItem={renderItem} />}
      {items.length === 0 && (isLoading ? <Skeleton /> : status === 'idle' ? <Idle /> : <Empty />)}
      <Failures />
    </section>
  );
}

function follow(link: string): void {
  if (isForeign(link)) window.open(link, '_blank', 'noopener,noreferrer');
  else location.assign(link);
}

/** Moves with the arrow keys, by page, to the ends; selects with Enter, deletes with Delete. */
function handleKey(
  event: KeyboardEvent,
  feed: FeedHandle,
  select: (notification: Notification) => void,
  remove: (notification: Notification) => void,
): void {
  const target = event.target as HTMLElement;
  const isModified = event.ctrlKey || event.metaKey || event.altKey || event.shiftKey;
  if (event.defaultPrevented || isModified || target.closest('input, textarea, select, [contenteditable]')) return;
  const steps: Record<string, () => number> = {
    ArrowDown: () => 1,
    ArrowUp: () => -1,
    PageDown: feed.page,
    PageUp: () => -feed.page(),
    Home: () => -Infinity,
    End: () => Infinity,
  };
  const step = steps[event.key];
  if (step) feed.move(step());
  else if (event.key === 'Delete' && target.closest('.carillon-item')) feed.withActive(remove);
  else if (event.key === 'Enter' && target.matches('.carillon-item')) feed.withActive(select);
  else return;
  event.preventDefault();
}
