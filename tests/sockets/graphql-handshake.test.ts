import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type TestApp, expiresSoon, person, signToken, startApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { SocketClient, refusalOf } from '../support/socket-client.ts';
import { connectGraphQL, openGraphQL } from './connect.ts';

let app: TestApp;

beforeAll(async () => {
  app = await startApp({ env: { ALLOWED_ORIGINS: 'https://app.example.com', MAX_CONNECTIONS_PER_USER: '2' } });
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

const ACK = { type: 'connection_ack' };
const now = () => Math.floor(Date.now() / 1000);

describe('connection_init', () => {
  test.each([
    ['authorization', (token: string) => ({ authorization: `Bearer ${token}` })],
    ['Authorization', (token: string) => ({ Authorization: `Bearer ${token}` })],
    ['token', (token: string) => ({ token })],
    ['token with its scheme', (token: string) => ({ token: `Bearer ${token}` })],
  ])('is acknowledged with the token in %s', async (_, payload) => {
    await using socket = await openGraphQL(app);
    socket.send({ type: 'connection_init', payload: payload(person().token) });
    expect(await socket.next()).toEqual(ACK);
  });

  test.each<[string, () => unknown]>([
    ['no payload', () => undefined],
    ['no token', () => ({})],
    ['a token that is no text', () => ({ token: 7 })],
    ['a token of another scheme', () => ({ authorization: `Basic ${person().token}` })],
    ['a garbled token', () => ({ token: 'a.b.c' })],
    ['a forged token', () => ({ token: signToken({ user_id: 'u', tenant_id: 't' }, 'x'.repeat(32)) })],
    ['an expired token', () => ({ token: signToken({ user_id: 'u', tenant_id: 't', exp: now() - 1 }) })],
    ['a token of no tenant', () => ({ token: signToken({ user_id: 'u' }) })],
  ])('with %s closes with 4403', async (_, payload) => {
    await using socket = await openGraphQL(app);
    socket.send({ type: 'connection_init', payload: payload() });
    expect(await socket.closed).toEqual({ code: 4403, reason: 'Forbidden' });
    expect(socket.rest()).toEqual([]);
  });

  test('that comes twice closes with 4429', async () => {
    await using socket = await connectGraphQL(app, person());
    socket.send({ type: 'connection_init' });
    expect((await socket.closed).code).toBe(4429);
  });

  test('that does not come in time closes with 4408', async () => {
    await using hasty = await startApp({ env: { CONNECTION_INIT_TIMEOUT: '50ms' } });
    await using socket = await openGraphQL(hasty);
    expect((await socket.closed).code).toBe(4408);
  });

  test('beyond the connections of one user closes with 1013, until another one has ended', async () => {
    await eventually(() => app.app.doors.connections.size === 0);
    const ada = person();
    await using _first = await connectGraphQL(app, ada);
    const second = await connectGraphQL(app, ada);
    await using third = await openGraphQL(app);
    third.send({ type: 'connection_init', payload: { token: ada.token } });
    expect(await third.closed).toMatchObject({ code: 1013, reason: expect.stringContaining('2 connections') });
    await using _other = await connectGraphQL(app, person());
    await second[Symbol.asyncDispose]();
    await eventually(() => app.app.doors.connections.size === 2);
    await using _fourth = await connectGraphQL(app, ada);
  });
});

test('connections of both kinds count together', async () => {
  const ada = person();
  await using _one = await connectGraphQL(app, ada);
  await using _two = await SocketClient.connect(app.legacySocketUrl(), { token: ada.token });
  expect((await refusalOf(app.legacySocketUrl(), { token: ada.token })).status).toBe(429);
});

test('a token that expires while connected closes with 4403 within a second', async () => {
  const exp = expiresSoon();
  await using socket = await connectGraphQL(app, { token: signToken({ user_id: 'u', tenant_id: 't', exp }) });
  expect(await socket.closed).toMatchObject({ code: 4403, reason: expect.stringContaining('expired') });
  expect(Date.now()).toBeGreaterThanOrEqual(exp * 1000);
  expect(Date.now()).toBeLessThan(exp * 1000 + 1000);
});

describe('before the acknowledgement', () => {
  test('a subscribe closes with 4401', async () => {
    await using socket = await openGraphQL(app);
    socket.send({ id: '1', type: 'subscribe', payload: { query: '{ unreadCount }' } });
    expect((await socket.closed).code).toBe(4401);
  });

  test('a protocol message ping is answered', async () => {
    await using socket = await openGraphQL(app);
    socket.send({ type: 'ping', payload: { n: 1 } });
    expect(await socket.next()).toEqual({ type: 'pong', payload: { n: 1 } });
  });
});

describe('an upgrade', () => {
  test.each([[undefined], ['graphql-ws']])('with the sub-protocol %s closes with 4406', async (protocol) => {
    const connect = SocketClient.connect(app.graphqlSocketUrl, { protocol });
    if (protocol) {
      await expect(connect).rejects.toThrow('Server sent no subprotocol');
    } else {
      await using socket = await connect;
      expect((await socket.closed).code).toBe(4406);
    }
  });

  test('with several sub-protocols gets graphql-transport-ws', async () => {
    await using socket = await openGraphQL(app, { protocol: 'graphql-ws,graphql-transport-ws' });
    expect(socket.socket.protocol).toBe('graphql-transport-ws');
  });

  test.each(['https://evil.example', 'null', 'https://app.example.com.evil.example', 'http://app.example.com'])(
    'from the foreign origin %s is refused with 403',
    async (origin) => {
      const { status, body } = await refusalOf(app.graphqlSocketUrl, { headers: { origin } });
      expect([status, body['reason']]).toEqual([403, 'FORBIDDEN']);
    },
  );

  test('from its own origin, and from one that is allowed, is accepted', async () => {
    for (const origin of [app.url, 'https://app.example.com']) {
      await using socket = await connectGraphQL(app, person(), { headers: { origin } });
      expect(socket.socket.readyState).toBe(socket.socket.OPEN);
    }
  });
});
