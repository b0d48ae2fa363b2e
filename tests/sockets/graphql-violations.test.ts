import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type TestApp, person, startApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { connectGraphQL, openGraphQL, subscribe } from './connect.ts';

let app: TestApp;

beforeAll(async () => {
  // What is nested beyond the stack comes to those who take it apart.
  app = await startApp({ env: { MAX_BODY_VALUES: '1000000' } });
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

describe('a message against the protocol closes the socket:', () => {
  test.each([
    ['no JSON', 'x', 4400],
    ['a JSON array', '[]', 4400],
    ['no type', '{}', 4400],
    ['an unknown type', '{"type":"start"}', 4400],
    ['a type that only servers send', '{"type":"connection_ack"}', 4400],
    ['a result', '{"type":"next","id":"1","payload":{}}', 4400],
    ['a subscribe without an id', '{"type":"subscribe","payload":{"query":"{ unreadCount }"}}', 4400],
    ['a subscribe without a query', '{"type":"subscribe","id":"1","payload":{}}', 4400],
    [
      'a subscribe whose variables are a list',
      '{"type":"subscribe","id":"1","payload":{"query":"","variables":[]}}',
      4400,
    ],
    ['a message beyond the limit', 'x'.repeat(1_048_577), 1009],
  ])('%s', async (_, text, code) => {
    await using socket = await connectGraphQL(app, person());
    socket.send(text);
    expect((await socket.closed).code).toBe(code);
  });

  test.each(['1', 'ü'.repeat(500)])('a second operation with an id that is under way: %s', async (id) => {
    await using socket = await connectGraphQL(app, person());
    subscribe(socket, id);
    subscribe(socket, id);
    expect(await socket.closed).toMatchObject({ code: 4409, reason: expect.stringContaining('Subscriber for') });
    await eventually(() => app.app.context.hub.feedCount === 0);
  });

  test('a binary message', async () => {
    await using socket = await connectGraphQL(app, person());
    socket.socket.send(Buffer.from('{"type":"ping"}'));
    expect((await socket.closed).code).toBe(1003);
  });

  test('and what follows it is not served', async () => {
    const ada = person();
    await using socket = await connectGraphQL(app, ada);
    socket.send('x');
    const query = 'mutation { send(input: { title: "T", content: "C" }) { id } }';
    socket.send({ id: '1', type: 'subscribe', payload: { query } });
    expect((await socket.closed).code).toBe(4400);
    const { body } = await app.rest('GET', '/api/v1/notifications/unread-count', { token: ada.token });
    expect(body).toEqual({ count: 0 });
  });
});

test('a stranger’s ping that is nested beyond the stack is refused, and disturbs nobody', async () => {
  await using other = await connectGraphQL(app, person());
  await using stranger = await openGraphQL(app);
  stranger.send(`{"type":"ping","payload":{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}}`);
  expect((await stranger.closed).code).toBe(4400);
  other.send({ type: 'ping' });
  expect(await other.next()).toEqual({ type: 'pong' });
});

test('a burst of five thousand pings is answered in full', async () => {
  await using socket = await connectGraphQL(app, person());
  for (let count = 0; count < 5000; count++) socket.send({ type: 'ping' });
  expect((await socket.take(5000)).every(({ type }) => type === 'pong')).toBe(true);
});
