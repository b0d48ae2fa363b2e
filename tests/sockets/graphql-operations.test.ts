import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type TestApp, person, startApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import type { SocketClient } from '../support/socket-client.ts';
import { BEGINNING, connectGraphQL, sendTo, subscribe } from './connect.ts';

let app: TestApp;

beforeAll(async () => {
  app = await startApp();
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

const run = (socket: SocketClient, id: string, payload: object) => socket.send({ id, type: 'subscribe', payload });
const feedsEnd = () => eventually(() => app.app.context.hub.feedCount === 0);

test('queries and mutations are answered over the socket', async () => {
  await using socket = await connectGraphQL(app, person());
  const query = 'mutation ($t: String!) { send(input: { title: $t, content: "C" }) { title } }';
  run(socket, 'm', { query, variables: { t: 'T' } });
  expect(await socket.take(2)).toEqual([
    { id: 'm', type: 'next', payload: { data: { send: { title: 'T' } } } },
    { id: 'm', type: 'complete' },
  ]);
  run(socket, 'q', { query: 'query A { unreadCount } query B { __typename }', operationName: 'A' });
  expect(await socket.take(2)).toEqual([
    { id: 'q', type: 'next', payload: { data: { unreadCount: 1 } } },
    { id: 'q', type: 'complete' },
  ]);
});

test('an error of a field comes beside the data', async () => {
  await using socket = await connectGraphQL(app, person());
  run(socket, '1', { query: 'mutation { markRead(id: "x") { id } }' });
  const [next, complete] = await socket.take(2);
  expect(next).toMatchObject({ type: 'next', payload: { errors: [{ extensions: { code: 'NOT_FOUND' } }] } });
  expect(complete).toEqual({ id: '1', type: 'complete' });
});

describe('a request that is wrong is refused with an error message for that operation alone:', () => {
  const wrong: [string, object][] = [
    ['a syntax error', { query: '{' }],
    ['an empty document', { query: '' }],
    ['an unknown field', { query: '{ nothing }' }],
    ['an unknown operation', { query: 'query A { unreadCount }', operationName: 'B' }],
    ['a missing variable', { query: 'query ($id: ID!) { notification(id: $id) { id } }' }],
    [
      'a variable of the wrong type',
      { query: 'query ($n: Int) { notifications(first: $n) { totalCount } }', variables: { n: 'x' } },
    ],
    ['a garbled cursor', { query: 'subscription { notificationAdded(after: "x") { id } }' }],
    [
      'two fields at the root of a subscription',
      { query: 'subscription { a: notificationAdded { id } b: notificationAdded { id } }' },
    ],
  ];
  test.each(wrong)('%s', async (_, payload) => {
    const ada = person();
    await using socket = await connectGraphQL(app, ada);
    subscribe(socket, 'live');
    run(socket, 'bad', payload);
    const refused = await socket.next();
    expect(refused).toEqual({
      id: 'bad',
      type: 'error',
      payload: [expect.objectContaining({ message: expect.any(String) })],
    });
    expect(refused['payload'][0].extensions).toMatchObject({ code: 'BAD_USER_INPUT' });
    expect(refused['payload'][0].extensions).not.toHaveProperty('http');
    const { id } = await sendTo(app, ada);
    expect(await socket.next()).toMatchObject({ id: 'live', payload: { data: { notificationAdded: { id } } } });
  });

  test('an operation beyond those that one socket may have', async () => {
    await using small = await startApp({ env: { MAX_OPERATIONS_PER_SOCKET: '3' } });
    await using socket = await connectGraphQL(small, person());
    for (const id of ['a', 'b', 'c', 'd']) subscribe(socket, id);
    expect(await socket.next()).toMatchObject({
      id: 'd',
      type: 'error',
      payload: [{ extensions: { code: 'RATE_LIMITED', retryAfter: 1 } }],
    });
    socket.send({ id: 'a', type: 'complete' });
    // Its place is free once it has ended, which nothing tells.
    await eventually(async () => {
      run(socket, 'e', { query: '{ unreadCount }' });
      return (await socket.next())['type'] === 'next';
    });
  });
});

describe('an operation that the client completes', () => {
  test('releases its feed', async () => {
    await using socket = await connectGraphQL(app, person());
    subscribe(socket, '1');
    await eventually(() => app.app.context.hub.feedCount === 1);
    socket.send({ id: '1', type: 'complete' });
    await feedsEnd();
  });

  test('while it is being begun leaves nothing behind', async () => {
    await using socket = await connectGraphQL(app, person());
    for (let round = 0; round < 50; round++) {
      subscribe(socket, `s${round}`);
      socket.send({ id: `s${round}`, type: 'complete' });
      run(socket, `q${round}`, { query: '{ unreadCount }' });
      expect((await socket.take(2)).map(({ id, type }) => [id, type])).toEqual([
        [`q${round}`, 'next'],
        [`q${round}`, 'complete'],
      ]);
    }
    await feedsEnd();
  });

  test.each([0, 1])('can be begun again at once under its id after %d events, and tells each once', async (count) => {
    const ada = person();
    await using socket = await connectGraphQL(app, ada);
    subscribe(socket, '1');
    let after = BEGINNING;
    for (let event = 0; event < count; event++) {
      await sendTo(app, ada);
      after = (await socket.next())['payload'].data.notificationAdded.cursor as string;
    }
    for (let round = 0; round < 3; round++) {
      socket.send({ id: '1', type: 'complete' });
      subscribe(socket, '1', after);
    }
    const sent = [await sendTo(app, ada), await sendTo(app, ada)].map(({ id }) => id as string);
    const told = (await socket.take(2)).map(({ id, payload }) => [id, payload.data.notificationAdded.id]);
    expect(told).toEqual(sent.map((id) => ['1', id]));
    socket.send({ id: '1', type: 'complete' });
    await feedsEnd();
    expect(socket.rest()).toEqual([]);
  });
});

test('a socket that closes takes all its subscriptions with it, those being begun included', async () => {
  for (let round = 0; round < 10; round++) {
    const socket = await connectGraphQL(app, person());
    for (const id of ['a', 'b', 'c']) subscribe(socket, id);
    await socket[Symbol.asyncDispose]();
  }
  await feedsEnd();
});
