import { type Socket, connect } from 'node:net';
import { frame } from '../tests/support/socket-client.ts';

/** The server that is attacked, and who attacks it: a user of its own with a good token. */
export interface Target {
  readonly url: string;
  readonly token: string;
  readonly userId: string;
}

/** One attempt; resolves with what was answered: a status, a close code, or what became of the connection. */
export type Attempt = (target: Target, signal: AbortSignal) => Promise<string>;

/** A kind of attack, and how many attempts of it are under way at once. */
export interface Attack {
  readonly width: number;
  readonly attempt: Attempt;
}

const PATIENCE_MS = 15_000;
const PART_BYTES = 65_536;

/** A connection to the server that nobody minds the end of. */
export function dial({ url }: Target): Socket {
  const { hostname, port } = new URL(url);
  return connect({ host: hostname, port: Number(port) }).on('error', () => {});
}

export const bearer = ({ token }: Target): string => `authorization: Bearer ${token}\r\n`;

/** A request as text. */
export function requestOf(
  target: Target,
  { method = 'POST', path = '/graphql', head = '', body = '' }: Parts = {},
): string {
  const { host } = new URL(target.url);
  return (
    `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\ncontent-type: application/json\r\n` +
    `content-length: ${Buffer.byteLength(body)}\r\n${head}\r\n${body}`
  );
}

interface Parts {
  method?: string;
  path?: string;
  head?: string;
  body?: string;
}

/** Writes bytes to a connection of their own, and resolves with the status of the answer, or with the end. */
export function exchange(target: Target, bytes: string | Buffer): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = dial(target);
  const late = setTimeout(() => resolve('no answer'), PATIENCE_MS);
  socket.once('data', (chunk: Buffer) => resolve(chunk.toString('latin1', 9, 12)));
  socket.once('close', () => resolve('cut off'));
  void writeSlowly(socket, Buffer.from(bytes as string));
  return promise.finally(() => {
    clearTimeout(late);
    socket.destroy();
  });
}

/** In parts, between which the good clients on the same core come to their turn: the system copies each without a pause. */
async function writeSlowly(socket: Socket, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length && !socket.destroyed; at += PART_BYTES) {
    await new Promise((resolve) => socket.write(bytes.subarray(at, at + PART_BYTES), resolve));
  }
}

const INIT = (token: string): string =>
  JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } });

/** Opens a socket at the door of GraphQL or of the raw one; resolves when it is open, or with the status of a refusal. */
export async function openSocket(
  target: Target,
  { door, init = true }: { door: 'graphql' | 'legacy'; init?: boolean },
): Promise<Socket | string> {
  const { host } = new URL(target.url);
  const socket = dial(target);
  const { promise, resolve } = Promise.withResolvers<string>();
  socket.once('data', (chunk: Buffer) => resolve(chunk.toString('latin1', 9, 12)));
  socket.once('close', () => resolve('cut off'));
  socket.write(
    `GET ${door === 'graphql' ? '/graphql' : '/api/v1/notifications/ws'} HTTP/1.1\r\nhost: ${host}\r\n` +
      'connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n' +
      `sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n${bearer(target)}` +
      `${door === 'graphql' ? 'sec-websocket-protocol: graphql-transport-ws\r\n' : ''}\r\n`,
  );
  const status = await promise;
  if (status !== '101') {
    socket.destroy();
    return status;
  }
  if (door === 'graphql' && init) socket.write(frame(INIT(target.token)));
  return socket;
}

/** What a socket is closed with: the code of the first close frame, or that it was cut off; `alive` after a while. */
export function closingOf(socket: Socket, patienceMs: number): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const late = setTimeout(() => resolve('alive'), patienceMs);
  socket.on('data', (chunk: Buffer) => {
    for (let at = 0; at + 2 <= chunk.length; ) {
      const short = chunk[at + 1]! & 0x7f;
      if (chunk[at] === 0x88 && short >= 2 && at + 4 <= chunk.length) return resolve(`${chunk.readUInt16BE(at + 2)}`);
      if (short === 127 || at + 4 > chunk.length) return undefined;
      at += short === 126 ? 4 + chunk.readUInt16BE(at + 2) : 2 + short;
    }
    return undefined;
  });
  socket.once('close', () => resolve('cut off'));
  return promise.finally(() => {
    clearTimeout(late);
    socket.destroy();
  });
}
