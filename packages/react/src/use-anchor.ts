import type { Notification } from '@carillon/client';
import type { Virtualizer } from '@tanstack/react-virtual';
import { useLayoutEffect, useRef } from 'react';

interface Anchor {
  readonly id: string;
  readonly index: number;
  /** From the top of what is in sight to the top of the row, in px. */
  readonly distance: number;
}

/** Keeps the first row in sight where it is when rows above it go, as when they are deleted on another device. */
export function useAnchor(
  shown: readonly Notification[],
  virtualizer: Virtualizer<HTMLDivElement, HTMLElement>,
  topPx: number,
): void {
  const anchor = useRef<Anchor | null>(null);
  useLayoutEffect(() => {
    const before = anchor.current;
    const scroller = virtualizer.scrollElement;
    if (before === null || scroller === null || scroller.scrollTop <= topPx) return;
    if (shown[before.index]?.id === before.id) return;
    const row = virtualizer.measurementsCache[shown.findIndex(({ id }) => id === before.id)];
    if (row) virtualizer.scrollToOffset(row.start - before.distance);
  }, [shown, virtualizer, topPx]);
  useLayoutEffect(() => {
    const top = virtualizer.scrollElement?.scrollTop ?? 0;
    const row = virtualizer.getVirtualItems().find(({ end }) => end > top);
    const item = row && shown[row.index];
    anchor.current = item ? { id: item.id, index: row.index, distance: row.start - top } : null;
  });
}
