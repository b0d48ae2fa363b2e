import type { InboxSnapshot } from '@carillon/client';
import { useCarillon } from './context.ts';
import { bellIcon } from './icons.tsx';

const SKELETON_ROWS = 8;

/** Shown until the first page is there. */
export function Skeleton() {
  const { messages } = useCarillon();
  return (
    <div className="carillon-skeleton">
      <span className="carillon-sr" role="status">
        {messages.loading}
      </span>
      {Array.from({ length: SKELETON_ROWS }, (_, row) => (
        <div key={row} className="carillon-skeleton-row" aria-hidden="true">
          <span className="carillon-skeleton-icon" />
          <span className="carillon-skeleton-lines">
            <span />
            <span />
          </span>
        </div>
      ))}
    </div>
  );
}

/** Shown when the inbox has nothing in it. */
export function Empty() {
  const { messages } = useCarillon();
  return (
    <div className="carillon-empty">
      <span className="carillon-empty-icon">{bellIcon}</span>
      <p className="carillon-empty-title">{messages.emptyTitle}</p>
      <p className="carillon-empty-text">{messages.emptyText}</p>
    </div>
  );
}

/** Shown when nothing was loaded, and nothing is asked to be. */
export function Idle() {
  const { inbox, messages } = useCarillon();
  return (
    <div className="carillon-empty">
      <p className="carillon-empty-text">{messages.idle}</p>
      <button type="button" className="carillon-button" onClick={() => inbox.connect()}>
        {messages.connect}
      </button>
    </div>
  );
}

interface EndProps {
  readonly snapshot: InboxSnapshot;
  readonly hasFailed: boolean;
  readonly onRetry: () => void;
}

/** What is below the oldest one: more that is on its way, or failed to come, or nothing more. */
export function End({ snapshot: { hasMore, isLoadingMore }, hasFailed, onRetry }: EndProps) {
  const { messages } = useCarillon();
  if (hasFailed) {
    return (
      <div className="carillon-end" role="alert">
        <span>{messages.loadMoreFailed}</span>
        <button type="button" className="carillon-link-button" onClick={onRetry}>
          {messages.tryAgain}
        </button>
      </div>
    );
  }
  if (!hasMore) return <div className="carillon-end">{messages.end}</div>;
  return (
    <div className="carillon-end">
      {isLoadingMore && <span className="carillon-spinner" aria-hidden="true" />}
      {messages.loadingMore}
    </div>
  );
}
