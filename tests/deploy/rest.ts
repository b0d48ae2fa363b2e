import type { Person } from '../support/app.ts';

interface Sent {
  id: string;
}

/** What the tests here ask a server for, over REST and GraphQL, as one person who sends to oneself. */
export function api(url: string, { id, token }: Person) {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };

  /** The status of one attempt at a send, and what was sent if it was. */
  async function trySend(title: string, key: string): Promise<{ status: number; sent: Sent | undefined }> {
    const body = JSON.stringify({ user_id: id, type: 'task', title, content: 'Content' });
    const response = await fetch(`${url}/api/v1/notifications`, {
      method: 'POST',
      headers: { ...headers, 'idempotency-key': key },
      body,
    });
    const text = await response.text();
    return { status: response.status, sent: response.ok ? (JSON.parse(text) as Sent) : undefined };
  }

  return {
    trySend,

    /** A send that must not fail. */
    async send(title: string): Promise<Sent> {
      const { status, sent } = await trySend(title, crypto.randomUUID());
      if (sent === undefined) throw new Error(`the send was refused with ${status}`);
      return sent;
    },

    /** The status of asking for the unread count. */
    async count(): Promise<number> {
      const response = await fetch(`${url}/api/v1/notifications/unread-count`, { headers });
      await response.text();
      return response.status;
    },

    /** The cursor of where the inbox stands. */
    async inboxCursor(): Promise<string> {
      const body = JSON.stringify({ query: '{ inboxState { cursor } }' });
      const response = await fetch(`${url}/graphql`, { method: 'POST', headers, body });
      const { data } = (await response.json()) as { data: { inboxState: { cursor: string } } };
      return data.inboxState.cursor;
    },

    /** The ids of the whole inbox in the order of its log, the oldest first. */
    async ids(): Promise<string[]> {
      const ids: string[] = [];
      for (let page = 1; ; page++) {
        const response = await fetch(`${url}/api/v1/notifications?page=${page}&page_size=100`, { headers });
        const { items, total } = (await response.json()) as { items: Sent[]; total: number };
        ids.push(...items.map((item) => item.id));
        if (ids.length >= total) return ids.toReversed();
      }
    },
  };
}
