import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { eventsOf } from '../graphql/event-stream.ts';
import type { Person } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { Messages } from '../support/messages.ts';
import { type Closed, SocketClient } from '../support/socket-client.ts';

/** Longer than a server takes to start elsewhere, on a busy machine. */
const PATIENCE_MS = 20_000;

/** A device that comes back with its last cursor whenever it is cut off, until it is disposed of. */
export interface Device extends AsyncDisposable {
  /** The ids of what was added, as they came. */
  readonly added: Messages<string>;
  /** How its connections ended so far; 0 stands for an event stream. */
  readonly endings: number[];
}

const SUBSCRIPTION = 'subscription ($after: String) { notificationAdded(after: $after) { id cursor } }';

interface Result extends Record<string, unknown> {
  notificationAdded: { id: string; cursor: string };
}

/** Over graphql-transport-ws, in the way that PROTOCOL.md shows. */
export async function graphqlDevice(url: string, { token }: Person, begin: string): Promise<Device> {
  const [added, endings] = [new Messages<string>(), [] as number[]];
  let cursor = begin;
  const client = createClient({
    url: `${url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${token}` },
    retryAttempts: Number.POSITIVE_INFINITY,
    shouldRetry: () => true,
    retryWait: () => Promise.resolve(),
  });
  const connected = Promise.withResolvers<void>();
  const disposed = Promise.withResolvers<void>();
  let leaving = false;
  client.on('connected', () => connected.resolve());
  client.on('closed', (event) => {
    if (leaving) disposed.resolve();
    else endings.push((event as { code: number }).code);
  });
  client.subscribe<Result>(
    {
      query: SUBSCRIPTION,
      variables: {
        get after() {
          return cursor;
        },
      },
    },
    {
      next: ({ data }) => {
        cursor = data!.notificationAdded.cursor;
        added.add(data!.notificationAdded.id);
      },
      error: connected.reject,
      complete: () => {},
    },
  );
  await connected.promise;
  return {
    added,
    endings,
    async [Symbol.asyncDispose]() {
      leaving = true;
      await client.dispose();
      await disposed.promise;
    },
  };
}

/** Over the raw socket, with its token in the address. */
export async function rawDevice(url: string, { token }: Person, begin: string): Promise<Device> {
  const [added, endings] = [new Messages<string>(), [] as number[]];
  let cursor = begin;
  let leaving = false;
  const connect = (): Promise<SocketClient> => {
    const query = new URLSearchParams({ token, since: cursor });
    return SocketClient.connect(`${url.replace('http', 'ws')}/api/v1/notifications/ws?${query.toString()}`);
  };
  let socket = await connect();
  const done = (async () => {
    for (;;) {
      const ended = await read(socket, (notification) => {
        cursor = notification.cursor;
        added.add(notification.id);
      });
      if (leaving) return;
      endings.push(ended.code);
      socket = await eventually(connect, PATIENCE_MS);
    }
  })();
  return {
    added,
    endings,
    async [Symbol.asyncDispose]() {
      leaving = true;
      await socket[Symbol.asyncDispose]();
      await done;
    },
  };
}

async function read(socket: SocketClient, take: (one: { id: string; cursor: string }) => void): Promise<Closed> {
  const ended = socket.closed.then(() => undefined);
  for (;;) {
    const message = await Promise.race([socket.next().catch(() => undefined), ended]);
    for (const one of [message, ...socket.rest()]) if (one?.['type'] === 'notification') take(one['notification']);
    if (message === undefined) return socket.closed;
  }
}

/** Over server-sent events. */
export async function streamDevice(url: string, { token }: Person, begin: string): Promise<Device> {
  const [added, endings] = [new Messages<string>(), [] as number[]];
  const leaving = new AbortController();
  let cursor = begin;
  const connect = async (): Promise<Response> => {
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'text/event-stream',
        authorization: `Bearer ${token}`,
      },
      body: JSON.stringify({ query: SUBSCRIPTION, variables: { after: cursor } }),
      signal: leaving.signal,
    });
    if (!response.ok) throw new Error(`the stream was refused with ${response.status}`);
    return response;
  };
  let response = await connect();
  const follow = async (): Promise<void> => {
    for (;;) {
      for await (const { result } of eventsOf(response)) {
        const one = result?.data?.notificationAdded as Result['notificationAdded'] | undefined;
        if (one === undefined) continue;
        cursor = one.cursor;
        added.add(one.id);
      }
      endings.push(0);
      response = await eventually(connect, PATIENCE_MS);
    }
  };
  const done = follow().catch((error: unknown) => {
    if (!leaving.signal.aborted) throw error;
  });
  return {
    added,
    endings,
    async [Symbol.asyncDispose]() {
      leaving.abort();
      await done;
    },
  };
}
