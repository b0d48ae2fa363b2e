import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Client, type ClientOptions, createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { type Person, type TestApp, expiresSoon, person, signToken, startApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { BEGINNING, sendTo } from './connect.ts';

let app: TestApp;

beforeAll(async () => {
  app = await startApp();
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

const query = 'subscription ($after: String) { notificationAdded(after: $after) { id cursor } }';

interface Added {
  notificationAdded: { id: string; cursor: string };
}

function clientOf({ token }: { token: string }, options: Partial<ClientOptions> = {}): Client {
  return createClient({
    url: app.graphqlSocketUrl,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${token}` },
    retryWait: async () => {},
    ...options,
  });
}

const follow = (client: Client, after: string) => client.iterate<Added>({ query, variables: { after } });

async function nextId(results: ReturnType<typeof follow>): Promise<string | undefined> {
  return (await results.next()).value?.data?.notificationAdded.id as string | undefined;
}

describe('the graphql-ws client', () => {
  test('runs queries and mutations, and follows a subscription from a cursor and then live', async () => {
    const ada = person();
    const client = clientOf(ada);
    const missed = await sendTo(app, ada);
    const results = follow(client, BEGINNING);
    expect(await nextId(results)).toBe(missed['id']);
    const { value } = await client
      .iterate<{ send: { id: string } }>({ query: 'mutation { send(input: { title: "T", content: "C" }) { id } }' })
      .next();
    expect(await nextId(results)).toBe(value.data.send.id);
    await results.return?.();
    await eventually(() => app.app.context.hub.feedCount === 0);
    await client.dispose();
  });

  test('hears of a refused operation as an error, and goes on with others', async () => {
    const client = clientOf(person());
    await expect(client.iterate({ query: '{ nothing }' }).next()).rejects.toMatchObject([
      { message: expect.stringContaining('Cannot query field'), extensions: { code: 'BAD_USER_INPUT' } },
    ]);
    const { value } = await client.iterate({ query: '{ unreadCount }' }).next();
    expect(value).toEqual({ data: { unreadCount: 0 } });
    await client.dispose();
  });

  test('is told that its token is bad', async () => {
    const client = clientOf({ token: 'x' });
    await expect(client.iterate({ query: '{ unreadCount }' }).next()).rejects.toMatchObject({ code: 4403 });
  });

  test('comes back with a fresh token when the old one expires, and misses nothing', async () => {
    const ada = person();
    const exp = expiresSoon();
    const tokens = [signToken({ user_id: ada.id, tenant_id: ada.tenantId, exp }), ada.token];
    const closed: unknown[] = [];
    const seen: string[] = [];
    let last = BEGINNING;
    const client = clientOf(ada, {
      connectionParams: () => ({ token: tokens.shift() }),
      on: { closed: (event) => closed.push((event as CloseEvent).code) },
    });
    // The variables are read anew at each connection.
    const variables = {
      get after() {
        return last;
      },
    };
    const enough = Promise.withResolvers<void>();
    const stop = client.subscribe<Added>(
      { query, variables },
      {
        next({ data }) {
          seen.push(data!.notificationAdded.id);
          last = data!.notificationAdded.cursor;
          if (seen.length === 3) enough.resolve();
        },
        error: enough.reject,
        complete() {},
      },
    );
    const sent = [await sendTo(app, ada)];
    await eventually(() => closed.length === 1);
    sent.push(await sendTo(app, ada), await sendTo(app, ada));
    await enough.promise;
    expect(closed).toEqual([4403]);
    expect(seen).toEqual(sent.map(({ id }) => id as string));
    stop();
    await client.dispose();
  });

  test('comes back when the connection breaks, and misses nothing amid concurrent sends', async () => {
    const SENDS = 150;
    const ada: Person = person();
    const sockets: WebSocket[] = [];
    const seen: string[] = [];
    let last = BEGINNING;
    const client = clientOf(ada, {
      retryAttempts: 1000,
      on: { connected: (socket) => sockets.push(socket as WebSocket) },
    });
    const variables = {
      get after() {
        return last;
      },
    };
    const enough = Promise.withResolvers<void>();
    const stop = client.subscribe<Added>(
      { query, variables },
      {
        next({ data }) {
          seen.push(data!.notificationAdded.id);
          last = data!.notificationAdded.cursor;
          if (seen.length === SENDS) enough.resolve();
          else if (seen.length % 20 === 0) sockets.at(-1)?.terminate();
        },
        error: enough.reject,
        complete() {},
      },
    );
    const sent: string[] = [];
    while (sent.length < SENDS) {
      const batch = await Promise.all(Array.from({ length: 10 }, () => sendTo(app, ada)));
      sent.push(...batch.map(({ id }) => id as string));
    }
    await enough.promise;
    expect(sockets.length).toBeGreaterThan(5);
    expect(new Set(seen)).toEqual(new Set(sent));
    expect(seen).toHaveLength(SENDS);
    stop();
    await client.dispose();
  });
});
