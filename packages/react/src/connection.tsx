import { CarillonError, type InboxSnapshot } from '@carillon/client';
import { useRef } from 'react';
import { useSeconds } from './clock.ts';
import { useCarillon } from './context.ts';
import { offlineIcon } from './icons.tsx';

/** Says that the connection is lost, and when it will be tried again. */
export function Connection({ snapshot }: { snapshot: InboxSnapshot }) {
  const { inbox, messages } = useCarillon();
  const wasLost = useRef(false);
  const { status, isLoading, retryAt, error } = snapshot;
  if (status === 'offline') wasLost.current = true;
  const isLost = status === 'offline' || (status === 'connecting' && (wasLost.current || !isLoading));
  const isSignedOut = error instanceof CarillonError && error.code === 'UNAUTHENTICATED';
  return (
    <>
      <span className="carillon-sr" role="status">
        {isLost ? messages.wentOffline : wasLost.current && status === 'live' ? messages.cameBack : ''}
      </span>
      {isLost && (
        <div className="carillon-banner">
          {offlineIcon}
          <span className="carillon-banner-text">
            {status === 'offline' && retryAt !== null ? (
              <Countdown until={retryAt} text={isSignedOut ? messages.signedOut : messages.offline} />
            ) : (
              messages.connecting
            )}
          </span>
          <button
            type="button"
            className="carillon-button"
            aria-disabled={status !== 'offline'}
            onClick={() => inbox.connect()}
          >
            {messages.tryNow}
          </button>
        </div>
      )}
    </>
  );
}

function Countdown({ until, text }: { until: number; text: (seconds: number) => string }) {
  return text(Math.max(0, Math.ceil((until - useSeconds()) / 1000)));
}
