import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Person, type TestApp, person, startApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { type Message, type SocketClient, openRaw } from '../support/socket-client.ts';
import { connectGraphQL, connectLegacy } from './connect.ts';
import { ofEveryTenant } from '../support/every-tenant.ts';

let app: TestApp;

beforeAll(async () => {
  app = await startApp();
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT/);
const SUBSCRIPTION = 'subscription ($c: ID!) { typing(conversation: $c) { userId conversation typing at } }';
const MUTATION = 'mutation ($to: ID!, $c: ID!, $t: Boolean!) { setTyping(to: $to, conversation: $c, typing: $t) }';

const setTyping = (who: Person, to: string, typing: boolean, c = 'c') =>
  app.graphql(MUTATION, { token: who.token, variables: { to, c, t: typing } });

/** Resolves when the subscription stands: what is sent after it on the same socket is served after it. */
async function subscribe(socket: SocketClient, who: Person, c = 'c'): Promise<void> {
  socket.send({ id: '1', type: 'subscribe', payload: { query: SUBSCRIPTION, variables: { c } } });
  socket.send({ id: '2', type: 'subscribe', payload: { query: MUTATION, variables: { to: who.id, c, t: true } } });
  const messages = await socket.take(3);
  expect(messages.find(({ id }) => id === '1')).toEqual(nextEvent(who, true, c));
}

const legacyTyping = ({ id }: Person, typing: boolean, conversation = 'c'): Message => ({
  type: 'typing',
  user_id: id,
  conversation_id: conversation,
  typing,
  timestamp: TIME,
});
const nextEvent = (who: Person, typing: boolean, conversation = 'c') => ({
  type: 'next',
  id: '1',
  payload: { data: { typing: { userId: who.id, conversation, typing, at: TIME } } },
});

test('setTyping is heard by the GraphQL sockets of that conversation, and by every legacy socket', async () => {
  const [ada, bob] = [person(), person()];
  await using graphql = await connectGraphQL(app, bob);
  await subscribe(graphql, bob);
  await using one = await connectLegacy(app, bob);
  await using other = await connectLegacy(app, bob);
  expect(await setTyping(ada, bob.id, true)).toMatchObject({ data: { setTyping: true } });
  expect(await setTyping(ada, bob.id, true)).toMatchObject({ data: { setTyping: true } });
  await setTyping(ada, bob.id, true, 'another');
  await setTyping(ada, bob.id, false);
  expect(await graphql.take(2)).toEqual([nextEvent(ada, true), nextEvent(ada, false)]);
  for (const legacy of [one, other]) {
    expect(await legacy.take(3)).toEqual([
      legacyTyping(ada, true),
      legacyTyping(ada, true, 'another'),
      legacyTyping(ada, false),
    ]);
  }
});

test('typing of a legacy socket is heard on every door, without an answer', async () => {
  const [ada, bob] = [person(), person()];
  await using graphql = await connectGraphQL(app, bob);
  await subscribe(graphql, bob);
  await using listening = await connectLegacy(app, bob);
  await using writing = await connectLegacy(app, ada);
  for (const typing of [true, true, false]) {
    writing.send({ type: 'typing', to: bob.id, conversation_id: 'c', typing });
  }
  writing.send({ type: 'ping' });
  expect(await writing.next()).toMatchObject({ type: 'pong' });
  expect(await listening.take(2)).toEqual([legacyTyping(ada, true), legacyTyping(ada, false)]);
  expect(await graphql.take(2)).toEqual([nextEvent(ada, true), nextEvent(ada, false)]);
});

test('a person of the same id in another tenant, and the one who types, hear nothing', async () => {
  const [ada, bob] = [person(), person()];
  const foreigner = person({ tenantId: 'globex' });
  await using socket = await connectLegacy(app, bob);
  await using own = await connectLegacy(app, ada);
  await setTyping(foreigner, bob.id, true);
  await setTyping(ada, bob.id, true);
  expect(await socket.next()).toEqual(legacyTyping(ada, true));
  for (const each of [socket, own]) {
    each.send({ type: 'ping' });
    expect(await each.next()).toMatchObject({ type: 'pong' });
  }
});

test('sockets of one user share one topic subscription, which ends with the last of them', async () => {
  const { typing } = app.app.context.services;
  await eventually(() => typing.listenedTo === 0);
  const bob = person();
  const sockets = [await connectLegacy(app, bob), await connectLegacy(app, bob), await connectGraphQL(app, bob)];
  await subscribe(sockets[2]!, bob);
  expect(typing.listenedTo).toBe(1);
  for (const socket of sockets) await socket[Symbol.asyncDispose]();
  await eventually(() => typing.listenedTo === 0);
});

test('who goes away while being let in leaves nothing behind', async () => {
  const { typing } = app.app.context.services;
  const { token } = person();
  const sockets = await Promise.all(Array.from({ length: 20 }, () => openRaw(app.legacySocketUrl(), { token })));
  for (const socket of sockets) socket.destroy();
  await eventually(() => app.app.doors.connections.size === 0 && typing.listenedTo === 0);
});

describe('is refused, and the socket stays open:', () => {
  test.each([
    ['nobody to tell', { conversation_id: 'c', typing: true }, 'to must be text.'],
    ['an empty id', { to: '', conversation_id: 'c', typing: true }, 'to must not be empty.'],
    ['a conversation that is no text', { to: 'a', conversation_id: 7, typing: true }, 'conversation_id must be text.'],
    [
      'a conversation that is too long',
      { to: 'a', conversation_id: 'c'.repeat(129), typing: true },
      'conversation_id must be at most 128 characters long.',
    ],
    ['no state', { to: 'a', conversation_id: 'c' }, 'typing must be true or false.'],
  ])('typing with %s', async (_, message, words) => {
    await using socket = await connectLegacy(app, person());
    socket.send({ type: 'typing', ...message });
    socket.send({ type: 'ping' });
    expect(await socket.take(2)).toMatchObject([
      { type: 'error', code: 'BAD_USER_INPUT', message: words },
      { type: 'pong' },
    ]);
  });

  test('the twenty-first change within ten seconds, on every door', async () => {
    const ada = person();
    await using socket = await connectLegacy(app, ada);
    for (let nth = 0; nth < 21; nth += 1) {
      socket.send({ type: 'typing', to: 'bob', conversation_id: 'c', typing: nth % 2 === 0 });
    }
    expect(await socket.next()).toMatchObject({ type: 'error', code: 'RATE_LIMITED' });
    const { errors } = await setTyping(ada, 'bob', true);
    expect(errors).toMatchObject([{ extensions: { code: 'RATE_LIMITED', retryAfter: expect.any(Number) } }]);
  });
});

test.each([
  ['to', { to: '', c: 'c' }],
  ['conversation', { to: 'a', c: 'c'.repeat(129) }],
])('setTyping refuses a wrong %s', async (field, variables) => {
  const { errors } = await app.graphql(MUTATION, { token: person().token, variables: { ...variables, t: true } });
  expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT', field } }]);
});

test('a subscription to a conversation that cannot be is refused', async () => {
  await using socket = await connectGraphQL(app, person());
  socket.send({ id: '1', type: 'subscribe', payload: { query: SUBSCRIPTION, variables: { c: '' } } });
  const message = await socket.next();
  expect(message).toMatchObject({ type: 'error', id: '1' });
  expect(message['payload'][0].extensions).toEqual({ code: 'BAD_USER_INPUT', field: 'conversation' });
});

test('a peer that reads nothing is closed as a slow consumer, however much is typed to it', async () => {
  await using free = await startApp({ env: { RATE_LIMITS: 'off' } });
  const [ada, bob] = [person(), person()];
  await using socket = await connectLegacy(free, bob);
  socket.socket.pause();
  const typing = ofEveryTenant(free.app.context.services.typing);
  const caller = {
    tenantId: ada.tenantId,
    userId: ada.id,
    roles: [],
    expiresAtMs: Infinity,
    issuedAtMs: 0,
    sessionId: undefined,
  };
  // Far more in all than the kernel keeps for a reader that stalls.
  for (let nth = 0; nth < 100_000 && typing.listenedTo > 0; nth += 1) {
    await typing.set(caller, { to: bob.id, conversation: 'c'.repeat(128), typing: nth % 2 === 0 });
    // The server's own turns come in between.
    if (nth % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  expect(typing.listenedTo).toBe(0);
  socket.socket.resume();
  expect(await socket.closed).toEqual({ code: 1013, reason: 'slow consumer' });
});
