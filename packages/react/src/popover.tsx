import { type RefObject, useEffect, useLayoutEffect, useRef } from 'react';
import { useCarillon } from './context.ts';
import type { FeedHandle } from './feed.tsx';
import { Panel, type PanelProps } from './panel.tsx';

/** Between the popover and its anchor, and the edges of the window, in px. */
const GAP_PX = 8;
/** Where less than this is free below the anchor, and more above it, it opens upwards. */
const LEAST_PX = 320;

interface PopoverProps {
  readonly id: string;
  readonly anchor: RefObject<HTMLElement | null>;
  readonly align: 'start' | 'end';
  readonly label: string | undefined;
  readonly onSelect: PanelProps['onSelect'];
  readonly onLeave: () => void;
}

/** The inbox in a dialog at its anchor, above everything else of the page. It takes the focus. */
export function Popover({ id, anchor, align, label, onSelect, onLeave }: PopoverProps) {
  const { messages } = useCarillon();
  const root = useRef<HTMLDivElement>(null);
  const feed = useRef<FeedHandle>(null);
  useLayoutEffect(() => {
    const [popover, button] = [root.current, anchor.current];
    if (!popover || !button) return;
    // The top layer: no container of the bell can cut it off. Browsers without it place it all the same.
    popover.showPopover?.();
    const move = (): void => place(popover, button, align);
    move();
    addEventListener('resize', move);
    addEventListener('scroll', move, { capture: true, passive: true });
    return () => {
      removeEventListener('resize', move);
      removeEventListener('scroll', move, { capture: true });
    };
  }, [anchor, align]);
  useEffect(() => {
    if (feed.current) feed.current.move(0);
    else root.current?.querySelector<HTMLElement>('.carillon-inbox')?.focus();
  }, []);
  return (
    <div
      ref={root}
      id={id}
      popover="manual"
      className="carillon-popover"
      role="dialog"
      aria-label={label ?? messages.title}
      tabIndex={-1}
    >
      <Panel feed={feed} onSelect={onSelect} renderItem={undefined} onLeave={onLeave} />
    </div>
  );
}

/** Puts the popover below or above the anchor, within the window. */
function place(popover: HTMLElement, anchor: HTMLElement, align: 'start' | 'end'): void {
  const { left, right, top, bottom } = anchor.getBoundingClientRect();
  const isAtRight = (align === 'end') === (getComputedStyle(anchor).direction === 'ltr');
  const { clientWidth, clientHeight } = document.documentElement;
  const wanted = isAtRight ? right - popover.offsetWidth : left;
  const inline = Math.max(GAP_PX, Math.min(wanted, clientWidth - popover.offsetWidth - GAP_PX));
  const [above, below] = [top - 2 * GAP_PX, clientHeight - bottom - 2 * GAP_PX];
  const isAbove = below < LEAST_PX && above > below;
  const { style } = popover;
  style.left = `${inline}px`;
  style.top = isAbove ? 'auto' : `${bottom + GAP_PX}px`;
  style.bottom = isAbove ? `${clientHeight - top + GAP_PX}px` : 'auto';
  style.maxHeight = `${Math.max(isAbove ? above : below, 0)}px`;
}
