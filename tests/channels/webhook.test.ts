import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, test } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { createWebhookChannel } from '../../src/channels/webhook.ts';
import { answering, deliver, failureOf, listenRaw, silent, startFarSide } from './support.ts';

const channel = createWebhookChannel({ webhookAllowPrivate: true }, silent);
const secret = channel.makeSecret!();
const secrets = [secret];
const at = (port: number): string => `http://127.0.0.1:${port}/hook?a=1`;

test('nothing needs to be set for it, addresses belong to the tenant, and not everybody may add one', () => {
  expect(channel).toMatchObject({ missingSetting: undefined, audience: 'tenant' });
  expect(channel.selfService).not.toBe(true);
});

test('each secret is another one of 32 random bytes', () => {
  const another = channel.makeSecret!();
  expect(another).not.toBe(secret);
  expect(another).toMatch(/^whsec_[\w+/]+=*$/);
  expect(Buffer.from(another.slice('whsec_'.length), 'base64')).toHaveLength(32);
});

test('a delivery is one signed POST of JSON that receivers verify as Standard Webhooks says', async () => {
  await using far = await startFarSide(answering(204));
  const id = '8f0bd1c8-6a5a-4a8c-9d5d-0f5a0e3f2b11';
  const createdAt = new Date('2026-03-01T11:00:00.000Z');
  const sent = deliver(channel, {
    id,
    address: at(far.port),
    secrets,
    notification: { id, createdAt, title: 'Grüße 🔔' },
  });
  expect(await sent).toEqual({ status: 'DELIVERED' });
  expect(far.received).toHaveLength(1);
  const [{ method, path, headers, body } = far.received[0]!] = far.received;
  expect([method, path]).toEqual(['POST', '/hook?a=1']);
  expect(headers).toMatchObject({ 'content-type': 'application/json', 'webhook-id': id, 'user-agent': 'Carillon' });
  expect(new Webhook(secret).verify(body, headers as Record<string, string>)).toEqual({
    type: 'notification.sent',
    timestamp: '2026-03-01T11:00:00.000Z',
    data: {
      id,
      tenantId: 'acme',
      recipientId: 'uma',
      senderId: 'sam',
      type: 'MESSAGE',
      priority: 'NORMAL',
      title: 'Grüße 🔔',
      content: 'At noon?',
      link: null,
      data: { table: 4 },
      createdAt: '2026-03-01T11:00:00.000Z',
    },
  });
});

test('while a secret is being changed, receivers with the old and with the new one verify, and others do not', async () => {
  await using far = await startFarSide(answering(200));
  const old = channel.makeSecret!();
  await deliver(channel, { address: at(far.port), secrets: [secret, old] });
  const { headers, body } = far.received[0]!;
  for (const known of [secret, old]) {
    expect(new Webhook(known).verify(body, headers as Record<string, string>)).toMatchObject({
      type: 'notification.sent',
    });
  }
  const other = new Webhook(channel.makeSecret!());
  expect(() => other.verify(body, headers as Record<string, string>)).toThrow('No matching signature');
});

test('another attempt has the same id and body', async () => {
  await using far = await startFarSide(answering(500));
  const same = {
    id: '8f0bd1c8-6a5a-4a8c-9d5d-0f5a0e3f2b11',
    address: at(far.port),
    secrets,
    notification: { id: 'n' },
  };
  await failureOf(deliver(channel, same));
  await failureOf(deliver(channel, same));
  const [first, second] = far.received;
  expect(second).toMatchObject({ body: first!.body, headers: { 'webhook-id': same.id } });
});

test('nothing is sent without a signature', async () => {
  await using far = await startFarSide(answering(200));
  await expect(deliver(channel, { address: at(far.port) })).rejects.toThrow('no secret');
  expect(far.received).toEqual([]);
});

test.each([200, 201, 202, 204, 299])('%d is the end of a delivery', async (status) => {
  await using far = await startFarSide(answering(status));
  expect(await deliver(channel, { address: at(far.port), secrets })).toEqual({ status: 'DELIVERED' });
});

