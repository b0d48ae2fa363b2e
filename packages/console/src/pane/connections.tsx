import { useInbox } from '@carillon/react';
import { useMessages } from '../state/console.ts';
import type { Desk } from '../state/pane.ts';
import { useStore } from '../state/store.ts';
import { LineState } from './line-state.tsx';

/** Both kinds of socket of a user: how each stands, and the way to connect and disconnect it. */
export function Connections({ desk: { legacy, resume, receipts } }: { desk: Desk }) {
  const m = useMessages();
  const { status, retryAt, connect, disconnect } = useInbox();
  const raw = useStore(legacy.state);
  return (
    <div className="lines" role="group" aria-label={m.lines.title}>
      <LineState
        name={m.lines.graphql}
        status={status}
        retryAt={retryAt}
        resumed={useStore(resume.store)}
        onConnect={connect}
        onDisconnect={() => {
          disconnect();
          receipts.stop();
        }}
      />
      <LineState
        name={m.lines.legacy}
        status={raw.status}
        retryAt={raw.retryAt}
        resumed={useStore(legacy.resume.store)}
        detail={raw.status === 'live' && raw.unreadCount !== null ? m.lines.unread(raw.unreadCount) : undefined}
        onConnect={legacy.connect}
        onDisconnect={legacy.disconnect}
        onPing={legacy.ping}
      />
    </div>
  );
}
