import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { connectGraphQL, connectLegacy, sendTo } from '../sockets/connect.ts';
import { type Person, type TestApp, person, startApp } from '../support/app.ts';

const COUNT = '/api/v1/notifications/unread-count';
const env = { RATE_LIMIT_USER: '2000/1h' };

/** Many things at once, which take far longer one after the other than one thing does beside them. */
const MANY = 60;

let app: TestApp;
beforeAll(async () => {
  app = await startApp({ env });
});
afterAll(async () => app[Symbol.asyncDispose]());

/** Somebody who has spent more than a tenth of what can be spent at once, by a document that is long. */
async function spender(): Promise<Person> {
  const me = person();
  expect((await app.graphql(`{ unreadCount } # ${me.id}`.padEnd(60_000, '.'), me)).errors).toBeUndefined();
  return me;
}

/** How many of the tasks were done when `other` was. All of them are done in the end. */
async function doneBefore(tasks: readonly Promise<unknown>[], other: () => Promise<unknown>): Promise<number> {
  let done = 0;
  const all = Promise.all(tasks.map((task) => task.then(() => (done += 1))));
  await other();
  const before = done;
  await all;
  return before;
}

const times = <T>(task: (nth: number) => Promise<T>): Promise<T>[] =>
  Array.from({ length: MANY }, (_, nth) => task(nth));

const ask = async (who: Person): Promise<void> => {
  expect((await app.rest('GET', COUNT, who)).status).toBe(200);
};
const askGraphQL = async (who: Person): Promise<void> => {
  expect((await app.graphql('{ unreadCount }', who)).data).toEqual({ unreadCount: 0 });
};

describe('a user who has spent much', () => {
  test.each([
    ['REST', ask],
    ['GraphQL', askGraphQL],
  ])('is served one request after the other by %s, and others meanwhile', async (_door, request) => {
    const me = await spender();
    expect(
      await doneBefore(
        times(() => request(me)),
        () => request(person()),
      ),
    ).toBeLessThan(MANY / 2);
  });

  test('is served one operation after the other by the GraphQL socket, and others meanwhile', async () => {
    const me = await spender();
    await using socket = await connectGraphQL(app, me);
    await using other = await connectGraphQL(app, person());
    const asked = { type: 'subscribe', payload: { query: '{ unreadCount }' } };
    const next = { type: 'next', payload: { data: { unreadCount: 0 } } };
    for (let nth = 0; nth < MANY; nth += 1) socket.send({ ...asked, id: String(nth) });
    other.send({ ...asked, id: 'other' });
    let taken = 0;
    const all = (async () => {
      for (let nth = 0; nth < MANY; nth += 1) {
        expect(await socket.take(2)).toEqual([
          { ...next, id: String(nth) },
          { type: 'complete', id: String(nth) },
        ]);
        taken += 1;
      }
    })();
    expect(await other.next()).toEqual({ ...next, id: 'other' });
    expect(taken).toBeLessThan(MANY / 2);
    await all;
  });

  test('is served one message after the other by the raw socket, as well as by other doors', async () => {
    const me = await spender();
    const { id } = await sendTo(app, me);
    await using socket = await connectLegacy(app, me);
    let done = 0;
    const all = Promise.all(times(() => ask(me).then(() => (done += 1))));
    // They have come, as others are answered that came later.
    await ask(person());
    socket.send({ type: 'mark_read', notification_ids: [id] });
    expect(await socket.next()).toMatchObject({ type: 'read', notification_ids: [id] });
    expect(done).toBeGreaterThan(MANY / 2);
    await all;
  });

  test('is served by all doors in one order', async () => {
    const me = await spender();
    const order: string[] = [];
    const first = times((nth) => askGraphQL(me).then(() => order.push(`GraphQL ${nth}`)));
    // It has come, as others are answered that came later.
    await ask(person());
    const last = ask(me).then(() => order.push('REST'));
    await Promise.all([...first, last]);
    expect(order.at(-1)).toBe('REST');
  });

  test('has what it asks for done also when it goes away, and is served on', async () => {
    const me = await spender();
    const abort = new AbortController();
    const gone = times(async () => {
      const response = await fetch(`${app.url}${COUNT}`, {
        headers: { authorization: `Bearer ${me.token}` },
        signal: abort.signal,
      });
      await response.arrayBuffer();
    });
    await gone[0];
    abort.abort();
    await Promise.allSettled(gone);
    await ask(me);
  });
});
