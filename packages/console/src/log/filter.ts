import type { Frame, Line, PaneId } from './frames.ts';

/** What is shown of the log. All given conditions must hold. */
export interface Filter {
  readonly pane: PaneId | 'all';
  readonly line: Line | 'all';
  readonly text: string;
}

export const everything: Filter = { pane: 'all', line: 'all', text: '' };

export function filterFrames(frames: readonly Frame[], { pane, line, text }: Filter): readonly Frame[] {
  const wanted = text.trim().toLowerCase();
  if (pane === 'all' && line === 'all' && wanted === '') return frames;
  return frames.filter(
    (frame) =>
      (pane === 'all' || frame.pane === pane) &&
      (line === 'all' || frame.line === line) &&
      (frame.type.toLowerCase().includes(wanted) || frame.text.toLowerCase().includes(wanted)),
  );
}
