import type { ApolloClient } from '@apollo/client';
import { useLazyQuery } from '@apollo/client/react';
import { type FormEvent, useState } from 'react';
import { IsOnlineDocument } from '../operations/generated.ts';
import { useConsole, useMessages } from '../state/console.ts';
import { useStore } from '../state/store.ts';
import { Field } from '../ui/field.tsx';
import { dateTime } from '../ui/time.ts';

/** Asks whether one user is online. */
export function PresenceLookup({ apollo }: { apollo: ApolloClient }) {
  const { admin: m } = useMessages();
  const { locale } = useStore(useConsole().preferences);
  const [userId, setUserId] = useState('');
  const [ask, { data, error }] = useLazyQuery(IsOnlineDocument, { client: apollo, fetchPolicy: 'network-only' });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    void ask({ variables: { userIds: [userId] } }).catch(() => {});
  };
  const found = data?.isOnline[0];
  const answer = ({ userId: id, online, connections, lastSeenAt }: NonNullable<typeof found>): string => {
    if (online) return m.isOnline(id, connections);
    return lastSeenAt === null ? m.neverSeen(id) : m.isOffline(id, dateTime(lastSeenAt, locale));
  };
  return (
    <section className="card" aria-labelledby="lookup">
      <h2 id="lookup">{m.ask}</h2>
      <form className="lookup" onSubmit={submit}>
        <Field label={m.userId} fault={error?.message}>
          {(attributes) => (
            <input {...attributes} value={userId} required onChange={({ target }) => setUserId(target.value)} />
          )}
        </Field>
        <button type="submit">{m.look}</button>
      </form>
      <p role="status">{found && answer(found)}</p>
    </section>
  );
}
