import { createPublicKey } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { createServer } from 'node:https';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import jwt from 'jsonwebtoken';
import webPush from 'web-push';
import { createOutwardHttp } from '../../src/channels/outward-http.ts';
import { createWebPushChannel } from '../../src/channels/web-push.ts';
import { loadConfig } from '../../src/config.ts';
import { createBrowser } from './browser.ts';
import { trustedCertificate } from './certificate.ts';
import { answering, deliver, type FarSide, failureOf, keeping, listenHttp, type Received, silent } from './support.ts';

const pair = webPush.generateVAPIDKeys();
const VAPID = {
  VAPID_PUBLIC_KEY: pair.publicKey,
  VAPID_PRIVATE_KEY: pair.privateKey,
  VAPID_SUBJECT: 'mailto:bell@example.com',
};
const config = loadConfig(VAPID);
const guarded = createWebPushChannel(config, silent);
/** Has the names of push services lead to this machine. */
const channel = createWebPushChannel(
  config,
  silent,
  createOutwardHttp({
    who: 'The push service',
    privateToo: true,
    lookup: (_name, options, callback) => {
      const here = { address: '127.0.0.1', family: 4 };
      callback(null, options.all ? [here] : here.address, 4);
    },
  }),
);
const browser = createBrowser();
const subscribed = (port: number): string =>
  channel.address(JSON.stringify(browser.subscription(`https://push.example:${port}/send/abc?d=e`)));

let certificate: Awaited<ReturnType<typeof trustedCertificate>>;
beforeAll(async () => {
  certificate = await trustedCertificate('push.example');
});
afterAll(() => certificate[Symbol.dispose]());

async function startPushService(answer: RequestListener): Promise<FarSide> {
  const received: Received[] = [];
  return { ...(await listenHttp(createServer(certificate, keeping(received, answer)))), received };
}

test('the first setting that is missing is named, and users may add their own browsers', () => {
  const missing = (env: object) => createWebPushChannel(loadConfig({ ...env }), silent).missingSetting;
  expect(missing({})).toBe('VAPID_PUBLIC_KEY');
  expect(missing({ ...VAPID, VAPID_PRIVATE_KEY: '' })).toBe('VAPID_PRIVATE_KEY');
  expect(missing({ ...VAPID, VAPID_SUBJECT: '' })).toBe('VAPID_SUBJECT');
  expect(guarded).toMatchObject({ missingSetting: undefined, audience: 'recipient', selfService: true });
});

describe('the address', () => {
  const subscription = browser.subscription('https://push.example/send/abc');
  const { p256dh, auth } = subscription.keys;
  const canonical = JSON.stringify({ endpoint: 'https://push.example/send/abc', keys: { p256dh, auth } });

  test('is a subscription in one spelling, whatever the order, the base64 and what else is in it', () => {
    const plain = (text: string): string => Buffer.from(text, 'base64url').toString('base64');
    expect(guarded.address(JSON.stringify(subscription))).toBe(canonical);
    expect(guarded.address(canonical)).toBe(canonical);
    const keys = { auth: plain(auth), other: 1, p256dh: plain(p256dh) };
    expect(guarded.address(JSON.stringify({ keys, endpoint: 'HTTPS://push.example:443/send/abc#x' }, null, 2))).toBe(
      canonical,
    );
  });

  test.each<[string, unknown, RegExp]>([
    ['no JSON', 'https://push.example', /JSON of a PushSubscription/],
    ['null', null, /JSON of a PushSubscription/],
    ['no keys', { endpoint: subscription.endpoint }, /JSON of a PushSubscription/],
    ['a number for a key', { ...subscription, keys: { p256dh, auth: 1 } }, /JSON of a PushSubscription/],
    ['a short p256dh', { ...subscription, keys: { p256dh: p256dh.slice(4), auth } }, /keys\.p256dh/],
    [
      'a p256dh that is on no curve',
      { ...subscription, keys: { p256dh: Buffer.alloc(65, 4).toString('base64url'), auth } },
      /keys\.p256dh/,
    ],
    ['a short auth', { ...subscription, keys: { p256dh, auth: auth.slice(2) } }, /keys\.auth/],
    ['a long auth', { ...subscription, keys: { p256dh, auth: auth + auth } }, /keys\.auth/],
    ['http', { ...subscription, endpoint: 'http://push.example/' }, /endpoint.*https/],
    ['a password', { ...subscription, endpoint: 'https://a:b@push.example/' }, /endpoint.*password/],
    ['this machine', { ...subscription, endpoint: 'https://127.1/' }, /endpoint.*open internet/],
    ['this machine by name', { ...subscription, endpoint: 'https://localhost/' }, /endpoint.*open internet/],
  ])('is refused with %s', (_what, value, reason) => {
    expect(() => guarded.address(typeof value === 'string' ? value : JSON.stringify(value))).toThrow(reason);
  });
});

