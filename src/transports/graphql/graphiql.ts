import type { IncomingMessage, ServerResponse } from 'node:http';
import { MASKED_MESSAGE } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import { renderGraphiql } from '../../web/graphiql.ts';

/** Whether this is a browser that opens the address, and not a client that asks something by GET. */
export const isVisit = ({ method, headers }: IncomingMessage): boolean =>
  method === 'GET' && headers.accept?.includes('text/html') === true;

/** How this machine calls itself; `URL` writes IPv6 addresses in brackets. */
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

const TOLD_BY_PROXIES = ['forwarded', 'via', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip'] as const;

/**
 * Whether the page goes to a person at this machine, and to nobody else's script. A page of another origin that reads
 * this one says so in `Origin`. One whose own name was made to point here (DNS rebinding) has that name in `Host`. And a
 * proxy on this machine passes on what comes from others.
 */
function isFromThisMachine({ headers }: IncomingMessage): boolean {
  if (headers.origin !== undefined || TOLD_BY_PROXIES.some((name) => headers[name] !== undefined)) return false;
  const url = `http://${headers.host ?? ''}`;
  return URL.canParse(url) && LOOPBACK.has(new URL(url).hostname);
}

/**
 * The page may hold a token: it is kept by no cache, shown in no frame, and read by no page of another origin, also of
 * those that may call the API.
 */
const HEADERS = {
  'Content-Type': 'text/html; charset=utf-8',
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "frame-ancestors 'none'",
  'X-Frame-Options': 'DENY',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
};

/**
 * Answers visits with GraphiQL. `demoToken` makes a token to try things out with, or none; it is asked for visits from
 * this machine only. Never rejects.
 */
export function createGraphiql(logger: Logger, demoToken: (() => Promise<string | undefined>) | undefined) {
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    response.removeHeader('Access-Control-Allow-Origin');
    try {
      const token = demoToken && isFromThisMachine(request) ? await demoToken() : undefined;
      const { shared, own } = await renderGraphiql(token);
      response.writeHead(200, { ...HEADERS, 'Content-Length': shared.byteLength + own.byteLength });
      response.write(shared);
      response.end(own);
    } catch (error) {
      logger.error({ err: error }, 'GraphiQL could not be built');
      response.writeHead(500, { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store' });
      response.end(`${MASKED_MESSAGE}\n`);
    }
  };
}
