import { connect } from 'node:net';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type TestApp, person, signToken, startApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { SocketClient, openRaw, refusalOf } from '../support/socket-client.ts';
import { connectLegacy } from './connect.ts';

let app: TestApp;

beforeAll(async () => {
  app = await startApp({ env: { ALLOWED_ORIGINS: 'https://app.example.com', MAX_CONNECTIONS_PER_USER: '2' } });
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

const now = () => Math.floor(Date.now() / 1000);

describe('the token', () => {
  test('is taken from the Authorization header, and from the address', async () => {
    const { token } = person();
    await using _one = await connectLegacy(app, { token });
    await using two = await SocketClient.connect(app.legacySocketUrl({ token }));
    expect((await two.next())['type']).toBe('welcome');
  });

  test.each<[string, string | undefined]>([
    ['none', undefined],
    ['a garbled one', 'x'],
    ['a forged one', signToken({ user_id: 'u', tenant_id: 't' }, 'x'.repeat(32))],
    ['an expired one', signToken({ user_id: 'u', tenant_id: 't', exp: now() - 1 })],
    ['one not valid yet', signToken({ user_id: 'u', tenant_id: 't', nbf: now() + 60 })],
    ['one of no tenant', signToken({ user_id: 'u' })],
  ])('%s is refused with 401 before the upgrade, on either way', async (_, token) => {
    const query: Record<string, string> = token === undefined ? {} : { token };
    for (const refused of [
      await refusalOf(app.legacySocketUrl(), { token }),
      await refusalOf(app.legacySocketUrl(query)),
    ]) {
      expect(refused.status).toBe(401);
      expect(refused.headers['www-authenticate']).toMatch(/^Bearer/);
      expect(refused.body).toEqual({ code: 401, reason: 'UNAUTHENTICATED', message: expect.any(String), metadata: {} });
    }
  });
});

describe('the origin', () => {
  test.each(['https://evil.example', 'null', 'https://app.example.com:8443', 'file://', 'x'])(
    '%s is refused with 403',
    async (origin) => {
      const { status, body } = await refusalOf(app.legacySocketUrl(), { ...person(), headers: { origin } });
      expect([status, body['reason']]).toEqual([403, 'FORBIDDEN']);
    },
  );

  test('of the server, or one that is allowed, is accepted', async () => {
    for (const origin of [app.url, 'https://app.example.com']) {
      await using socket = await connectLegacy(app, person(), {}, { headers: { origin } });
      expect(socket.welcome['type']).toBe('welcome');
    }
  });
});

describe('connections of one user', () => {
  test('beyond the limit are refused with 429 before the upgrade, until one has ended', async () => {
    await eventually(() => app.app.doors.connections.size === 0);
    const ada = person();
    await using _first = await connectLegacy(app, ada);
    const second = await connectLegacy(app, ada);
    const refused = await refusalOf(app.legacySocketUrl(), ada);
    expect([refused.status, refused.body['reason']]).toEqual([429, 'RATE_LIMITED']);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    await second[Symbol.asyncDispose]();
    await eventually(() => app.app.doors.connections.size === 1);
    await using third = await connectLegacy(app, ada);
    expect(third.welcome['type']).toBe('welcome');
  });

  test('are counted per tenant', async () => {
    const ada = person();
    const token = signToken({ user_id: ada.id, tenant_id: 'other' });
    await using _one = await connectLegacy(app, ada);
    await using _two = await connectLegacy(app, ada);
    await using _other = await connectLegacy(app, { token });
  });

  test('that break off take no place', async () => {
    const ada = person();
    await eventually(() => app.app.doors.connections.size === 0);
    for (let round = 0; round < 10; round++) {
      const socket = await openRaw(app.legacySocketUrl(), ada);
      expect(app.app.doors.connections.size).toBe(1);
      socket.destroy();
      await eventually(() => app.app.doors.connections.size === 0);
    }
  });
});

describe('an upgrade', () => {
  test.each(['/', '/ws', '/api/v1/notifications', '/api/v1/notifications/ws/', '/graphql/x', '/%67raphql'])(
    'of %s is answered with 404',
    async (path) => {
      const { status, body } = await refusalOf(`${app.url}${path}`, person());
      expect([status, body['reason']]).toEqual([404, 'NOT_FOUND']);
    },
  );

  test('that is refused ends its connection, whatever the peer does', async () => {
    const peer = connect({ port: Number(new URL(app.url).port), host: '127.0.0.1', allowHalfOpen: true });
    peer.write('GET /x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    expect(await text(peer)).toMatch(/^HTTP\/1\.1 404 Not Found\r\n/);
    // The server has let go, so it answers further bytes by resetting the connection.
    const reset = once(peer, 'close').catch((error: unknown) => error);
    peer.on('error', () => {});
    const writing = setInterval(() => peer.write('x'), 5);
    await reset;
    clearInterval(writing);
  });
});
