import { createServer } from 'node:https';
import type { LookupFunction } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import { createOutwardHttp } from '../../src/channels/outward-http.ts';
import { createPublicLookup, isPublicAddress, PrivateAddressError } from '../../src/channels/public-address.ts';
import { createWebhookChannel } from '../../src/channels/webhook.ts';
import { answering, deliver, failureOf, listenHttp, PATIENCE_MS, silent, startFarSide } from './support.ts';

const guarded = createWebhookChannel({ webhookAllowPrivate: false }, silent);
const open = createWebhookChannel({ webhookAllowPrivate: true }, silent);
const secrets = [guarded.makeSecret!()];
const refusal = { permanent: true, dropAddress: false, message: expect.stringContaining('not on the open internet') };

/** A lookup that answers with these, one after the other. */
function answers(...addresses: string[][]): { lookup: LookupFunction; asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    lookup: (hostname, options, callback) => {
      expect(options.all).toBe(true);
      asked.push(hostname);
      const found = addresses[Math.min(asked.length, addresses.length) - 1]!;
      callback(
        null,
        found.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
      );
    },
  };
}

const PRIVATE = [
  ['this machine', '127.0.0.1', '127.255.255.254', '::1'],
  ['nothing', '0.0.0.0', '0.1.2.3', '::'],
  [
    'private networks',
    '10.0.0.1',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.0.1',
    'fc00::1',
    'fd00:ec2::254',
    'fec0::1',
  ],
  ['this link', '169.254.169.254', '169.254.0.1', 'fe80::1', 'fe80::1%lo'],
  ['a cloud’s own services', '168.63.129.16', '100.100.100.200', '192.0.0.192'],
  ['shared networks', '100.64.0.1', '100.127.255.255'],
  ['many', '224.0.0.1', '239.255.255.255', '255.255.255.255', 'ff02::1', 'ff0e::1'],
  [
    'nobody',
    '192.0.0.1',
    '192.0.2.1',
    '198.18.0.1',
    '198.51.100.1',
    '203.0.113.1',
    '240.0.0.1',
    '2001:db8::1',
    '100::1',
  ],
  ['IPv4 mapped into IPv6', '::ffff:127.0.0.1', '::ffff:7f00:1', '::ffff:8.8.8.8', '::ffff:0:127.0.0.1', '::7f00:1'],
  ['IPv4 by NAT64', '64:ff9b::7f00:1', '64:ff9b:1::a00:1'],
  ['IPv4 by 6to4 and Teredo', '2002:7f00:1::', '2001::1'],
  ['what is not given out', '4000::1', '8000::1', '5f00::1', '3fff::1', '100:0:0:1::1'],
].flatMap(([of, ...addresses]) => addresses.map((address) => [address, of] as const));

const PUBLIC = ['8.8.8.8', '1.1.1.1', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '2a00:1450:4001:81b::200e'];

describe('addresses', () => {
  test.each(PRIVATE)('%s, of %s, is not public', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });

  test.each(PUBLIC)('%s is public', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });
});

describe('addresses of webhooks', () => {
  test.each([
    ['https://Example.com', 'https://example.com/'],
    ['https://example.com:443/a?b=c#d', 'https://example.com/a?b=c'],
    ['https://example.com:8443/a b', 'https://example.com:8443/a%20b'],
    ['https://müller.example/', 'https://xn--mller-kva.example/'],
    ['https://8.8.8.8/', 'https://8.8.8.8/'],
    ['https://[2606:4700::1111]/', 'https://[2606:4700::1111]/'],
  ])('%s is written %s', (text, address) => {
    expect(guarded.address(text)).toBe(address);
  });

  test.each([
    ['', /starts with https/],
    ['example.com', /starts with https/],
    ['http://example.com/', /starts with https/],
    ['ftp://example.com/', /starts with https/],
    ['file:///etc/passwd', /starts with https/],
    ['javascript:alert(1)', /starts with https/],
    ['https://', /starts with https/],
    ['https://user@example.com/', /user name or password/],
    ['https://user:password@example.com/', /user name or password/],
    [`https://example.com/${'a'.repeat(2048)}`, /at most 2048 characters/],
    ...[
      'localhost',
      'LOCALHOST.',
      'a.localhost',
      '127.0.0.1',
      '127.1',
      '127.0.0.1.',
      '2130706433',
      '0x7f000001',
      '0x7f.1',
      '017700000001',
      '0177.0.0.1',
      '%31%32%37.0.0.1',
      '１２７.0.0.1',
      '0.0.0.0',
      '0',
      '10.1.2.3',
      '169.254.169.254',
      '[::1]',
      '[::]',
      '[::ffff:127.0.0.1]',
      '[0:0:0:0:0:ffff:7f00:1]',
      '[64:ff9b::7f00:1]',
      '[fd00::1]',
    ].map((host) => [`https://${host}/`, /on the open internet/] as const),
  ])('%s is refused', (text, reason) => {
    expect(() => guarded.address(text)).toThrow(reason);
  });

  test('private ones and http are taken where the operator lets webhooks go anywhere', () => {
    expect(open.address('http://10.0.0.1:8080/hook')).toBe('http://10.0.0.1:8080/hook');
    expect(open.address('http://localhost/')).toBe('http://localhost/');
    expect(() => open.address('http://user@localhost/')).toThrow(/user name or password/);
    expect(() => open.address('ftp://localhost/')).toThrow(/starts with https:\/\/ or http:/);
  });
});

