import type { IncomingMessage } from 'node:http';

/**
 * Whether a WebSocket may be opened from where the request comes: without an Origin (no browser), from the server's own
 * pages, or from an origin that is allowed by its exact name. Browsers send no preflight for a WebSocket, so without this
 * any page could open one (CSWSH).
 */
export function isOriginAllowed(request: IncomingMessage, allowed: ReadonlySet<string>): boolean {
  const { origin, host } = request.headers;
  if (origin === undefined) return true;
  if (allowed.has(origin)) return true;
  if (host === undefined || !URL.canParse(origin)) return false;
  const { protocol, host: originHost } = new URL(origin);
  // Behind a proxy the server does not see which of the two schemes the browser used; the host decides.
  return (protocol === 'http:' || protocol === 'https:') && originHost === host.toLowerCase();
}
