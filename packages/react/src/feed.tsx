import type { InboxSnapshot, Notification } from '@carillon/client';
import { type Range, defaultRangeExtractor, useVirtualizer } from '@tanstack/react-virtual';
import { type ReactNode, type Ref, useCallback, useImperativeHandle, useLayoutEffect, useRef, useState } from 'react';
import { useCarillon } from './context.ts';
import { upIcon } from './icons.tsx';
import { Item } from './item.tsx';
import { End } from './states.tsx';
import { useActive } from './use-active.ts';
import { useAnchor } from './use-anchor.ts';
import { useHeldBack } from './use-held-back.ts';
import { useOlder } from './use-older.ts';

/** Of a row that was not measured yet, in px. */
const ROW_PX = 84;
const OVERSCAN = 8;
/** Within so many px of the top nobody is reading further down. */
const TOP_PX = 4;

/** What the keyboard does with the feed. */
export interface FeedHandle {
  /** Goes to an item, by its distance from the active one, and gives it the focus. */
  readonly move: (step: number) => void;
  /** How many items a page is. */
  readonly page: () => number;
  /** Hands the active item on. */
  readonly withActive: (use: (notification: Notification) => void) => void;
}

interface FeedProps {
  readonly handle: Ref<FeedHandle>;
  readonly snapshot: InboxSnapshot;
  readonly onSelect: (notification: Notification) => void;
  readonly renderItem: ((notification: Notification) => ReactNode) | undefined;
}

/** The notifications, of which only those in sight are in the page. */
export function Feed({ handle, snapshot, onSelect, renderItem }: FeedProps) {
  const { inbox, messages } = useCarillon();
  const { shown, heldCount, hold, release } = useHeldBack(snapshot.items);
  const [active, setActive] = useActive(shown);
  const [expanded, setExpanded] = useState<ReadonlySet<string>>(new Set());
  const scroller = useRef<HTMLDivElement>(null);

  const virtualizer = useVirtualizer<HTMLDivElement, HTMLElement>({
    count: shown.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    overscan: OVERSCAN,
    getItemKey: useCallback((index: number) => shown[index]?.id ?? index, [shown]),
    // The active item stays in the page wherever the list is scrolled to: it may have the focus.
    rangeExtractor: useCallback((range: Range) => withIndex(defaultRangeExtractor(range), active), [active]),
  });
  const older = useOlder(inbox, snapshot, shown.length, virtualizer.range?.endIndex ?? -1);

  useAnchor(shown, virtualizer, TOP_PX);

  // The item to focus may come into the page with the next render only.
  const wanted = useRef<number | null>(null);
  useLayoutEffect(() => {
    const item = scroller.current?.querySelector<HTMLElement>(`[data-index="${wanted.current}"]`);
    if (!item) return;
    wanted.current = null;
    item.focus({ preventScroll: true });
  });
  const goTo = (index: number, list = shown): void => {
    const to = Math.max(0, Math.min(index, list.length - 1));
    wanted.current = to;
    setActive(to, list);
    virtualizer.scrollToIndex(to, { align: 'auto' });
  };
  useImperativeHandle(handle, () => ({
    move: (step) => goTo(scroller.current?.contains(document.activeElement) ? active + step : active),
    page: () => {
      const { startIndex, endIndex } = virtualizer.range ?? { startIndex: 0, endIndex: 0 };
      return Math.max(1, endIndex - startIndex - 1);
    },
    withActive: (use) => {
      const notification = shown[active];
      if (notification) use(notification);
    },
  }));
  const showHeld = (): void => {
    release();
    goTo(0, snapshot.items);
  };
  const activate = useCallback((index: number) => setActive(index, shown), [setActive, shown]);
  const expand = useCallback((id: string) => {
    setExpanded((before) => {
      const after = new Set(before);
      if (!after.delete(id)) after.add(id);
      return after;
    });
  }, []);

  const rows = virtualizer.getVirtualItems().flatMap(({ index, start }) => {
    const notification = shown[index];
    return notification ? [{ notification, index, start }] : [];
  });
  return (
    <div className="carillon-feed-frame">
      {heldCount > 0 && (
        <button type="button" className="carillon-pill" onClick={showHeld}>
          {upIcon}
          {messages.fresh(heldCount)}
        </button>
      )}
      <div
        ref={scroller}
        className="carillon-scroller"
        tabIndex={-1}
        onScroll={({ currentTarget }) => (currentTarget.scrollTop > TOP_PX ? hold() : release())}
      >
        <div
          role="feed"
          className="carillon-feed"
          aria-label={messages.title}
          aria-busy={snapshot.isLoadingMore}
          style={{ blockSize: virtualizer.getTotalSize() }}
        >
          {rows.map(({ notification, index, start }) => (
            <Item
              key={notification.id}
              notification={notification}
              index={index}
              position={heldCount + index + 1}
              total={Math.max(snapshot.totalCount, snapshot.items.length)}
              start={start}
              isActive={index === active}
              isExpanded={expanded.has(notification.id)}
              measure={virtualizer.measureElement}
              onActive={activate}
              onExpand={expand}
              onSelect={onSelect}
              renderItem={renderItem}
            />
          ))}
        </div>
        <End snapshot={snapshot} hasFailed={older.hasFailed} onRetry={older.load} />
      </div>
    </div>
  );
}

function withIndex(indexes: number[], index: number): number[] {
  const [first, last] = [indexes[0], indexes.at(-1)];
  if (first === undefined || last === undefined) return indexes;
  if (index < first) return [index, ...indexes];
  return index > last ? [...indexes, index] : indexes;
}
