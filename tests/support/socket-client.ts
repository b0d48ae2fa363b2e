import { type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http';
import type { Socket } from 'node:net';
import { randomBytes } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { type ClientOptions, WebSocket } from 'ws';

/** A message as it came; tests look into it freely. */
// biome-ignore lint: answers are checked by the tests
export type Message = Record<string, any>;

export interface Closed {
  code: number;
  reason: string;
}

export interface ConnectOptions extends ClientOptions {
  token?: string | undefined;
  /** Sub-protocols, separated by commas. */
  protocol?: string | undefined;
}

const authorization = (token: string | undefined): Record<string, string> =>
  token === undefined ? {} : { authorization: `Bearer ${token}` };

/**
 * A WebSocket client that keeps every message until the test asks for it. Waiting for a message fails as soon as the
 * socket closes instead; nothing here waits for a time to pass.
 */
export class SocketClient implements AsyncDisposable {
  readonly socket: WebSocket;
  /** Resolves when the socket has closed. */
  readonly closed: Promise<Closed>;
  readonly #messages: Message[] = [];
  #waiting: PromiseWithResolvers<void> | undefined;
  #close: Closed | undefined;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data: Buffer) => {
      this.#messages.push(JSON.parse(data.toString()) as Message);
      this.#wake();
    });
    this.closed = new Promise((resolve) => {
      socket.once('close', (code, reason) => {
        this.#close = { code, reason: reason.toString() };
        this.#wake();
        resolve(this.#close);
      });
    });
  }

  /** Resolves when the socket is open. @throws when the server refuses; see `refusalOf`. */
  static async connect(url: string, { token, protocol, headers, ...options }: ConnectOptions = {}) {
    const socket = new WebSocket(url, protocol?.split(',') ?? [], {
      ...options,
      headers: { ...authorization(token), ...headers },
      perMessageDeflate: false,
    });
    const client = new SocketClient(socket);
    await new Promise((resolve, reject) => {
      socket.once('open', resolve).once('error', reject);
    });
    // What breaks later is told by the close code.
    socket.on('error', () => {});
    return client;
  }

  /** Sends a JSON message, or text as it is. */
  send(message: unknown): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  /** The next message. */
  async next(): Promise<Message> {
    for (;;) {
      const message = this.#messages.shift();
      if (message) return message;
      if (this.#close) {
        throw new Error(`the socket closed with ${this.#close.code} ${this.#close.reason} before the message came`);
      }
      this.#waiting ??= Promise.withResolvers<void>();
      await this.#waiting.promise;
    }
  }

  /** The next `count` messages. */
  async take(count: number): Promise<Message[]> {
    const taken: Message[] = [];
    while (taken.length < count) taken.push(await this.next());
    return taken;
  }

  /** Whatever came and was not asked for. */
  rest(): Message[] {
    return this.#messages.splice(0);
  }

  /** Closes, and waits until the server has agreed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.resume();
    this.socket.close();
    await this.closed;
  }

  #wake(): void {
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }
}

export interface Refusal {
  status: number;
  headers: IncomingMessage['headers'];
  body: Message;
}

function upgradeRequest(url: string, { token, headers }: ConnectOptions): ClientRequest {
  return httpRequest(url.replace(/^ws/, 'http'), {
    headers: {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': randomBytes(16).toString('base64'),
      ...authorization(token),
      ...headers,
    },
  });
}

/** The HTTP answer to an upgrade that is refused. @throws when the socket opens instead. */
export async function refusalOf(url: string, options: ConnectOptions = {}): Promise<Refusal> {
  const request = upgradeRequest(url, options);
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve).once('error', reject);
    request.once('upgrade', (_response, socket: Socket) => {
      socket.destroy();
      reject(new Error('the upgrade was not refused'));
    });
    request.end();
  });
  const body = JSON.parse(await text(response)) as Message;
  return { status: response.statusCode ?? 0, headers: response.headers, body };
}

export interface RawOptions extends ConnectOptions {
  /** Bytes to send without waiting for the answer to the upgrade. */
  early?: Buffer;
}

/**
 * The bare TCP connection of an open WebSocket, for writing bytes that no client library writes, and for keeping silent
 * where each of them would answer.
 */
export async function openRaw(url: string, { early, ...options }: RawOptions = {}): Promise<Socket> {
  const request = upgradeRequest(url, options);
  // The head of the request is on its way before the connection stands.
  if (early) request.once('socket', (socket) => socket.once('connect', () => socket.write(early)));
  return new Promise((resolve, reject) => {
    request.once('upgrade', (_response, socket: Socket, head) => {
      socket.on('error', () => {});
      socket.unshift(head);
      resolve(socket);
    });
    request.once('response', (response) => reject(new Error(`refused with ${response.statusCode}`)));
    request.once('error', reject);
    request.end();
  });
}

export interface FrameOptions {
  /** The first byte; a whole text frame unless said otherwise. */
  first?: number;
  masked?: boolean;
}

/** The bytes of one frame (RFC 6455 section 5.2). */
export function frame(payload: Buffer | string, { first = 0x81, masked = true }: FrameOptions = {}): Buffer {
  const bytes = Buffer.from(payload);
  // A mask of zeros leaves the payload as it is.
  return Buffer.concat([headOf(bytes.length, first, masked), masked ? Buffer.alloc(4) : Buffer.alloc(0), bytes]);
}

function headOf(length: number, first: number, masked: boolean): Buffer {
  const mask = masked ? 0x80 : 0;
  if (length < 126) return Buffer.from([first, length | mask]);
  if (length < 2 ** 16) return Buffer.from([first, 126 | mask, length >> 8, length & 0xff]);
  const head = Buffer.from([first, 127 | mask, 0, 0, 0, 0, 0, 0, 0, 0]);
  head.writeBigUInt64BE(BigInt(length), 2);
  return head;
}
