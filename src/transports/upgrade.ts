import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { CarillonError, MASKED_MESSAGE, forbidden, notFound } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { isOriginAllowed } from './origin.ts';

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
  logger: Logger;
}

/** The one place where WebSockets come in: path, then origin, then the door's own checks; all before the upgrade. */
export function createUpgradeRouter({ doors, allowedOrigins, logger }: UpgradeRouterOptions) {
  return (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    // Until a door has it, a peer that goes away must not be an unhandled error.
    const ignore = () => {};
    socket.on('error', ignore);
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    const door = doors.get(path);
    route()
      .then(() => socket.off('error', ignore))
      .catch((error: unknown) => {
        if (!(error instanceof CarillonError)) logger.error({ err: error, path }, 'a WebSocket upgrade failed');
        refuse(
          socket,
          error instanceof CarillonError ? error : new CarillonError('INTERNAL_SERVER_ERROR', MASKED_MESSAGE),
        );
      });

    async function route(): Promise<void> {
      if (!door) throw notFound('WebSocket address');
      if (!isOriginAllowed(request, allowedOrigins)) throw forbidden('This origin is not allowed.');
      await door(request, socket as IncomingMessage['socket'], head);
    }
  };
}

function refuse(socket: Duplex, { code: reason, message, httpStatus: code, retryAfterSeconds }: CarillonError): void {
  const body = JSON.stringify({ code, reason, message, metadata: {} });
  // A peer that keeps its side open must not keep the connection.
  socket.once('finish', () => socket.destroy());
  socket.end(
    [
      `HTTP/1.1 ${code} ${STATUS_CODES[code]}`,
      'Connection: close',
      'Content-Type: application/json; charset=utf-8',
      `Content-Length: ${Buffer.byteLength(body)}`,
      ...(code === 401 ? ['WWW-Authenticate: Bearer'] : []),
      ...(retryAfterSeconds === undefined ? [] : [`Retry-After: ${retryAfterSeconds}`]),
      '',
      body,
    ].join('\r\n'),
  );
}
