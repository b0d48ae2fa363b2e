import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import type { Person, TestApp } from './app.ts';

export const CHANGES = `subscription ($after: String) {
  inboxChanged(after: $after) {
    __typename
    ... on NotificationAdded { cursor unreadCount notification { id title status sendAt expiresAt createdAt } }
    ... on NotificationUpdated { cursor unreadCount notification { id } }
    ... on NotificationsRead { cursor unreadCount ids }
    ... on NotificationsDeleted { cursor unreadCount ids recalled }
    ... on InboxReset { cursor unreadCount reason }
  }
}`;

export interface Change {
  __typename: string;
  cursor: string;
  unreadCount: number;
  notification?: { id: string; title: string; status: string; sendAt: string | null; createdAt: string };
  ids?: string[];
  recalled?: boolean;
}

/** A device that listens to every change of an inbox over graphql-ws; `next()` waits for the next one. */
export function follow(app: TestApp, { token }: Person, after: string) {
  const client = createClient({
    url: app.graphqlSocketUrl,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${token}` },
    retryAttempts: 0,
  });
  const results = client.iterate<{ inboxChanged: Change }>({ query: CHANGES, variables: { after } });
  return {
    async next(): Promise<Change> {
      const { value } = await results.next();
      if (!value?.data || value.errors) throw new Error(`no change came: ${JSON.stringify(value)}`);
      return value.data.inboxChanged;
    },
    async [Symbol.asyncDispose]() {
      await client.dispose();
    },
  };
}
