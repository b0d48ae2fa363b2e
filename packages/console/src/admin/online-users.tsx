import type { ApolloClient } from '@apollo/client';
import { OnlineUsersDocument } from '../operations/generated.ts';
import { useMessages } from '../state/console.ts';
import { Avatar } from '../pane/avatar.tsx';
import { usePolled } from './use-polled.ts';

/** The most that the server lists at once. */
const VARIABLES = { first: 100 };

export function OnlineUsers({ apollo }: { apollo: ApolloClient }) {
  const { admin: m } = useMessages();
  const { data, error } = usePolled(apollo, OnlineUsersDocument, VARIABLES);
  const online = data?.onlineUsers;
  return (
    <section className="card" aria-labelledby="online">
      <h2 id="online">{m.who}</h2>
      {error && <p className="fault">{error.message}</p>}
      {online?.nodes.length === 0 && <p className="quiet">{m.nobody}</p>}
      <ul className="online">
        {online?.nodes.map(({ userId, connections }) => (
          <li key={userId}>
            <Avatar name={userId} />
            <strong>{userId}</strong>
            <span className="quiet">{m.connectionsOf(connections)}</span>
          </li>
        ))}
      </ul>
      {online?.pageInfo.hasNextPage && <p className="quiet">{m.more}</p>}
    </section>
  );
}
