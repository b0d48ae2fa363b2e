import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Person, type TestApp, person, startApp } from '../support/app.ts';
import type { Message, SocketClient } from '../support/socket-client.ts';
import { connectLegacy, sendTo } from './connect.ts';

let app: TestApp;

beforeAll(async () => {
  app = await startApp({ env: { RATE_LIMITS: 'off' } });
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

const titles = (messages: Message[]) => messages.map((message) => message['notification'].title as string);

async function sendMany(who: Person, count: number, prefix: string): Promise<string[]> {
  const all = Array.from({ length: count }, (_, index) => `${prefix}${index}`);
  for (const title of all) await sendTo(app, who, { title });
  return all;
}

/** The cursor of the newest notification. */
async function newestCursor(who: Person): Promise<string> {
  const { data } = await app.graphql('{ notifications(first: 1) { nodes { cursor } } }', { token: who.token });
  return data.notifications.nodes[0].cursor as string;
}

describe('a socket that comes back with since', () => {
  test('is told all that was added after it right after the welcome, in order, and then what comes live', async () => {
    const ada = person();
    await sendMany(ada, 3, 'before');
    const since = await newestCursor(ada);
    const missed = await sendMany(ada, 25, 'missed');
    await using socket = await connectLegacy(app, ada, { since });
    expect(socket.welcome).toMatchObject({ type: 'welcome', unread_count: 28 });
    expect(titles(await socket.take(25))).toEqual(missed);
    await sendTo(app, ada, { title: 'live' });
    expect(titles([await socket.next()])).toEqual(['live']);
  });

  test('is told more than fits any page or queue, to the last one', async () => {
    await using small = await startApp({ env: { MAX_WAITING_EVENTS: '2' } });
    const ada = person();
    const first = await sendTo(small, ada);
    const { data } = await small.graphql('query ($id: ID!) { notification(id: $id) { cursor } }', {
      token: ada.token,
      variables: { id: first['id'] },
    });
    const sent = await Promise.all(Array.from({ length: 450 }, () => sendTo(small, ada)));
    await using socket = await connectLegacy(small, ada, { since: data.notification.cursor });
    const told = (await socket.take(450)).map((message) => message['notification'].id as string);
    expect(new Set(told)).toEqual(new Set(sent.map(({ id }) => id as string)));
  });

  test('gets the present state of what it missed, and nothing of what is gone', async () => {
    const ada = person();
    await sendTo(app, ada, { title: 'known' });
    const since = await newestCursor(ada);
    const [read, gone] = [await sendTo(app, ada, { title: 'read' }), await sendTo(app, ada, { title: 'gone' })];
    await sendTo(app, ada, { title: 'last' });
    await app.rest('PUT', `/api/v1/notifications/${read['id']}/read`, { token: ada.token });
    await app.rest('DELETE', `/api/v1/notifications/${gone['id']}`, { token: ada.token });
    await using socket = await connectLegacy(app, ada, { since });
    const messages = await socket.take(3);
    expect(messages.map(({ type }) => type)).toEqual(['notification', 'notification', 'read']);
    expect(titles(messages.slice(0, 2))).toEqual(['read', 'last']);
    expect(messages[0]?.['notification'].is_read).toBe(true);
  });

  test('is told of reads and deletions among what it had', async () => {
    const ada = person();
    const [read, gone] = [await sendTo(app, ada), await sendTo(app, ada)];
    const since = await newestCursor(ada);
    await app.rest('PUT', `/api/v1/notifications/${read['id']}/read`, { token: ada.token });
    await app.rest('DELETE', `/api/v1/notifications/${gone['id']}`, { token: ada.token });
    await using socket = await connectLegacy(app, ada, { since });
    expect(await socket.take(2)).toMatchObject([
      { type: 'read', notification_ids: [read['id']], unread_count: 0 },
      { type: 'deleted', notification_ids: [gone['id']], unread_count: 0 },
    ]);
  });

  test('takes the cursor of any door: of an edge, of a page, of a push', async () => {
    const ada = person();
    await using live = await connectLegacy(app, ada);
    await sendTo(app, ada, { title: 'known' });
    const pushed = (await live.next())['notification'].cursor as string;
    const { data } = await app.graphql('{ notifications { edges { cursor } pageInfo { endCursor } } }', ada);
    await sendTo(app, ada, { title: 'missed' });
    for (const since of [pushed, data.notifications.edges[0].cursor, data.notifications.pageInfo.endCursor]) {
      await using socket = await connectLegacy(app, ada, { since });
      expect(titles([await socket.next()])).toEqual(['missed']);
    }
  });
});

describe('a since that is of no use is told after the welcome, and the socket is live:', () => {
  const expectLive = async (who: Person, since: string, words: RegExp) => {
    await using socket = await connectLegacy(app, who, { since });
    expect(socket.welcome['type']).toBe('welcome');
    expect(await socket.next()).toEqual({
      type: 'error',
      code: 'BAD_USER_INPUT',
      message: expect.stringMatching(words),
      timestamp: expect.any(String),
    });
    await sendTo(app, who, { title: 'live' });
    expect(titles([await socket.next()])).toEqual(['live']);
  };

  test.each(['x', '', '0'.repeat(4000), '-'.repeat(11), `${'A'.repeat(11)}zzzzzzzzzzz`])('garbled: %s', (since) =>
    expectLive(person(), since, /^since is not a cursor/),
  );

  test('of another inbox', async () => {
    const [ada, bob] = [person(), person()];
    await sendTo(app, ada);
    await sendTo(app, bob);
    await expectLive(ada, await newestCursor(bob), /^since is not a cursor of this inbox/);
  });

  test('of a future that never came', async () => {
    const ada = person();
    await sendTo(app, ada);
    const cursor = await newestCursor(ada);
    await expectLive(ada, `${cursor.slice(0, 11)}zz`, /^since is not a cursor that this inbox has reached/);
  });
});

test('nothing is lost, repeated or out of order while clients leave and come back amid concurrent sends', async () => {
  const SENDS = 300;
  const CLIENTS = 5;
  const ada = person();
  await sendTo(app, ada, { title: 'first' });
  const start = await newestCursor(ada);
  const arrivals: string[][] = [];

  /** Reads a random number of messages at a time, leaves in one of two ways, and comes back with its last cursor. */
  async function readAll(got: string[]): Promise<void> {
    let since = start;
    while (got.length < SENDS) {
      await using socket: SocketClient = await connectLegacy(app, ada, { since });
      const stay = Math.min(SENDS - got.length, 1 + Math.floor(Math.random() * 25));
      for (const { notification } of await socket.take(stay)) {
        got.push(notification.id as string);
        since = notification.cursor as string;
      }
      if (Math.random() < 0.5) socket.socket.terminate();
    }
  }

  const clients = Array.from({ length: CLIENTS }, async (_, index) => readAll((arrivals[index] = [])));
  const sent = new Set<string>();
  await Promise.all(
    Array.from({ length: 10 }, async () => {
      for (let count = 0; count < SENDS / 10; count++) sent.add((await sendTo(app, ada))['id'] as string);
    }),
  );
  await Promise.all(clients);
  await using full = await connectLegacy(app, ada, { since: start });
  const inOrder = (await full.take(SENDS)).map((message) => message['notification'].id as string);
  expect(new Set(inOrder)).toEqual(sent);
  for (const got of arrivals) expect(got).toEqual(inOrder);
});
