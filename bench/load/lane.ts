import { once } from 'node:events';
import { type Socket, connect } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

const HEAD_END = '\r\n\r\n';

/** A GET without a body, a POST with one; ready to be written to a lane as it is. */
export function requestText(
  path: string,
  { url, token, body }: { url: string; token: string; body?: unknown },
): string {
  const text = body === undefined ? undefined : JSON.stringify(body);
  return [
    `${text === undefined ? 'GET' : 'POST'} ${path} HTTP/1.1`,
    `host: ${new URL(url).host}`,
    'accept: application/json',
    `authorization: Bearer ${token}`,
    ...(text === undefined ? [] : ['content-type: application/json', `content-length: ${Buffer.byteLength(text)}`]),
    `\r\n${text ?? ''}`,
  ].join('\r\n');
}

/** Options of a connection from one of this machine's addresses; the system takes one when nothing is said. */
export const addressOf = (from: string | undefined): { localAddress?: string } =>
  from === undefined ? {} : { localAddress: from };

/**
 * One connection that carries one request after the other. It knows as much of HTTP as the servers here speak, so that the
 * load costs little beside what it measures.
 */
export class Lane implements Disposable {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #waiting: PromiseWithResolvers<Answer> | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => this.#read(chunk));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('the connection closed before the answer')));
  }

  static async open(url: string, from?: string): Promise<Lane> {
    const { hostname, port } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port), noDelay: true, ...addressOf(from) });
    await once(socket, 'connect');
    return new Lane(socket);
  }

  /** Whether it can carry a request: servers end connections that nobody uses. */
  get isOpen(): boolean {
    return this.#socket.writable;
  }

  /** One at a time. Rejects when the connection is lost. */
  request(text: string): Promise<Answer> {
    this.#waiting = Promise.withResolvers<Answer>();
    this.#socket.write(text);
    return this.#waiting.promise;
  }

  #read(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const answer = readAnswer(this.#received);
    if (!answer) return;
    this.#received = Buffer.alloc(0);
    this.#waiting?.resolve(answer);
    this.#waiting = undefined;
  }

  #fail(error: Error): void {
    this.#waiting?.reject(error);
    this.#waiting = undefined;
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}

/** The answer, once all of it is there. */
function readAnswer(bytes: Buffer): Answer | undefined {
  const headEnd = bytes.indexOf(HEAD_END);
  if (headEnd < 0) return undefined;
  const head = bytes.toString('latin1', 0, headEnd);
  const status = Number(head.slice(9, 12));
  const rest = bytes.subarray(headEnd + HEAD_END.length);
  const length = /^content-length: *(\d+)/im.exec(head)?.[1];
  if (length !== undefined) return rest.length < Number(length) ? undefined : { status, body: rest };
  const body = /^transfer-encoding: *chunked/im.test(head) ? joinChunks(rest) : rest;
  return body && { status, body };
}

/** RFC 9112 section 7.1, without trailers. */
function joinChunks(bytes: Buffer): Buffer | undefined {
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    const start = lineEnd + 2;
    at = start + size + 2;
    if (bytes.length < at) return undefined;
    if (size === 0) return Buffer.concat(parts);
    parts.push(bytes.subarray(start, start + size));
  }
}
