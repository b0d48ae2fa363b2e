import type { WebSocket } from 'ws';
import type { PeerSocket } from './peer-socket.ts';

export interface HeartbeatOptions {
  /** Protocol pings go out this often; the first of a socket at any time within. */
  pingIntervalMs: number;
  /** A peer from which nothing came for this long is cut off. */
  idleTimeoutMs: number;
}

/** How finely time is measured; a fraction of the shorter interval, and at most this. */
const MAX_TICK_MS = 1000;

function onHeard(this: WebSocket): void {
  (this as PeerSocket).heard();
}

/**
 * Pings the sockets of one door, and cuts off those that are gone. One timer for all of them.
 *
 * Time is counted in its ticks, not by a clock: a process that stood still (stopped, starved, blocked) has had one tick, so
 * it reads what came meanwhile before it calls anybody gone.
 */
export class Heartbeat implements Disposable {
  readonly #pingTicks: number;
  readonly #idleTicks: number;
  readonly #sockets = new Set<PeerSocket>();
  readonly #timer: NodeJS.Timeout;
  #watched = 0;

  constructor({ pingIntervalMs, idleTimeoutMs }: HeartbeatOptions) {
    const tickMs = Math.min(MAX_TICK_MS, Math.max(10, Math.min(pingIntervalMs, idleTimeoutMs) / 4));
    this.#pingTicks = Math.ceil(pingIntervalMs / tickMs);
    this.#idleTicks = Math.ceil(idleTimeoutMs / tickMs);
    this.#timer = setInterval(() => this.#tick(), tickMs).unref();
  }

  /** Whoever takes the socket's messages calls `heard` for each; pings and pongs are noticed here. */
  watch(socket: PeerSocket): void {
    this.#sockets.add(socket);
    // Sockets that came together, as after a restart, are not pinged together.
    socket.ticksSincePing = this.#watched % this.#pingTicks;
    this.#watched += 1;
    socket.on('pong', onHeard);
    socket.on('ping', onHeard);
  }

  /** Forgets a socket that has closed. */
  unwatch(socket: PeerSocket): void {
    this.#sockets.delete(socket);
  }

  #tick(): void {
    for (const socket of this.#sockets) {
      socket.silentTicks += 1;
      socket.ticksSincePing += 1;
      // A close frame would wait for an answer that never comes.
      if (socket.silentTicks >= this.#idleTicks) socket.terminate();
      else if (socket.ticksSincePing >= this.#pingTicks && socket.readyState === socket.OPEN) {
        socket.ticksSincePing = 0;
        socket.ping();
      }
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
