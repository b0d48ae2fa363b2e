import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { EventSource } from 'eventsource';
import { print } from 'graphql';
import { DeleteNotificationDocument, NotificationAddedDocument } from '../../src/web/operations/generated.ts';
import { type TestApp, person, startApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { type StreamEvent, allEventsOf, eventsOf, isQuiet, subscribeByPost, titlesOf } from './event-stream.ts';
import { run, send, sendMany } from './operations.ts';

let app: TestApp;

beforeAll(async () => {
  app = await startApp();
});

afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

async function take(events: AsyncGenerator<StreamEvent>, count: number): Promise<StreamEvent[]> {
  const taken: StreamEvent[] = [];
  while (taken.length < count) {
    const next = await events.next();
    if (next.done) throw new Error('the stream ended early');
    taken.push(next.value);
  }
  return taken;
}

describe('by POST', () => {
  test('each notification comes live and whole, in order, and only to its recipient', async () => {
    const [me, other] = [person(), person()];
    const response = await subscribeByPost(app, me);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
    expect(response.headers.get('cache-control')).toContain('no-cache');

    await send(app, other);
    const sent = await sendMany(app, me, 3, { data: { text: 'two\nlines\r\n' } });
    const events = eventsOf(response);
    expect(await take(events, 3)).toEqual(
      sent.map((notification) => ({ event: 'next', result: { data: { notificationAdded: notification } } })),
    );
    await events.return(undefined);
    await isQuiet(app);
  });

  test('after a cursor first comes what was missed, in order, without what was deleted; then it is live', async () => {
    const me = person();
    const [first, , third] = await sendMany(app, me, 5);
    await run(app, me, DeleteNotificationDocument, { id: third?.id ?? '' });
    const events = eventsOf(await subscribeByPost(app, me, { after: first?.cursor ?? '' }));
    expect(titlesOf(await take(events, 3))).toEqual(['No. 2', 'No. 4', 'No. 5']);
    await send(app, me, { title: 'Live' });
    expect(titlesOf(await take(events, 1))).toEqual(['Live']);
    await events.return(undefined);
  });

  test('nothing is lost or doubled for a reader that comes back with its last cursor again and again', async () => {
    const me = person();
    const total = 60;
    let after = (await send(app, me, { title: 'No. 0' })).cursor;
    const sending = sendMany(app, me, total);
    const seen: unknown[] = [];
    while (seen.length < total) {
      const events = eventsOf(await subscribeByPost(app, me, { after }));
      for (const event of await take(events, Math.min(7, total - seen.length))) {
        after = event.result?.data?.notificationAdded.cursor ?? '';
        seen.push(...titlesOf([event]));
      }
      await events.return(undefined);
    }
    expect(seen).toEqual((await sending).map(({ title }) => title));
    await isQuiet(app);
  });

  test('what is no cursor of the inbox ends the stream with BAD_USER_INPUT', async () => {
    const events = await allEventsOf(await subscribeByPost(app, person(), { after: 'x' }));
    expect(events).toMatchObject([
      { event: 'next', result: { errors: [{ extensions: { code: 'BAD_USER_INPUT', field: 'after' } }] } },
      { event: 'complete' },
    ]);
    await isQuiet(app);
  });

  test('without a token it is refused with 401', async () => {
    expect((await subscribeByPost(app, { ...person(), token: 'x' })).status).toBe(401);
  });
});

test('an EventSource subscribes by GET, with the token in its header', async () => {
  const me = person();
  const before = await send(app, me, { title: 'Before' });
  const missed = await send(app, me, { title: 'Missed' });
  const query = new URLSearchParams({
    query: print(NotificationAddedDocument),
    variables: JSON.stringify({ after: before.cursor }),
  });
  const source = new EventSource(`${app.graphqlUrl}?${query.toString()}`, {
    fetch: (url, init) => fetch(url, { ...init, headers: { ...init.headers, authorization: `Bearer ${me.token}` } }),
  });
  const queue: string[] = [];
  source.addEventListener('next', ({ data }) => queue.push(data as string));
  await eventually(() => queue.length === 1);
  const live = await send(app, me, { title: 'Live' });
  await eventually(() => queue.length === 2);
  source.close();

  const wrapped = [missed, live].map((notification) => ({ data: { notificationAdded: notification } }));
  expect(queue.map((text) => JSON.parse(text) as unknown)).toEqual(wrapped);
  await isQuiet(app);
});
