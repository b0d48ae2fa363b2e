import { EventSource } from 'eventsource';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import type { Person, TestApp } from '../support/app.ts';
import { Messages } from '../support/messages.ts';
import { type Message, SocketClient } from '../support/socket-client.ts';

/** One connection of a person: the ids of what was added, in the order in which they came. */
export interface Device extends AsyncDisposable {
  readonly added: Messages<string>;
}

/** A legacy socket also hears of reads and deletions. */
export interface LegacyDevice extends Device {
  readonly changes: Messages<Message>;
}

const SUBSCRIPTION = 'subscription ($after: String) { notificationAdded(after: $after) { id cursor } }';

interface Result {
  data?: { notificationAdded: { id: string; cursor: string } } | null;
  errors?: unknown;
}

/** A device of graphql-ws's own client, which comes back by itself with the last cursor that it had. */
export async function graphqlSocketDevice(app: TestApp, { token }: Person, after: string): Promise<Device> {
  const added = new Messages<string>();
  const client = createClient({
    url: app.graphqlSocketUrl,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${token}` },
    retryAttempts: 0,
  });
  const connected = Promise.withResolvers<void>();
  client.on('connected', () => connected.resolve());
  const ended = Promise.withResolvers<void>();
  client.on('closed', () => ended.resolve());
  client.subscribe<Result['data']>(
    { query: SUBSCRIPTION, variables: { after } },
    {
      next: ({ data }) => added.add(data!.notificationAdded.id),
      error: connected.reject,
      complete: () => {},
    },
  );
  await connected.promise;
  return {
    added,
    async [Symbol.asyncDispose]() {
      await client.dispose();
      await ended.promise;
    },
  };
}

export async function eventStreamDevice(app: TestApp, { token }: Person, after: string): Promise<Device> {
  const added = new Messages<string>();
  const query = new URLSearchParams({ query: SUBSCRIPTION, variables: JSON.stringify({ after }) });
  const source = new EventSource(`${app.graphqlUrl}?${query.toString()}`, {
    fetch: (url, init) => fetch(url, { ...init, headers: { ...init.headers, authorization: `Bearer ${token}` } }),
  });
  source.addEventListener('next', ({ data }) => {
    added.add((JSON.parse(data as string) as Result).data!.notificationAdded.id);
  });
  await new Promise<void>((resolve, reject) => {
    source.addEventListener('open', () => resolve());
    source.addEventListener('error', ({ message }) => reject(new Error(message)));
  });
  return {
    added,
    async [Symbol.asyncDispose]() {
      source.close();
    },
  };
}

export async function legacyDevice(app: TestApp, { token }: Person, since?: string): Promise<LegacyDevice> {
  const added = new Messages<string>();
  const changes = new Messages<Message>();
  const client = await SocketClient.connect(app.legacySocketUrl(since === undefined ? { token } : { token, since }));
  await client.next();
  const reading = (async () => {
    for (;;) {
      const message = await client.next();
      if (message['type'] === 'notification') added.add(message['notification'].id);
      else changes.add(message);
    }
  })();
  // Reading ends with the socket.
  reading.catch(() => {});
  return { added, changes, [Symbol.asyncDispose]: () => client[Symbol.asyncDispose]() };
}