describe('a request', () => {
  test.each([
    '127.0.0.1',
    'localhost',
    '[::1]',
    '0.0.0.0',
    '0',
    '127.1',
    '2130706433',
    '0x7f000001',
    '017700000001',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[::]',
  ])('to this machine as %s reaches nobody', async (host) => {
    await using far = await startFarSide(answering(200));
    const failure = await failureOf(deliver(guarded, { address: `http://${host}:${far.port}/`, secrets }));
    expect(failure).toMatchObject(refusal);
    expect(far.received).toEqual([]);
  });

  test.each(['169.254.169.254', '10.0.0.1', '192.168.0.1', '100.64.0.1', '[fe80::1]', '[64:ff9b::a00:1]'])(
    'to %s is not even tried',
    async (host) => {
      const failure = await failureOf(deliver(guarded, { address: `http://${host}/`, secrets }));
      expect(failure).toMatchObject(refusal);
    },
  );

  test('reaches nobody by a name that leads to this machine, over http or https', async () => {
    await using far = await startFarSide(answering(200));
    let connections = 0;
    const secure = createServer().on('connection', () => (connections += 1));
    await using secureSide = await listenHttp(secure);
    const { lookup, asked } = answers(['127.0.0.1']);
    const channel = createWebhookChannel(
      { webhookAllowPrivate: false },
      silent,
      createOutwardHttp({ who: 'The webhook', privateToo: false, lookup }),
    );
    for (const address of [`http://rebound.example:${far.port}/`, `https://rebound.example:${secureSide.port}/`]) {
      expect(await failureOf(deliver(channel, { address, secrets }))).toMatchObject(refusal);
    }
    expect([far.received, connections]).toEqual([[], 0]);
    expect(asked).toEqual(['rebound.example', 'rebound.example']);
  });

  test('reaches nobody by a name that has one address of this machine among others', async () => {
    await using far = await startFarSide(answering(200));
    const { lookup } = answers(['8.8.8.8', '127.0.0.1']);
    const http = createOutwardHttp({ who: 'It', privateToo: false, lookup });
    const url = `http://rebound.example:${far.port}/`;
    const failure = await failureOf(http({ method: 'POST', url, signal: AbortSignal.timeout(PATIENCE_MS) }));
    expect(failure).toMatchObject(refusal);
    expect(far.received).toEqual([]);
  });

  test('looks a name up once, and connects to what was looked at: one that changes its mind gains nothing', async () => {
    await using far = await startFarSide(answering(200));
    // No machine has the first address: it is public, and given to nobody.
    const { lookup, asked } = answers(['2000::1'], ['127.0.0.1']);
    const http = createOutwardHttp({ who: 'It', privateToo: false, lookup });
    const url = `http://rebound.example:${far.port}/`;
    const first = await failureOf(http({ method: 'POST', url, signal: AbortSignal.timeout(300) }));
    expect(first.permanent).toBe(false);
    expect(asked).toEqual(['rebound.example']);
    const second = await failureOf(http({ method: 'POST', url, signal: AbortSignal.timeout(PATIENCE_MS) }));
    expect(second).toMatchObject(refusal);
    expect(far.received).toEqual([]);
  });

  test('goes wherever a name leads when the operator lets it', async () => {
    await using far = await startFarSide(answering(200));
    expect(await deliver(open, { address: `http://localhost:${far.port}/`, secrets })).toEqual({ status: 'DELIVERED' });
  });
});

describe('the guarded lookup', () => {
  const look = (lookup: LookupFunction, all: boolean): Promise<unknown> =>
    new Promise((resolve, reject) => {
      lookup('example.com', { all }, (error, address, family) => (error ? reject(error) : resolve([address, family])));
    });

  test('hands on what it looked at, as one address or as all of them', async () => {
    const { lookup } = answers(['8.8.8.8', '2606:4700::1111']);
    expect(await look(createPublicLookup(lookup), false)).toEqual(['8.8.8.8', 4]);
    expect(await look(createPublicLookup(lookup), true)).toEqual([
      [
        { address: '8.8.8.8', family: 4 },
        { address: '2606:4700::1111', family: 6 },
      ],
      undefined,
    ]);
  });

  test('fails without an address, and with the error of the lookup', async () => {
    await expect(look(createPublicLookup(answers([]).lookup), true)).rejects.toThrow(PrivateAddressError);
    const broken: LookupFunction = (_name, _options, callback) => callback(new Error('no such name'), '');
    await expect(look(createPublicLookup(broken), true)).rejects.toThrow('no such name');
  });
});
