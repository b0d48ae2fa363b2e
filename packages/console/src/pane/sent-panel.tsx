import type { ApolloClient } from '@apollo/client';
import { useMutation, useQuery } from '@apollo/client/react';
import { useInbox } from '@carillon/react';
import { useEffect } from 'react';
import { RecallDocument, SentDocument, type SentQuery } from '../operations/generated.ts';
import { useConsole, useMessages } from '../state/console.ts';
import type { Desk } from '../state/pane.ts';
import { useStore } from '../state/store.ts';
import { dateTime, timeOfDay } from '../ui/time.ts';

/** How many of the newest are listed. */
const FIRST = 50;

type Sent = SentQuery['sentNotifications']['nodes'][number];

/** What the user sent, and how it stands: receipts come live. */
export function SentPanel({ desk: { apollo, receipts } }: { desk: Desk }) {
  const { sent: m } = useMessages();
  const { data, error } = useQuery(SentDocument, { client: apollo, variables: { first: FIRST } });
  const cursor = data?.sentNotifications.cursor;
  // Whoever has disconnected has no other socket open either.
  const isWanted = useInbox().status !== 'idle';
  useEffect(() => {
    if (cursor !== undefined && isWanted) receipts.follow(cursor);
  }, [cursor, receipts, isWanted]);
  const list = data?.sentNotifications.nodes;
  if (error && !list) return <p className="fault empty">{error.message}</p>;
  if (list?.length === 0) return <p className="empty">{m.empty}</p>;
  return (
    <ul className="rows">
      {list?.map((item) => (
        <SentRow key={item.id} item={item} apollo={apollo} />
      ))}
    </ul>
  );
}

function SentRow({ item, apollo }: { item: Sent; apollo: ApolloClient }) {
  const { sent: m, send } = useMessages();
  const { locale } = useStore(useConsole().preferences);
  const [recall, { error }] = useMutation(RecallDocument, {
    client: apollo,
    variables: { id: item.id },
    update: (cache) =>
      cache.modify({
        id: `SentNotification:${item.id}`,
        fields: { status: () => 'RECALLED', deliveries: () => item.deliveries },
      }),
  });
  const status = statusOf(item);
  return (
    <li className="row">
      <div className="row-main">
        <p className="row-title">{item.title}</p>
        <p className="quiet">
          {m.to(item.recipientId)} · {send.types[item.type]} ·{' '}
          <time dateTime={item.createdAt}>{dateTime(item.createdAt, locale)}</time>
        </p>
        {item.deliveries.map(({ id, channel, status: delivery, lastError }) => (
          <p key={id} className="quiet">
            {send.channelNames[channel]}: {m.status[delivery]}
            {lastError !== null && ` · ${lastError}`}
          </p>
        ))}
        {error && <p className="fault">{error.message}</p>}
      </div>
      <span
        className={`status ${status.toLowerCase()}`}
        title={item.readAt ? m.read(timeOfDay(item.readAt, locale)) : undefined}
      >
        {m.status[status]}
      </span>
      {status !== 'RECALLED' && (
        <button
          type="button"
          className="small"
          aria-label={m.recallOf(item.title)}
          onClick={() => void recall().catch(() => {})}
        >
          {m.recall}
        </button>
      )}
    </li>
  );
}

/** Receipts tell only whether it was read. */
function statusOf({ status, isRead }: Sent): Sent['status'] {
  if (status === 'RECALLED') return status;
  if (isRead) return 'READ';
  return status === 'READ' ? 'DELIVERED' : status;
}
