import { type KeyboardEvent, useEffect, useLayoutEffect, useRef, useState } from 'react';
import { useMessages } from '../state/console.ts';
import { FrameRow } from './frame-row.tsx';
import type { Frame } from './frames.ts';

/** As in the style sheet. */
const ROW_PX = 30;
/** Rows beyond the edges, so that none is missing while scrolling. */
const SPARE = 8;

export interface FrameListProps {
  /** Oldest first. */
  frames: readonly Frame[];
  chosenId: number | null;
  onChoose: (id: number) => void;
}

/** A list of which only the rows in view exist. It stays at its end while it is there. Arrow keys choose. */
export function FrameList({ frames, chosenId, onChoose }: FrameListProps) {
  const { log: m } = useMessages();
  const box = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  const [view, setView] = useState({ top: 0, height: 300 });

  const look = (): void => {
    const { scrollTop: top, clientHeight: height, scrollHeight } = box.current as HTMLDivElement;
    isAtEnd.current = top + height >= scrollHeight - ROW_PX;
    setView((last) => (last.top === top && last.height === height ? last : { top, height }));
  };
  const stay = (): void => {
    const element = box.current as HTMLDivElement;
    if (isAtEnd.current) element.scrollTop = element.scrollHeight;
    look();
  };
  useLayoutEffect(stay, [frames]);
  useEffect(() => {
    const observer = new ResizeObserver(stay);
    observer.observe(box.current as HTMLDivElement);
    return () => observer.disconnect();
  }, []);

  const move = (event: KeyboardEvent): void => {
    const at = frames.findIndex(({ id }) => id === chosenId);
    const from = at < 0 ? frames.length : at;
    const to = { ArrowUp: from - 1, ArrowDown: at < 0 ? 0 : at + 1, Home: 0, End: frames.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const index = Math.min(Math.max(to, 0), frames.length - 1);
    const element = box.current as HTMLDivElement;
    const top = index * ROW_PX;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top + ROW_PX > element.scrollTop + element.clientHeight)
      element.scrollTop = top + ROW_PX - element.clientHeight;
    onChoose((frames[index] as Frame).id);
  };

  const first = Math.max(0, Math.floor(view.top / ROW_PX) - SPARE);
  const last = Math.min(frames.length, Math.ceil((view.top + view.height) / ROW_PX) + SPARE);
  const rows = frames.slice(first, last);
  return (
    <div
      ref={box}
      className="frames"
      role="listbox"
      aria-label={m.list}
      aria-activedescendant={rows.some(({ id }) => id === chosenId) ? `frame-${chosenId}` : undefined}
      tabIndex={0}
      onScroll={look}
      onKeyDown={move}
    >
      <div className="frames-all" role="presentation" style={{ height: frames.length * ROW_PX }}>
        <div className="frames-shown" role="presentation" style={{ transform: `translateY(${first * ROW_PX}px)` }}>
          {rows.map((frame, nth) => (
            <FrameRow
              key={frame.id}
              frame={frame}
              position={first + nth + 1}
              count={frames.length}
              isChosen={frame.id === chosenId}
              onChoose={onChoose}
            />
          ))}
        </div>
      </div>
    </div>
  );
}
