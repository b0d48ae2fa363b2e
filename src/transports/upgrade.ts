import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocketServer } from 'ws';
import { CarillonError, MASKED_MESSAGE, forbidden, notFound } from '../errors.ts';
import { type Logger, currentLogScope, inLogScope } from '../logger.ts';
import { POINTS_OF_BAD_TOKEN, POINTS_OF_SOCKET, type RateLimits } from '../services/rate-limits.ts';
import type { AddressOf } from './address.ts';
import { hold } from './hold.ts';
import { isOriginAllowed } from './origin.ts';
import { requestIdOf } from './request-id.ts';

/** Takes over an upgrade, or rejects before it with the CarillonError to answer. */
export type UpgradeDoor = (
  request: IncomingMessage,
  socket: IncomingMessage['socket'],
  head: Buffer,
) => Promise<void> | void;

export interface UpgradeRouterOptions {
  /** By exact path. */
  doors: ReadonlyMap<string, UpgradeDoor>;
  allowedOrigins: ReadonlySet<string>;
  rateLimits: RateLimits;
  addressOf: AddressOf;
  logger: Logger;
}

/**
 * The one place where WebSockets come in: how many from this address, path, then origin, then the door's own checks; all
 * before the upgrade.
 */
export function createUpgradeRouter({ doors, allowedOrigins, rateLimits, addressOf, logger }: UpgradeRouterOptions) {
  return (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    // Until a door has it, a peer that goes away must not be an unhandled error.
    const ignore = () => {};
    socket.on('error', ignore);
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    const door = doors.get(path);
    void inLogScope({ requestId: requestIdOf(request), door: 'upgrade' }, async () => {
      try {
        await route();
        socket.off('error', ignore);
      } catch (error) {
        if (error instanceof CarillonError && error.code === 'UNAUTHENTICATED') {
          rateLimits.chargeOfAddress(addressOf(request), POINTS_OF_BAD_TOKEN);
        }
        await hold(error);
        if (!(error instanceof CarillonError)) logger.error({ err: error, path }, 'a WebSocket upgrade failed');
        refuse(
          socket,
          error instanceof CarillonError ? error : new CarillonError('INTERNAL_SERVER_ERROR', MASKED_MESSAGE),
        );
      }
    });

    async function route(): Promise<void> {
      if (rateLimits.isOn) rateLimits.spendOfAddress(addressOf(request), 'upgrade', POINTS_OF_SOCKET);
      if (!door) throw notFound('WebSocket address');
      if (!isOriginAllowed(request, allowedOrigins)) throw forbidden('This origin is not allowed.');
      await door(request, socket as IncomingMessage['socket'], head);
    }
  };
}

/** The id of the upgrade request that is under way, which its socket keeps. */
export const upgradeId = (): string => currentLogScope()?.requestId ?? '';

/** Has the answer to each handshake say by what id the socket is found in the log. */
export function tellRequestIds(sockets: Pick<WebSocketServer, 'on'>): void {
  sockets.on('headers', (headers) => headers.push(`X-Request-Id: ${upgradeId()}`));
}

/** Has handshakes that the library finds fault with refused like all others; by itself it would answer with HTML. */
export function refuseBadHandshakes(sockets: Pick<WebSocketServer, 'on'>): void {
  sockets.on('wsClientError', ({ message }, socket, { method }) => {
    const error =
      method === 'GET'
        ? new CarillonError('BAD_USER_INPUT', `${message}.`)
        : new CarillonError('METHOD_NOT_ALLOWED', 'A WebSocket is opened with GET.');
    // RFC 6455 section 4.4, and RFC 9110 section 15.5.6.
    refuse(socket, error, method === 'GET' ? 'Sec-WebSocket-Version: 13' : 'Allow: GET');
  });
}

function refuse(socket: Duplex, error: CarillonError, ...headers: string[]): void {
  const { code: reason, message, httpStatus: code, retryAfterSeconds } = error;
  const body = JSON.stringify({ code, reason, message, metadata: {} });
  // A peer that keeps its side open must not keep the connection.
  socket.once('finish', () => socket.destroy());
  socket.end(
    [
      `HTTP/1.1 ${code} ${STATUS_CODES[code]}`,
      'Connection: close',
      `X-Request-Id: ${upgradeId()}`,
      'Content-Type: application/json; charset=utf-8',
      `Content-Length: ${Buffer.byteLength(body)}`,
      ...(code === 401 ? ['WWW-Authenticate: Bearer'] : []),
      ...(retryAfterSeconds === undefined ? [] : [`Retry-After: ${retryAfterSeconds}`]),
      ...headers,
      '',
      body,
    ].join('\r\n'),
  );
}