describe('a push message', () => {
  test('is encrypted for the browser, and signed by the server for the push service', async () => {
    await using service = await startPushService(answering(201));
    const id = '8f0bd1c8-6a5a-4a8c-9d5d-0f5a0e3f2b11';
    const notification = { id, title: 'Grüße 🔔', link: '/lunch', priority: 'URGENT' } as const;
    expect(await deliver(channel, { id, address: subscribed(service.port), notification })).toEqual({ status: 'SENT' });
    const [{ method, path, headers, bytes }] = service.received as [Received];
    expect([method, path]).toEqual(['POST', '/send/abc?d=e']);
    expect(headers).toMatchObject({
      'content-encoding': 'aes128gcm',
      'content-type': 'application/octet-stream',
      ttl: '259200',
      urgency: 'high',
      topic: '8f0bd1c86a5a4a8c9d5d0f5a0e3f2b11',
    });
    expect(browser.decrypt(bytes)).toEqual({
      id,
      type: 'MESSAGE',
      priority: 'URGENT',
      title: 'Grüße 🔔',
      content: 'At noon?',
      link: '/lunch',
    });
    expect(bytes.includes('noon')).toBe(false);

    const [, token = '', key = ''] = /^vapid t=(\S+), k=(\S+)$/.exec(headers.authorization ?? '') ?? [];
    expect(key).toBe(pair.publicKey);
    const point = Buffer.from(key, 'base64url');
    const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((half) => half.toString('base64url')) as [
      string,
      string,
    ];
    const publicKey = createPublicKey({ key: { kty: 'EC', crv: 'P-256', x, y }, format: 'jwk' });
    const audience = `https://push.example:${service.port}`;
    expect(jwt.verify(token, publicKey, { algorithms: ['ES256'], audience })).toMatchObject({
      sub: 'mailto:bell@example.com',
    });
  });

  test.each([
    ['LOW', 'low'],
    ['NORMAL', 'normal'],
    ['HIGH', 'high'],
    ['URGENT', 'high'],
  ] as const)('of priority %s has urgency %s', async (priority, urgency) => {
    await using service = await startPushService(answering(201));
    await deliver(channel, { address: subscribed(service.port), notification: { priority } });
    expect(service.received[0]!.headers.urgency).toBe(urgency);
  });

  test.each([
    ['content', { content: 'Ünïcode "🔔"\n'.repeat(2000) }, { title: 'Lunch', link: null }],
    ['content beside a long title', { title: '"'.repeat(5000), content: '🔔'.repeat(5000) }, { link: null }],
    [
      'content beside a link',
      { content: '\u0001'.repeat(10_000), link: `/${'a'.repeat(1999)}` },
      { link: `/${'a'.repeat(1999)}` },
    ],
    ['a link that is too long', { content: 'short', link: `/${'ä'.repeat(2000)}` }, { content: 'short', link: null }],
  ])('is never beyond 4096 bytes: %s is cut', async (_what, notification, kept) => {
    await using service = await startPushService(answering(201));
    await deliver(channel, { address: subscribed(service.port), notification });
    const { bytes } = service.received[0]!;
    expect(bytes.length).toBeLessThanOrEqual(4096);
    const message = browser.decrypt(bytes) as { content: string };
    expect(message).toMatchObject(kept);
    expect(message.content.isWellFormed()).toBe(true);
    if (notification.content !== message.content) {
      // What is left of the room is less than one more character takes.
      expect(bytes.length).toBeGreaterThan(4080);
      expect(message.content).toMatch(/…$/);
      expect(notification.content.startsWith(message.content.slice(0, -1))).toBe(true);
    }
  });
});

describe('an answer of', () => {
  test.each([200, 201, 202, 204])('%d means that it was taken', async (status) => {
    await using service = await startPushService(answering(status));
    expect(await deliver(channel, { address: subscribed(service.port) })).toEqual({ status: 'SENT' });
  });

  test.each([
    [404, { permanent: true, dropAddress: true }],
    [410, { permanent: true, dropAddress: true }],
    [307, { permanent: true, dropAddress: false }],
    [400, { permanent: true, dropAddress: false }],
    [403, { permanent: true, dropAddress: false }],
    [413, { permanent: true, dropAddress: false }],
    [429, { permanent: false, dropAddress: false, retryAfterSeconds: 30 }],
    [500, { permanent: false, dropAddress: false, retryAfterSeconds: 30 }],
  ])('%d fails with %j', async (status, kind) => {
    await using service = await startPushService(answering(status, { 'retry-after': '30', location: '/' }, 'hidden'));
    const failure = await failureOf(deliver(channel, { address: subscribed(service.port) }));
    expect(failure).toMatchObject(kind);
    expect(failure.message).not.toContain('hidden');
  });
});

test('a push service whose certificate is for another name gets nothing', async () => {
  await using service = await startPushService(answering(201));
  const address = channel.address(JSON.stringify(browser.subscription(`https://other.example:${service.port}/`)));
  expect(await failureOf(deliver(channel, { address }))).toMatchObject({ permanent: false });
  expect(service.received).toEqual([]);
});

test('a push service that never answers is left when the time is over', async () => {
  await using service = await startPushService(() => {});
  const failure = await failureOf(deliver(channel, { address: subscribed(service.port) }, AbortSignal.timeout(300)));
  expect(failure).toMatchObject({ permanent: false, message: 'The push service did not answer in time.' });
});

test('an endpoint that leads to this machine gets nothing', async () => {
  await using service = await startPushService(answering(201));
  const address = JSON.stringify(browser.subscription(`https://localhost:${service.port}/`));
  const failure = await failureOf(deliver(guarded, { address }));
  expect(failure).toMatchObject({ permanent: true, message: expect.stringContaining('not on the open internet') });
  expect(service.received).toEqual([]);
});
