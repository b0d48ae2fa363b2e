import { once } from 'node:events';
import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net';

/** `up` is from whoever connected to the target, `down` is back. */
export type Direction = 'up' | 'down';

const DIRECTIONS = ['up', 'down'] as const;

/**
 * A TCP link to a local port, with the faults of a network. A direction that is held carries nothing, not even the news
 * that its sender is gone, as when packets are lost; what waits there goes on when it is released.
 */
export class Link implements AsyncDisposable {
  /** Where new connections go: the target may come back on another port. */
  targetPort: number;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  readonly #held: Record<Direction, boolean> = { up: false, down: false };

  constructor(server: Server, targetPort: number) {
    this.#server = server;
    this.targetPort = targetPort;
    server.on('connection', (near: Socket) => this.#accept(near));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get connectionCount(): number {
    return this.#pairs.size;
  }

  #accept(near: Socket): void {
    const far = connect({ port: this.targetPort, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    const pair = new Pair(near, far, () => this.#pairs.delete(pair));
    this.#pairs.add(pair);
    for (const direction of DIRECTIONS) pair.hold(direction, this.#held[direction]);
  }

  hold(direction: Direction): void {
    this.#held[direction] = true;
    for (const pair of this.#pairs) pair.hold(direction, true);
  }

  release(direction: Direction): void {
    this.#held[direction] = false;
    for (const pair of this.#pairs) pair.hold(direction, false);
  }

  /** Resets connections, both ends at once: all of them, or those that are chosen. */
  cut(isChosen: () => boolean = () => true): void {
    for (const pair of [...this.#pairs]) if (isChosen()) pair.reset();
  }

  /**
   * Present connections go silent for good, with no end told, as when a router forgets them. New ones work. Answers with
   * what resets those that are still there.
   */
  forget(): () => void {
    const forgotten = [...this.#pairs];
    for (const pair of forgotten) pair.forget();
    return () => {
      for (const pair of forgotten) pair.reset();
    };
  }

  /** Ends all faults: both directions carry again, and connections that were forgotten are reset. */
  heal(): void {
    for (const direction of DIRECTIONS) this.release(direction);
    for (const pair of [...this.#pairs]) if (pair.isForgotten) pair.reset();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.cut();
    await closed;
  }
}

/** Opens a link to a local port, on a free port of its own. */
export async function openLink(targetPort: number): Promise<Link> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return new Link(server, targetPort);
}

/** One direction of one connection. */
interface Flow {
  from: Socket;
  to: Socket;
  held: boolean;
  /** The receiver takes no more for now. */
  full: boolean;
  /** The sender broke off; told to the receiver as soon as the direction carries. */
  broken: boolean;
}

/** One connection through a link. */
class Pair {
  readonly #flows: Record<Direction, Flow>;
  #forgotten = false;

  constructor(near: Socket, far: Socket, onClosed: () => void) {
    this.#flows = { up: flow(near, far), down: flow(far, near) };
    let open = 2;
    for (const each of Object.values(this.#flows)) {
      const { from, to } = each;
      from.on('data', (chunk) => {
        each.full = !to.write(chunk);
        this.#apply(each);
      });
      to.on('drain', () => {
        each.full = false;
        this.#apply(each);
      });
      from.on('end', () => to.end());
      from.on('error', () => {
        each.broken = true;
        this.#apply(each);
      });
      from.on('close', () => {
        open -= 1;
        if (open === 0) onClosed();
        else if (!each.broken && !each.held) to.end();
      });
    }
  }

  get isForgotten(): boolean {
    return this.#forgotten;
  }

  hold(direction: Direction, held: boolean): void {
    if (this.#forgotten) return;
    const each = this.#flows[direction];
    each.held = held;
    this.#apply(each);
  }

  forget(): void {
    for (const direction of DIRECTIONS) this.hold(direction, true);
    this.#forgotten = true;
  }

  reset(): void {
    for (const { from } of Object.values(this.#flows)) if (!from.destroyed) from.resetAndDestroy();
  }

  #apply({ from, to, held, full, broken }: Flow): void {
    if (held || full) from.pause();
    else from.resume();
    if (broken && !held && !to.destroyed) to.resetAndDestroy();
  }
}

const flow = (from: Socket, to: Socket): Flow => ({ from, to, held: false, full: false, broken: false });
