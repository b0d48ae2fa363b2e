import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import proxyAddr from '@fastify/proxy-addr';
import ipaddr from 'ipaddr.js';

const MAX_REMEMBERED = 1000;

/** By whose address a request is limited. */
export type AddressOf = (request: Pick<IncomingMessage, 'socket' | 'headers'>) => string;

/** An IPv4 address as a socket of IPv6 sees it. */
const MAPPED = '::ffff:';

/** `203.0.113.7:4711` and `[2001:db8::1]:4711`, as some proxies write them. */
const WITH_PORT = /^\[?([^[\]]+?)\]?:\d+$/;

/**
 * The address that a request is from: that of its socket, or, where this is one of `proxies`, the last one in
 * X-Forwarded-For that is none of them. What clients write into that header comes before what proxies add, and so is
 * never believed. An IPv6 address counts as its /64, which one subscriber has to choose from.
 */
export function createAddressOf(proxies: readonly string[] | undefined): AddressOf {
  if (!proxies) return ({ socket }) => keyOf(socket.remoteAddress ?? '');
  const isOfProxy = remembered(proxyAddr.compile([...proxies]));
  const isTrusted = (address: string): boolean => isIP(address) !== 0 && isOfProxy(address);
  return (request) => {
    const own = request.socket.remoteAddress ?? '';
    if (request.headers['x-forwarded-for'] === undefined || !isTrusted(own)) return keyOf(own);
    const last = proxyAddr(request as IncomingMessage, isTrusted);
    const address = isIP(last) ? last : (WITH_PORT.exec(last)?.[1] ?? '');
    return keyOf(isIP(address) ? address : own);
  };
}

/** To take an address apart costs a hundred times as much as to look it up; requests come from the same ones again. */
function remembered<T>(find: (address: string, nth: number) => T): (address: string) => T {
  const known = new Map<string, T>();
  return (address) => {
    let found = known.get(address);
    if (found === undefined) {
      found = find(address, 0);
      if (known.size >= MAX_REMEMBERED) known.clear();
      known.set(address, found);
    }
    return found;
  };
}

const keyOf = (address: string): string => (address.includes(':') ? keyOfIPv6(address) : address);

const keyOfIPv6 = remembered((address) => {
  if (address.startsWith(MAPPED) && address.includes('.')) return address.slice(MAPPED.length);
  const parsed = ipaddr.parse(address);
  if (!(parsed instanceof ipaddr.IPv6)) return parsed.toString();
  if (parsed.isIPv4MappedAddress()) return parsed.toIPv4Address().toString();
  return `${parsed.parts
    .slice(0, 4)
    .map((part) => part.toString(16))
    .join(':')}::/64`;
});
