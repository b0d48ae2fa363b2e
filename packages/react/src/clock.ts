import { useSyncExternalStore } from 'react';

const TICK_MS = 20_000;
const SECOND_MS = 1000;

/** A clock that ticks only while somebody looks. */
function createClock(tickMs: number): () => number {
  let now = Date.now();
  let timer: ReturnType<typeof setInterval> | undefined;
  const listeners = new Set<() => void>();
  const subscribe = (listener: () => void): (() => void) => {
    listeners.add(listener);
    now = Date.now();
    timer ??= setInterval(() => {
      now = Date.now();
      for (const each of listeners) each();
    }, tickMs);
    return () => {
      listeners.delete(listener);
      if (listeners.size > 0) return;
      clearInterval(timer);
      timer = undefined;
    };
  };
  const read = (): number => now;
  return () => useSyncExternalStore(subscribe, read, read);
}

/** The time of now in ms, a third of a minute old at most. */
export const useNow = createClock(TICK_MS);
/** The time of now in ms, to the second. */
export const useSeconds = createClock(SECOND_MS);
