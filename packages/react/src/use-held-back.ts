import type { Notification } from '@carillon/client';
import { useCallback, useState } from 'react';

export interface HeldBack {
  /** What is shown: without those that came since `hold`. */
  readonly shown: readonly Notification[];
  readonly heldCount: number;
  /** What comes from now on is held back. */
  readonly hold: () => void;
  readonly release: () => void;
}

/** Keeps what arrives out of a list that somebody reads, so that it does not move under their eyes. */
export function useHeldBack(items: readonly Notification[]): HeldBack {
  const [known, setKnown] = useState<ReadonlySet<string> | null>(null);
  // New ones come first. Where none is known any more, the inbox began anew, and is shown as it is.
  const heldCount =
    known === null
      ? 0
      : Math.max(
          0,
          items.findIndex(({ id }) => known.has(id)),
        );
  const hold = useCallback(() => {
    setKnown((before) => before ?? new Set(items.map(({ id }) => id)));
  }, [items]);
  const release = useCallback(() => setKnown(null), []);
  return { shown: heldCount === 0 ? items : items.slice(heldCount), heldCount, hold, release };
}
