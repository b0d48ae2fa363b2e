import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import type { DoorMeter } from '../metrics/door-meter.ts';
import type { SpanOptions } from '../tracing/spans.ts';

const TEXT_FRAME = 0x81;

/** Messages of one peer that may be refused one after the other for their number, before it is told to go. */
export const MAX_REFUSED = 30;

/** Of the spans of messages. */
export const WEBSOCKET: SpanOptions = { kind: 'server', attributes: { 'network.protocol.name': 'websocket' } };

/** What a close frame has room for (RFC 6455 section 5.5). */
const MAX_REASON_BYTES = 123;

/** The reason, cut to its limit between two characters: it may quote what the client sent. */
export function clipped(reason: string): string {
  const bytes = Buffer.from(reason);
  if (bytes.length <= MAX_REASON_BYTES) return reason;
  return new TextDecoder().decode(bytes.subarray(0, MAX_REASON_BYTES), { stream: true });
}

/**
 * A text message as the bytes of one whole frame from a server (RFC 6455 section 5.2: final, not masked, not compressed):
 * made once, it can be written to any number of sockets.
 */
export function textFrame(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const head = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(head + length);
  frame[0] = TEXT_FRAME;
  if (head === 2) frame[1] = length;
  else if (head === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  frame.write(text, head);
  return frame;
}

/**
 * One peer of a socket door. Writes whole frames to the stream that the upgrade handed over, which `ws` too writes to in
 * whole frames as long as nothing is compressed; so its pings, pongs and closes come between ours.
 *
 * There are many of these and most wait: what a door needs of a peer is in fields here, and its event handlers are
 * shared functions that find the peer in `this`.
 */
export class PeerSocket extends WebSocket {
  /** Ticks of the door's Heartbeat since something last came, and since a ping last went out. */
  silentTicks = 0;
  ticksSincePing = 0;
  /** By what it is found in the log. */
  requestId = '';
  #stream: Socket | undefined;
  #onDrain: (() => void) | undefined;

  /** Something came from the peer. */
  heard(): void {
    this.silentTicks = 0;
  }

  cutOff(): void {
    this.terminate();
  }

  /** Reads nothing from the peer for so long. */
  holdOff(ms: number): void {
    if (ms <= 0) return;
    this.pause();
    setTimeout(() => this.resume(), ms).unref();
  }

  /** Says which stream it is on, before anything is written. */
  useStream(stream: Socket): void {
    this.#stream = stream;
  }

  /**
   * Writes a frame. `false`: the kernel has taken as much as it will for now, so give no more until `afterDrain` calls.
   * When the socket is being closed the frame is dropped: its close event tells.
   */
  writeFrame(frame: Buffer): boolean {
    return this.readyState === WebSocket.OPEN && this.#stream ? this.#stream.write(frame) : true;
  }

  /** Writes the frame of a live event, and counts it; see `writeFrame`. */
  push(event: object, frame: Buffer, meter: DoorMeter): boolean {
    const stream = this.#stream;
    if (this.readyState !== WebSocket.OPEN || !stream?.writable) {
      meter.lost();
      return true;
    }
    const mayGoOn = stream.write(frame);
    meter.pushed(event);
    return mayGoOn;
  }

  writeText(text: string): boolean {
    return this.writeFrame(textFrame(text));
  }

  /** Calls back once, when all that waited has been taken; not at all when the socket ends before. */
  afterDrain(callback: () => void): void {
    const earlier = this.#onDrain;
    this.#onDrain = earlier
      ? () => {
          earlier();
          callback();
        }
      : callback;
    if (earlier) return;
    this.#stream?.once('drain', () => {
      const waiting = this.#onDrain;
      this.#onDrain = undefined;
      waiting?.();
    });
  }
}
