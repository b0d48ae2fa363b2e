import { type LookupAddress, lookup as systemLookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';

/** All of IPv6 that is given out for the open internet (RFC 4291 section 2.4); ipaddr.js knows what is not, within it. */
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3');

/** Looks public, and is Azure's own service for its machines, reachable from each of them alone. */
const AZURE_PLATFORM = '168.63.129.16';

/** Takes the place of a connection to where none may go. */
export class PrivateAddressError extends Error {}

/**
 * Whether an IP address is one of the open internet: not of this machine or a private network, not link-local, shared
 * (CGNAT), multicast or reserved, and no spelling of an IPv4 address within IPv6, as mapped, NAT64, 6to4 and Teredo are.
 */
export function isPublicAddress(address: string): boolean {
  const parsed = ipaddr.parse(address);
  if (parsed.range() !== 'unicast' || address === AZURE_PLATFORM) return false;
  return parsed instanceof ipaddr.IPv4 || parsed.match(GLOBAL_UNICAST);
}

/** The IP address that is a URL's host, without brackets; `undefined` when the host is a name. */
export function addressInUrl(url: URL): string | undefined {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  return isIP(host) === 0 ? undefined : host;
}

/**
 * A lookup that fails with PrivateAddressError when a name has any address that is not public. It hands on the very
 * addresses that it looked at, and the socket connects to those: a name that has others a moment later gains nothing.
 */
export function createPublicLookup(lookup: LookupFunction = systemLookup): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, found) => {
      if (error) return callback(error, '');
      const addresses = found as LookupAddress[];
      if (addresses.length === 0 || !addresses.every(({ address }) => isPublicAddress(address))) {
        return callback(new PrivateAddressError(`${hostname} has an address that is not public`), '');
      }
      if (options.all) return callback(null, addresses);
      return callback(null, addresses[0]!.address, addresses[0]!.family);
    });
  };
}
