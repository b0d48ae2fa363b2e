import type { IncomingMessage, ServerResponse } from 'node:http';

/** So much of a body is read for nothing. */
const FREE_BYTES = 65_536;

/** What a body may have of which nobody says how large it is. */
const UNTOLD_BYTES = 2 ** 20;

/**
 * Sees to the rest of a body of which nothing is wanted. It is read to its end and dropped: a client that writes all
 * before it reads, such as a proxy, would else never come to the answer. Where nobody pays for reading that much the
 * connection is closed behind the answer.
 */
export function dropBody(request: IncomingMessage, response: ServerResponse, pay: (bytes: number) => boolean): void {
  const { 'content-length': told, 'transfer-encoding': coding } = request.headers;
  if (request.complete || (told === undefined && coding === undefined)) return;
  const length = Number(told ?? UNTOLD_BYTES);
  if (length <= FREE_BYTES || pay(length)) {
    request.resume();
    return;
  }
  response.setHeader('Connection', 'close');
  response.once('finish', () => request.destroy());
}
