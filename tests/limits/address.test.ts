import type { IncomingMessage } from 'node:http';
import { describe, expect, test } from '@jest/globals';
import { createAddressOf } from '../../src/transports/address.ts';

const request = (remoteAddress: string | undefined, forwarded?: string) =>
  ({
    socket: { remoteAddress },
    headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded },
  }) as unknown as IncomingMessage;

describe('the address of a request', () => {
  const addressOf = createAddressOf(undefined);

  test.each([
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['::ffff:cb00:7107', '203.0.113.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::1', '2001:db8:1:2::/64'],
    ['2001:db8:1:3::1', '2001:db8:1:3::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    [undefined, ''],
  ])('of %s counts as %s', (remote, address) => {
    expect(addressOf(request(remote))).toBe(address);
  });

  test('is never what a client says in X-Forwarded-For, unless proxies are trusted', () => {
    expect(addressOf(request('203.0.113.7', '192.0.2.1'))).toBe('203.0.113.7');
  });
});

describe('behind trusted proxies', () => {
  const addressOf = createAddressOf(['loopback', '10.0.0.0/8', '2001:db8:ffff::/48']);

  test.each([
    ['one proxy', '127.0.0.1', '198.51.100.9', '198.51.100.9'],
    ['several proxies', '10.0.0.1', '198.51.100.9, 10.0.0.3, 10.0.0.2', '198.51.100.9'],
    ['a proxy that is seen as IPv6', '::ffff:10.0.0.1', '198.51.100.9', '198.51.100.9'],
    ['a proxy with an address of IPv6', '2001:db8:ffff::1', '2001:db8:5:6::7', '2001:db8:5:6::/64'],
    ['a proxy that adds the port', '127.0.0.1', '198.51.100.9:4711', '198.51.100.9'],
    ['a proxy that adds the port to IPv6', '127.0.0.1', '[2001:db8:5:6::7]:4711', '2001:db8:5:6::/64'],
    ['a client that claims to be somebody', '127.0.0.1', '192.0.2.1, 198.51.100.9', '198.51.100.9'],
    ['a client that claims to be a proxy', '127.0.0.1', '192.0.2.1, 10.9.9.9, 198.51.100.9', '198.51.100.9'],
    ['nothing but proxies', '10.0.0.1', '10.0.0.3, 10.0.0.2', '10.0.0.3'],
    ['what is no address', '127.0.0.1', 'unknown', '127.0.0.1'],
    ['an odd spelling of an address', '127.0.0.1', '0x7f.1', '127.0.0.1'],
    ['an endless text', '127.0.0.1', 'x'.repeat(10_000), '127.0.0.1'],
    ['an empty header', '127.0.0.1', '', '127.0.0.1'],
  ])('it is found through %s', (_, remote, forwarded, address) => {
    expect(addressOf(request(remote, forwarded))).toBe(address);
  });

  test('whoever is none of them is not believed', () => {
    expect(addressOf(request('203.0.113.7', '192.0.2.1'))).toBe('203.0.113.7');
    expect(addressOf(request('::ffff:203.0.113.7', '192.0.2.1'))).toBe('203.0.113.7');
  });

  test('a request without the header is of the proxy itself', () => {
    expect(addressOf(request('10.0.0.1'))).toBe('10.0.0.1');
  });
});
