import { type Store, createStore } from '../state/store.ts';
import { Redactor } from './redact.ts';

export type PaneId = 'left' | 'right';
/** What a frame went over. The receipts of what a user sent come over a socket of their own. */
export type Line = 'graphql' | 'receipts' | 'legacy' | 'http';
/** `note`: something about the connection itself. */
export type Direction = 'out' | 'in' | 'note';
/** What a latency is measured from. */
export type Since = 'request' | 'send' | 'created';

export interface Frame {
  readonly id: number;
  /** ms since the epoch, with a fraction. */
  readonly at: number;
  readonly pane: PaneId | null;
  readonly line: Line;
  readonly direction: Direction;
  readonly type: string;
  /** Bytes of the whole text, secrets included. */
  readonly size: number;
  readonly latencyMs: number | null;
  readonly since: Since | null;
  /** Without secrets. */
  readonly text: string;
  /** The notification that it brought. */
  readonly notificationId: string | null;
}

export interface NewFrame {
  pane: PaneId | null;
  line: Line;
  direction: Direction;
  type: string;
  text: string;
  latencyMs?: number | undefined;
  /** A notification that was pushed. */
  pushed?: { readonly id: string; readonly createdAt: string } | undefined;
}

export interface LogState {
  /** Oldest first. */
  readonly frames: readonly Frame[];
  readonly isPaused: boolean;
  /** How many came while it was paused; they are not kept. */
  readonly missed: number;
}

/** Older frames make room for newer ones. */
export const MOST_FRAMES = 1000;

/** Frames that come in a rush are shown together: drawing each by itself would hold up the next. */
const MOMENT_MS = 30;

/** Presses of "send" that are remembered for the latency of what they sent. */
const MOST_SENDS = 500;

/** The present moment, in ms since the epoch, finer than `Date.now`. */
export const now = (): number => performance.timeOrigin + performance.now();

/** Every frame and request of the page, without any secret. */
export class FrameLog {
  readonly redactor = new Redactor();
  readonly #store: Store<LogState> = createStore<LogState>({ frames: [], isPaused: false, missed: 0 });
  readonly #pressedAt = new Map<string, number>();
  #next = 1;
  #fresh: Frame[] = [];

  get = (): LogState => this.#store.get();
  subscribe = (listener: () => void): (() => void) => this.#store.subscribe(listener);

  /** Shows a frame, together with the others of the same moment. */
  add({ pane, line, direction, type, text, latencyMs, pushed }: NewFrame): void {
    const at = now();
    if (this.get().isPaused) {
      this.#change({ missed: this.get().missed + 1 });
      return;
    }
    const frame: Frame = {
      id: this.#next++,
      at,
      pane,
      line,
      direction,
      type,
      size: new TextEncoder().encode(text).length,
      latencyMs: latencyMs ?? null,
      since: latencyMs === undefined ? null : 'request',
      text: this.redactor.redact(text),
      notificationId: pushed?.id ?? null,
      ...(pushed ? this.#latencyOf(at, pushed) : {}),
    };
    if (this.#fresh.push(frame) === 1) setTimeout(() => this.#flush(), MOMENT_MS);
  }

  /** Tells which notification a press of "send" became: pushes are measured from the press, also those that were first. */
  sent(id: string, pressedAt: number): void {
    this.#pressedAt.set(id, pressedAt);
    for (const oldest of this.#pressedAt.keys()) {
      if (this.#pressedAt.size <= MOST_SENDS) break;
      this.#pressedAt.delete(oldest);
    }
    const measured = (frame: Frame): Frame =>
      frame.notificationId === id ? { ...frame, latencyMs: frame.at - pressedAt, since: 'send' } : frame;
    this.#fresh = this.#fresh.map(measured);
    this.#change({ frames: this.get().frames.map(measured) });
  }

  pause(isPaused: boolean): void {
    this.#change({ isPaused, missed: 0 });
  }

  clear(): void {
    this.#fresh = [];
    this.#change({ frames: [], missed: 0 });
  }

  #latencyOf(at: number, { id, createdAt }: { id: string; createdAt: string }): Pick<Frame, 'latencyMs' | 'since'> {
    const pressedAt = this.#pressedAt.get(id);
    if (pressedAt !== undefined) return { latencyMs: at - pressedAt, since: 'send' };
    const sinceCreated = at - Date.parse(createdAt);
    // The clocks of the server and of this machine need not agree.
    return sinceCreated >= 0 ? { latencyMs: sinceCreated, since: 'created' } : { latencyMs: null, since: null };
  }

  #flush(): void {
    const fresh = this.#fresh;
    this.#fresh = [];
    if (fresh.length > 0) this.#change({ frames: [...this.get().frames, ...fresh].slice(-MOST_FRAMES) });
  }

  #change(change: Partial<LogState>): void {
    this.#store.set({ ...this.get(), ...change });
  }
}
