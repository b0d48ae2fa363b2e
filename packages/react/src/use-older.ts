import type { Inbox, InboxSnapshot } from '@carillon/client';
import { useCallback, useEffect, useState } from 'react';

/** So many before the end the next page is asked for. */
const AHEAD = 15;

export interface Older {
  readonly hasFailed: boolean;
  readonly load: () => void;
}

/** Loads older pages as the last visible row comes near the end. After a failure it waits for `load`, or the connection. */
export function useOlder(
  inbox: Inbox,
  { hasMore, isLoadingMore, status }: InboxSnapshot,
  rows: number,
  last: number,
): Older {
  const [hasFailed, setHasFailed] = useState(false);
  const load = useCallback(() => {
    setHasFailed(false);
    inbox.loadMore().catch(() => setHasFailed(true));
  }, [inbox]);
  useEffect(() => {
    if (status === 'live') setHasFailed(false);
  }, [status]);
  const isNear = last >= rows - AHEAD;
  useEffect(() => {
    if (isNear && hasMore && !isLoadingMore && !hasFailed) load();
  }, [isNear, hasMore, isLoadingMore, hasFailed, load]);
  return { hasFailed, load };
}
