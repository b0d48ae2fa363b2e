import type { Notification } from '@carillon/client';
import { useCallback, useLayoutEffect, useMemo, useState } from 'react';

interface Place {
  readonly id: string;
  readonly index: number;
}

type Active = [index: number, set: (index: number, items: readonly Notification[]) => void];

/** Where the list was entered last; the first one before that. */
const FIRST: Place = { id: '', index: 0 };

/**
 * Which item the keyboard is at. It stays with its notification when the list moves, and goes to the one that takes its
 * place when it is deleted.
 */
export function useActive(items: readonly Notification[]): Active {
  const [place, setPlace] = useState(FIRST);
  const index = useMemo(() => locate(items, place), [items, place]);
  const id = items[index]?.id;
  useLayoutEffect(() => {
    if (place.id !== '' && id !== undefined && id !== place.id) setPlace({ id, index });
  }, [id, index, place]);
  const set = useCallback((to: number, list: readonly Notification[]) => {
    setPlace({ id: list[to]?.id ?? '', index: to });
  }, []);
  return [index, set];
}

function locate(items: readonly Notification[], { id, index }: Place): number {
  if (items[index]?.id === id) return index;
  const found = items.findIndex((item) => item.id === id);
  return found === -1 ? Math.max(0, Math.min(index, items.length - 1)) : found;
}
