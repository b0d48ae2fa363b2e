import type { WebSocket } from 'ws';

/** Messages of one peer that wait to be served before its socket is read no further, and so the peer has to wait. */
const MAX_WAITING = 64;

/** Serves the messages of one peer one after the other. */
export class InOrder {
  readonly #socket: WebSocket;
  #last: Promise<void>;
  #waiting = 0;
  #ended = false;

  /** Nothing is served before `ready`. */
  constructor(socket: WebSocket, ready: Promise<void>) {
    this.#socket = socket;
    this.#last = ready;
  }

  /** `serve` must not reject. It is not called when the socket is being closed by then. */
  add(serve: () => Promise<void>): void {
    if (this.#ended || this.#socket.readyState !== this.#socket.OPEN) return;
    this.#waiting += 1;
    if (this.#waiting === MAX_WAITING) this.#socket.pause();
    this.#last = this.#last.then(async () => {
      if (this.#socket.readyState === this.#socket.OPEN) await serve();
      this.#waiting -= 1;
      if (this.#waiting === 0) this.#socket.resume();
    });
  }

  /** Takes no further messages, and resolves when those that were taken are served. */
  end(): Promise<void> {
    this.#ended = true;
    return this.#last;
  }
}
