import { type Socket, connect } from 'node:net';
import { addressOf } from './lane.ts';

const SUBSCRIPTION = 'subscription { notificationAdded { id title content type priority isRead createdAt } }';

const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

/** A masked frame whose mask is of zeros, which leaves the payload as it is (RFC 6455 section 5.2). */
function frame(opcode: number, payload: Buffer): Buffer {
  const { length } = payload;
  const head = length < 126 ? Buffer.from([0x80 | opcode, 0x80 | length]) : Buffer.alloc(4);
  if (length >= 126) {
    head[0] = 0x80 | opcode;
    head[1] = 0x80 | 126;
    head.writeUInt16BE(length, 2);
  }
  return Buffer.concat([head, Buffer.alloc(4), payload]);
}

const message = (value: unknown): Buffer => frame(TEXT, Buffer.from(JSON.stringify(value)));
const SUBSCRIBE = message({ id: '1', type: 'subscribe', payload: { query: SUBSCRIPTION } });
const ASK_WHETHER_DONE = message({ type: 'ping' });
const ANSWER = message({ type: 'pong' });

/**
 * A device that has subscribed to its user's notifications over graphql-transport-ws. It knows as much of the protocols as
 * it needs: a fan-out is a thousand frames to read for one that was sent.
 */
export class Device implements Disposable {
  /** Whether it has ended. */
  lost = false;
  readonly #socket: Socket;
  readonly #onNotification: (frame: Buffer) => void;
  readonly #ready: PromiseWithResolvers<void>;
  #received: Buffer = Buffer.alloc(0);
  #upgraded = false;

  private constructor(socket: Socket, ready: PromiseWithResolvers<void>, onNotification: (frame: Buffer) => void) {
    this.#socket = socket;
    this.#ready = ready;
    this.#onNotification = onNotification;
  }

  /** Resolves when the server has taken the subscription in; `onNotification` gets the text of each result. */
  static async connect(
    { url, token, from }: { url: string; token: string; from?: string | undefined },
    onNotification: (frame: Buffer) => void,
  ): Promise<Device> {
    const { hostname, port, host } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port), noDelay: true, ...addressOf(from) });
    const ready = Promise.withResolvers<void>();
    const device = new Device(socket, ready, onNotification);
    socket.on('connect', () => {
      socket.write(
        `GET /graphql HTTP/1.1\r\nhost: ${host}\r\nconnection: upgrade\r\nupgrade: websocket\r\n` +
          'sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n' +
          'sec-websocket-protocol: graphql-transport-ws\r\n\r\n',
      );
    });
    socket.on('data', (chunk) => device.#read(chunk, token));
    socket.on('error', (error) => ready.reject(error));
    socket.on('close', () => {
      device.lost = true;
      ready.reject(new Error('the server ended the connection'));
    });
    await ready.promise;
    return device;
  }

  #read(chunk: Buffer, token: string): void {
    let bytes = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    if (!this.#upgraded) {
      const headEnd = bytes.indexOf('\r\n\r\n');
      if (headEnd < 0) {
        this.#received = bytes;
        return;
      }
      const status = bytes.toString('latin1', 9, 12);
      if (status !== '101') this.#ready.reject(new Error(`the upgrade was refused with ${status}`));
      this.#upgraded = true;
      this.#socket.write(message({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } }));
      bytes = bytes.subarray(headEnd + 4);
    }
    for (let size = frameSize(bytes); size > 0 && size <= bytes.length; size = frameSize(bytes)) {
      this.#take(bytes.subarray(0, size));
      bytes = bytes.subarray(size);
    }
    this.#received = bytes;
  }

  #take(bytes: Buffer): void {
    const opcode = bytes[0]! & 0x0f;
    const payload = bytes.subarray(headSize(bytes));
    if (opcode === PING) this.#socket.write(frame(PONG, payload));
    else if (opcode === CLOSE) this.#socket.destroy();
    else if (opcode !== TEXT) return;
    // Every notification is longer, every other message shorter.
    else if (payload.length > 100) this.#onNotification(payload);
    else this.#control((JSON.parse(payload.toString()) as { type: string }).type);
  }

  #control(type: string): void {
    if (type === 'ping') this.#socket.write(ANSWER);
    else if (type === 'connection_ack') this.#socket.write(Buffer.concat([SUBSCRIBE, ASK_WHETHER_DONE]));
    else if (type === 'pong') this.#ready.resolve();
    else this.#socket.destroy(new Error(`the server said ${type}`));
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}

export function closeAll(devices: readonly Device[]): void {
  for (const device of devices) device[Symbol.dispose]();
}

const headSize = (bytes: Buffer): number => {
  const length = bytes[1]! & 0x7f;
  return length === 127 ? 10 : length === 126 ? 4 : 2;
};

/** Of the first frame; 0 when not even its head is there. Servers do not mask. */
function frameSize(bytes: Buffer): number {
  if (bytes.length < 2) return 0;
  const head = headSize(bytes);
  if (bytes.length < head) return 0;
  const length = bytes[1]! & 0x7f;
  if (length < 126) return head + length;
  return head + (length === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2)));
}