test.each([
  ...[408, 409, 425, 429, 500, 502, 503, 504].map(
    (status) => [status, { permanent: false, dropAddress: false }] as const,
  ),
  ...[400, 401, 403, 404, 405, 413, 422].map((status) => [status, { permanent: true, dropAddress: false }] as const),
  [410, { permanent: true, dropAddress: true }] as const,
])('%d fails with %j', async (status, kind) => {
  await using far = await startFarSide(answering(status, {}, 'hidden'));
  const failure = await failureOf(deliver(channel, { address: at(far.port), secrets }));
  expect(failure).toMatchObject(kind);
  expect(failure.message).toContain(String(status));
  expect(failure.message).not.toContain('hidden');
});

test.each([301, 302, 303, 307, 308])('a redirect (%d) is not followed, and says so', async (status) => {
  await using inner = await startFarSide(answering(200));
  await using far = await startFarSide(answering(status, { location: at(inner.port) }));
  const failure = await failureOf(deliver(channel, { address: at(far.port), secrets }));
  expect(failure).toMatchObject({ permanent: true, dropAddress: false });
  expect(failure.message).toMatch(/redirect/);
  expect(inner.received).toEqual([]);
});

test.each([
  [429, '7', 7],
  [503, '120', 120],
  [503, '0', 0],
  [503, '99999999999', 86_400],
  [503, 'soon', undefined],
  [503, 'Thu, 01 Jan 1970 00:00:00 GMT', 0],
])('%d with Retry-After %s asks for a wait of %p seconds', async (status, header, seconds) => {
  await using far = await startFarSide(answering(status, { 'retry-after': header }));
  const failure = await failureOf(deliver(channel, { address: at(far.port), secrets }));
  expect(failure).toMatchObject({ permanent: false, retryAfterSeconds: seconds });
});

test('Retry-After may be a date', async () => {
  const inAMinute = new Date(Date.now() + 60_000).toUTCString();
  await using far = await startFarSide(answering(503, { 'retry-after': inAMinute }));
  const { retryAfterSeconds } = await failureOf(deliver(channel, { address: at(far.port), secrets }));
  expect(retryAfterSeconds).toBeGreaterThan(50);
  expect(retryAfterSeconds).toBeLessThanOrEqual(60);
});

test('an answer of endless length is not read: its status is enough, and the connection is closed', async () => {
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  await using far = await startFarSide((_request, response) => {
    response.on('close', resolve);
    response.writeHead(200);
    const pour = (): void => {
      while (response.write('x'.repeat(65_536)));
      response.once('drain', pour);
    };
    pour();
  });
  expect(await deliver(channel, { address: at(far.port), secrets })).toEqual({ status: 'DELIVERED' });
  await closed;
});

test('a server that never answers is left when the time is over', async () => {
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  await using far = await startFarSide((_request, response) => void response.on('close', resolve));
  const failure = await failureOf(deliver(channel, { address: at(far.port), secrets }, AbortSignal.timeout(200)));
  expect(failure).toMatchObject({ permanent: false, message: 'The webhook did not answer in time.' });
  await closed;
});

test('an attempt that is ended for another reason fails with that reason', async () => {
  const ending = new AbortController();
  await using far = await startFarSide(() => ending.abort(new Error('going down')));
  await expect(deliver(channel, { address: at(far.port), secrets }, ending.signal)).rejects.toThrow('going down');
});

test('an attempt whose time is over before it begins sends nothing', async () => {
  await using far = await startFarSide(answering(200));
  await expect(
    deliver(channel, { address: at(far.port), secrets }, AbortSignal.abort(new Error('late'))),
  ).rejects.toThrow('late');
  expect(far.received).toEqual([]);
});

test.each([
  ['hangs up', ''],
  ['speaks no HTTP', 'SSH-2.0-OpenSSH_9.9\r\n'],
  ['switches protocols', 'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'],
  ['has endless headers', `HTTP/1.1 200 OK\r\nx: ${'x'.repeat(100_000)}`],
])('a server that %s fails the attempt, which may pass', async (_what, reply) => {
  await using far = await listenRaw((socket) => {
    socket.once('data', () => socket.end(reply));
  });
  const failure = await failureOf(deliver(channel, { address: at(far.port), secrets }));
  expect(failure).toMatchObject({ permanent: false, message: 'The webhook could not be reached.' });
});

test('a port where nobody listens, and a name that nobody has, may pass and tell no address', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  for (const address of [at(port), 'http://nobody.invalid/']) {
    const failure = await failureOf(deliver(channel, { address, secrets }));
    expect(failure).toMatchObject({ permanent: false, message: 'The webhook could not be reached.' });
  }
});
