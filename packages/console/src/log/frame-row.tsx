import { memo } from 'react';
import { useMessages } from '../state/console.ts';
import { InIcon, NoteIcon, OutIcon } from '../ui/icons.tsx';
import { preciseTime } from '../ui/time.ts';
import { formatLatency, formatSize } from './format.ts';
import type { Frame } from './frames.ts';

const ICONS = { out: OutIcon, in: InIcon, note: NoteIcon };

export interface FrameRowProps {
  frame: Frame;
  /** From 1, among `count`. */
  position: number;
  count: number;
  isChosen: boolean;
  onChoose: (id: number) => void;
}

export const FrameRow = memo(function FrameRow({ frame, position, count, isChosen, onChoose }: FrameRowProps) {
  const { log: m } = useMessages();
  const { id, at, pane, line, direction, type, size, latencyMs, since } = frame;
  const Icon = ICONS[direction];
  return (
    // Its keys are those of the list.
    <div
      id={`frame-${id}`}
      role="option"
      className={`frame ${direction}`}
      aria-selected={isChosen}
      aria-posinset={position}
      aria-setsize={count}
      onClick={() => onChoose(id)}
    >
      <span className="frame-time">{preciseTime(at)}</span>
      <span className="frame-pane">{pane ? m.panes[pane] : '–'}</span>
      <span className="frame-line">{m.lines[line]}</span>
      <span className="frame-direction">
        <Icon />
        <span className="sr-only">{m.direction[direction]}</span>
      </span>
      <span className="frame-type">{type}</span>
      <span className="frame-size">{formatSize(size)}</span>
      <span className="frame-latency" title={since ? m.since[since] : undefined}>
        {latencyMs === null ? '' : formatLatency(latencyMs)}
      </span>
    </div>
  );
});
