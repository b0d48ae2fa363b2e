import { useMutation, useQuery } from '@apollo/client/react';
import { useEffect } from 'react';
import { CancelScheduledDocument, ScheduledDocument } from '../operations/generated.ts';
import { useConsole, useMessages } from '../state/console.ts';
import type { Desk } from '../state/pane.ts';
import { useStore } from '../state/store.ts';
import { dateTime } from '../ui/time.ts';

/** What is due is sent within about a second. */
const GRACE_MS = 1500;
/** Timers take no more than 24.8 days. */
const MOST_WAIT_MS = 86_400_000;

/** What waits for its time, soonest first, with the way to cancel it. */
export function ScheduledPanel({ desk: { apollo } }: { desk: Desk }) {
  const { scheduled: m, sent, send } = useMessages();
  const { locale } = useStore(useConsole().preferences);
  const { data, error, refetch } = useQuery(ScheduledDocument, { client: apollo });
  const [cancel, cancelling] = useMutation(CancelScheduledDocument, {
    client: apollo,
    refetchQueries: [ScheduledDocument],
  });
  const list = data?.scheduledNotifications;
  const soonest = list?.[0]?.sendAt ?? null;
  useEffect(() => {
    if (soonest === null) return;
    const waitMs = Math.min(Math.max(Date.parse(soonest) - Date.now(), 0) + GRACE_MS, MOST_WAIT_MS);
    const timer = setTimeout(() => void refetch().catch(() => {}), waitMs);
    return () => clearTimeout(timer);
  }, [soonest, list, refetch]);
  if (error && !list) return <p className="fault empty">{error.message}</p>;
  if (list?.length === 0) return <p className="empty">{m.empty}</p>;
  return (
    <>
      {cancelling.error && (
        <p className="fault" role="alert">
          {cancelling.error.message}
        </p>
      )}
      <ul className="rows">
        {list?.map(({ id, title, recipientId, type, sendAt }) => (
          <li key={id} className="row">
            <div className="row-main">
              <p className="row-title">{title}</p>
              <p className="quiet">
                {sent.to(recipientId)} · {send.types[type]} · {sendAt !== null && m.at(dateTime(sendAt, locale))}
              </p>
            </div>
            <button
              type="button"
              className="small"
              aria-label={m.cancelOf(title)}
              onClick={() => void cancel({ variables: { id } }).catch(() => {})}
            >
              {m.cancel}
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}
