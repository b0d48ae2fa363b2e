import { StatsDocument } from '../operations/generated.ts';
import { useMessages } from '../state/console.ts';
import type { Desk } from '../state/pane.ts';
import { BarTable } from './bar-table.tsx';
import { Figures } from './figures.tsx';
import { OnlineUsers } from './online-users.tsx';
import { OverTime } from './over-time.tsx';
import { PresenceLookup } from './presence-lookup.tsx';
import { usePolled } from './use-polled.ts';

const NOTHING = {};

/** Figures of the tenant, for its admins, as they change. */
export function AdminView({ desk: { apollo, user } }: { desk: Desk }) {
  const { admin: m, send } = useMessages();
  const { data, error } = usePolled(apollo, StatsDocument, NOTHING);
  const stats = data?.stats;
  return (
    <div className="admin">
      <div className="admin-head">
        <h1>{m.title}</h1>
        <p className="quiet">{m.lead(user.username)}</p>
        {error && (
          <p className="fault" role="alert">
            {error.message}
          </p>
        )}
      </div>
      {stats ? (
        <>
          <Figures stats={stats} />
          <OverTime stats={stats} />
          <div className="cards two">
            <BarTable
              title={m.byType}
              bars={stats.last24Hours.byType.map(({ type, sends }) => [send.types[type], sends])}
            />
            <BarTable
              title={m.byChannel}
              bars={stats.last24Hours.byChannel.map(({ channel, sends }) => [send.channelNames[channel], sends])}
            />
            <OnlineUsers apollo={apollo} />
            <PresenceLookup apollo={apollo} />
          </div>
        </>
      ) : (
        !error && <p className="quiet">{m.loading}</p>
      )}
    </div>
  );
}
