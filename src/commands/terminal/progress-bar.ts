import { type Paint, paintFor } from './style.ts';

/** Where work stands. */
export interface Standing {
  /** What is being done. */
  readonly text: string;
  /** How much of it all is done, from 0 to 1; unknown when absent, or as it was. */
  readonly share?: number | undefined;
}

/** A line that says how far long work has come. Disposing of it leaves an empty line. */
export interface ProgressBar extends Disposable {
  show(standing: Standing): void;
}

const MOST_BAR_COLUMNS = 24;
const LEAST_COLUMNS = 50;

/** The time in it goes on also while nothing is shown. */
const REDRAW_MS = 500;

/** To the beginning of the line, and clear it. */
const CLEAR = '\r\x1b[2K';

/**
 * A progress bar on the last line of a terminal; anything else is told nothing. The line is cleared when the process
 * exits, and everything else of the terminal stays as it is.
 */
export function createProgressBar(stream: NodeJS.WriteStream = process.stderr): ProgressBar {
  if (!stream.isTTY) return { show() {}, [Symbol.dispose]() {} };
  const paint = paintFor(stream);
  const started = performance.now();
  let standing: Standing = { text: '' };
  let isOver = false;
  const draw = (): void => {
    const seconds = Math.floor((performance.now() - started) / 1000);
    // A terminal that does not tell its size has none.
    stream.write(CLEAR + progressLine(standing, seconds, stream.columns || 80, paint));
  };
  const clear = (): void => void stream.write(CLEAR);
  const redraw = setInterval(draw, REDRAW_MS).unref();
  process.on('exit', clear);
  return {
    show({ text, share = standing.share }) {
      standing = { text, share };
      draw();
    },
    [Symbol.dispose]() {
      if (isOver) return;
      isOver = true;
      clearInterval(redraw);
      process.off('exit', clear);
      clear();
    },
  };
}

const clock = (seconds: number): string => `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;

/** One line, shorter than the terminal is wide, so that it never wraps. */
export function progressLine({ text, share }: Standing, seconds: number, columns: number, paint: Paint): string {
  const time = clock(seconds);
  if (share === undefined || columns < LEAST_COLUMNS) return `${time}  ${text}`.slice(0, columns - 1);
  const bounded = Math.min(1, Math.max(0, share));
  const width = Math.min(MOST_BAR_COLUMNS, Math.floor(columns / 4));
  const filled = Math.floor(bounded * width);
  const percent = `${Math.floor(bounded * 100)} %`.padStart(5);
  const rest = columns - 1 - width - percent.length - time.length - 5;
  return [
    paint('green', '━'.repeat(filled)) + paint('dim', '─'.repeat(width - filled)),
    `${percent}  ${time}  ${text.slice(0, Math.max(0, rest))}`,
  ].join(' ');
}
