import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Person, type TestApp, person, signToken, startApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { type StreamEvent, allEventsOf, isQuiet, subscribeByPost, titlesOf } from './event-stream.ts';
import { refusalOf, send } from './operations.ts';

const CONTENT_OF_40_KB = '😀'.repeat(10_000);

let app: TestApp;

beforeAll(async () => {
  app = await startApp();
});

afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

/** A person whose token lives for about this long. */
function shortLived(ms: number): Person {
  const { id, tenantId } = person();
  return { id, tenantId, token: signToken({ user_id: id, tenant_id: tenantId, exp: (Date.now() + ms) / 1000 }) };
}

describe('a stream ends', () => {
  test('within a second of the end of its token, with UNAUTHENTICATED and complete', async () => {
    const me = shortLived(2500);
    const expiry = Date.now() + 2500;
    const response = await subscribeByPost(app, me);
    await send(app, person(), { recipientId: me.id, title: 'In time' });
    const [first, last, ...rest] = await allEventsOf(response);
    const end = Date.now();

    expect(titlesOf([first as StreamEvent])).toEqual(['In time']);
    expect(refusalOf({ errors: last?.result?.errors } as never)).toEqual({ code: 'UNAUTHENTICATED' });
    expect(rest).toEqual([{ event: 'complete', result: undefined }]);
    expect(end - expiry).toBeGreaterThanOrEqual(-1);
    expect(end - expiry).toBeLessThan(1000);
    await isQuiet(app);
  });

  test('when the server drains, with UNAVAILABLE, and complete', async () => {
    await using own = await startApp();
    const response = await subscribeByPost(own, person());
    const [events] = await Promise.all([allEventsOf(response), own.app.doors.drain()]);
    expect(events).toMatchObject([
      { event: 'next', result: { errors: [{ extensions: { code: 'UNAVAILABLE', retryAfter: 1 } }] } },
      { event: 'complete' },
    ]);
    expect(own.app.doors.connections.size).toBe(0);
  });

  test('when the server drains even if its reader takes nothing', async () => {
    await using own = await startApp({ env: { MAX_WAITING_EVENTS: '1000' } });
    const me = person();
    const socket = await stalledReader(own, me);
    await Promise.all(Array.from({ length: 40 }, () => send(own, me, { content: CONTENT_OF_40_KB })));
    await own.app.doors.drain();
    expect(own.app.doors.connections.size).toBe(0);
    socket.destroy();
  });

  test('when more waits for its reader than may, so that the reader comes back with its cursor', async () => {
    await using own = await startApp({ env: { MAX_WAITING_EVENTS: '4' } });
    const me = person();
    const socket = await stalledReader(own, me);
    await eventually(async () => {
      await Promise.all(Array.from({ length: 20 }, () => send(own, me, { content: CONTENT_OF_40_KB })));
      return own.app.doors.connections.size === 0;
    });
    await isQuiet(own);
    socket.destroy();
  });
});

/** A subscriber that reads the head of the answer, and then nothing any more. */
async function stalledReader(one: TestApp, who: Person) {
  const { hostname, port } = new URL(one.url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  // Ten times the content: a few notifications are more than the buffers of both ends take.
  const contents = Array.from({ length: 10 }, (_, n) => `content${n}: content`).join(' ');
  const body = JSON.stringify({ query: `subscription { notificationAdded { ${contents} } }` });
  socket.write(
    `POST /graphql HTTP/1.1\r\nHost: ${hostname}\r\nAccept: text/event-stream\r\nContent-Type: application/json\r\n` +
      `Authorization: Bearer ${who.token}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  await once(socket, 'data');
  socket.pause();
  await eventually(() => one.app.doors.connections.size === 1);
  return socket;
}

describe('a client that goes away', () => {
  test('in the middle of a stream frees its feed and its place', async () => {
    const leave = new AbortController();
    const me = person();
    const responses = await Promise.all([1, 2, 3].map(() => subscribeByPost(app, me, { signal: leave.signal })));
    expect(responses.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect([app.app.context.hub.feedCount, app.app.doors.connections.size]).toEqual([1, 3]);
    leave.abort();
    await isQuiet(app);
  });

  test('while its subscription is being made leaves nothing behind', async () => {
    const { hostname, port } = new URL(app.url);
    const { token } = person();
    const path = `/graphql?query=${encodeURIComponent('subscription { notificationAdded { id } }')}`;
    for (let n = 0; n < 20; n += 1) {
      const socket = connect(Number(port), hostname);
      const head = `GET ${path} HTTP/1.1\r\nHost: ${hostname}\r\nAccept: text/event-stream\r\n`;
      socket.end(`${head}Authorization: Bearer ${token}\r\n\r\n`, () => socket.destroy());
      await once(socket, 'close');
    }
    const next = await subscribeByPost(app, person());
    await next.body?.cancel();
    await isQuiet(app);
  });
});

test('a user may have so many streams and no more, and 429 says when to come back', async () => {
  await using own = await startApp({ env: { MAX_CONNECTIONS_PER_USER: '2' } });
  const me = person();
  const first = await subscribeByPost(own, me);
  await subscribeByPost(own, me);
  const third = await subscribeByPost(own, me);
  expect([third.status, third.headers.get('retry-after')]).toEqual([429, '5']);
  expect((await subscribeByPost(own, person())).status).toBe(200);

  await first.body?.cancel();
  await eventually(() => own.app.doors.connections.size === 2);
  expect((await subscribeByPost(own, me)).status).toBe(200);
});
