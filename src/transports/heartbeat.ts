import type { WebSocket } from 'ws';
import type { PeerSocket } from './peer-socket.ts';

export interface HeartbeatOptions {
  /** Protocol pings go out this often. */
  pingIntervalMs: number;
  /** A peer from which nothing came for this long is cut off. */
  idleTimeoutMs: number;
}

/** How finely time is measured; a fraction of the shorter interval, and at most this. */
const MAX_TICK_MS = 1000;

function onHeard(this: WebSocket): void {
  (this as PeerSocket).heard();
}

/** Pings the sockets of one door, and cuts off those that are gone. One timer for all of them. */
export class Heartbeat implements Disposable {
  readonly #options: HeartbeatOptions;
  readonly #sockets = new Set<PeerSocket>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    const tickMs = Math.min(MAX_TICK_MS, Math.max(10, Math.min(options.pingIntervalMs, options.idleTimeoutMs) / 4));
    this.#timer = setInterval(() => this.#tick(performance.now()), tickMs).unref();
  }

  /** Whoever takes the socket's messages calls `heard` for each; pings and pongs are noticed here. */
  watch(socket: PeerSocket): void {
    this.#sockets.add(socket);
    socket.on('pong', onHeard);
    socket.on('ping', onHeard);
  }

  /** Forgets a socket that has closed. */
  unwatch(socket: PeerSocket): void {
    this.#sockets.delete(socket);
  }

  #tick(now: number): void {
    for (const socket of this.#sockets) {
      // A close frame would wait for an answer that never comes.
      if (now - socket.lastHeardMs >= this.#options.idleTimeoutMs) socket.terminate();
      else if (now - socket.lastPingMs >= this.#options.pingIntervalMs && socket.readyState === socket.OPEN) {
        socket.lastPingMs = now;
        socket.ping();
      }
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
