import type { WebSocket } from 'ws';

export interface HeartbeatOptions {
  /** Protocol pings go out this often. */
  pingIntervalMs: number;
  /** A peer from which nothing came for this long is cut off. */
  idleTimeoutMs: number;
}

/** How finely time is measured; a fraction of the shorter interval, and at most this. */
const MAX_TICK_MS = 1000;

interface Beat {
  lastHeard: number;
  lastPing: number;
}

/** Pings the sockets of one door, and cuts off those that are gone. One timer for all of them. */
export class Heartbeat implements Disposable {
  readonly #options: HeartbeatOptions;
  readonly #beats = new Map<WebSocket, Beat>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    const tickMs = Math.min(MAX_TICK_MS, Math.max(10, Math.min(options.pingIntervalMs, options.idleTimeoutMs) / 4));
    this.#timer = setInterval(() => this.#tick(performance.now()), tickMs).unref();
  }

  watch(socket: WebSocket): void {
    const now = performance.now();
    const beat: Beat = { lastHeard: now, lastPing: now };
    const heard = () => {
      beat.lastHeard = performance.now();
    };
    this.#beats.set(socket, beat);
    socket.on('message', heard).on('pong', heard).on('ping', heard);
    socket.once('close', () => this.#beats.delete(socket));
  }

  #tick(now: number): void {
    for (const [socket, beat] of this.#beats) {
      // A close frame would wait for an answer that never comes.
      if (now - beat.lastHeard >= this.#options.idleTimeoutMs) socket.terminate();
      else if (now - beat.lastPing >= this.#options.pingIntervalMs && socket.readyState === socket.OPEN) {
        beat.lastPing = now;
        socket.ping();
      }
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
