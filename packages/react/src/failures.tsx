import { useSyncExternalStore } from 'react';
import { useCarillon } from './context.ts';
import { closeIcon } from './icons.tsx';

/** Says what could not be done and was taken back, and offers to try it again. */
export function Failures() {
  const { changes, messages } = useCarillon();
  const failures = useSyncExternalStore(changes.subscribe, changes.getFailures, changes.getFailures);
  const [first] = failures;
  const retry = (): void => {
    changes.dismiss();
    for (const failure of failures) failure.retry();
  };
  return (
    <div role="alert" className="carillon-failures">
      {first && (
        <div className="carillon-toast">
          <p className="carillon-toast-text">
            <strong>
              {failures.length === 1 ? messages.failed[first.kind](first.title) : messages.failedMany(failures.length)}
            </strong>{' '}
            {first.isUnreachable ? messages.unreachable : messages.refused}
          </p>
          <button type="button" className="carillon-button" onClick={retry}>
            {messages.tryAgain}
          </button>
          <button
            type="button"
            className="carillon-icon-button"
            aria-label={messages.dismiss}
            onClick={changes.dismiss}
          >
            {closeIcon}
          </button>
        </div>
      )}
    </div>
  );
}
