import type { IncomingMessage } from 'node:http';
import { CloseCode, handleProtocols } from 'graphql-ws';
import { type Server, WebSocketServer } from 'ws';
import type { Logger } from '../../logger.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import { type Caller, type InboxAddress, inboxKey } from '../../services/caller.ts';
import type { RateLimits } from '../../services/rate-limits.ts';
import type { Tracing } from '../../tracing/tracing.ts';
import type { AddressOf } from '../address.ts';
import type { Connections } from '../connections.ts';
import { Counts } from '../counts.ts';
import { Heartbeat } from '../heartbeat.ts';
import { refuseBadHandshakes, tellRequestIds, upgradeId } from '../upgrade.ts';
import { GraphQLSocket } from './graphql-socket.ts';
import type { Operations } from './operations.ts';

export interface GraphQLSocketOptions {
  operations: Operations;
  connections: Connections;
  rateLimits: RateLimits;
  addressOf: AddressOf;
  verify: (token: string | undefined) => Promise<Caller>;
  metrics: Metrics;
  logger: Logger;
  tracing: Tracing;
  maxMessageBytes: number;
  maxMessageValues: number;
  maxOperationsPerSocket: number;
  maxConnectionsPerUser: number;
  connectionInitTimeoutMs: number;
  pingIntervalMs: number;
}

/** How finely the time for a connection_init is measured: a fraction of it, and at most this. */
const MAX_TICK_MS = 250;

/** GraphQL over WebSocket, sub-protocol graphql-transport-ws; see PROTOCOL.md. */
export class GraphQLSocketDoor implements Disposable {
  readonly options: GraphQLSocketOptions;
  readonly #heartbeat: Heartbeat;
  readonly #sockets: Server<typeof GraphQLSocket>;
  /** Sockets that have not said who they are, by the moment at which they are given up. */
  readonly #strangers = new Map<GraphQLSocket, number>();
  readonly #subscriptions = new Counts();
  readonly #timer: NodeJS.Timeout;

  constructor(options: GraphQLSocketOptions) {
    this.options = options;
    this.#heartbeat = new Heartbeat({
      pingIntervalMs: options.pingIntervalMs,
      idleTimeoutMs: options.pingIntervalMs * 2,
    });
    this.#sockets = new WebSocketServer({
      noServer: true,
      maxPayload: options.maxMessageBytes,
      perMessageDeflate: false,
      clientTracking: false,
      handleProtocols: (protocols) => handleProtocols(protocols),
      WebSocket: GraphQLSocket,
    });
    refuseBadHandshakes(this.#sockets);
    tellRequestIds(this.#sockets);
    const tickMs = Math.min(MAX_TICK_MS, Math.max(10, options.connectionInitTimeoutMs / 4));
    this.#timer = setInterval(() => this.#endStrangers(performance.now()), tickMs).unref();
  }

  /**
   * Takes over an upgrade request whose path and origin have been checked.
   *
   * @throws CarillonError, before the upgrade, RATE_LIMITED for too many connections of one address; UNAVAILABLE while
   * draining.
   */
  upgrade(request: IncomingMessage, stream: IncomingMessage['socket'], head: Buffer): void {
    const address = this.options.addressOf(request);
    this.options.connections.checkAddress(address, 'graphql_ws');
    this.#sockets.handleUpgrade(request, stream, head, (socket) => {
      socket.address = address;
      socket.requestId = upgradeId();
      this.options.connections.admit(socket);
      this.#heartbeat.watch(socket);
      this.#strangers.set(socket, performance.now() + this.options.connectionInitTimeoutMs);
      socket.serve(this, stream);
    });
  }

  /** Subscriptions of one user that may be under way in this process: two for each of its connections. */
  get mostPerUser(): number {
    return 2 * this.options.maxConnectionsPerUser;
  }

  /** Counts a subscription of a user; false, and nothing is counted, when there are as many as may be. */
  admit(user: InboxAddress): boolean {
    const key = inboxKey(user);
    if (this.#subscriptions.of(key) >= this.mostPerUser) return false;
    this.#subscriptions.add(key);
    return true;
  }

  /** Called when a subscription that was admitted is over. */
  left(user: InboxAddress): void {
    this.#subscriptions.remove(inboxKey(user));
  }

  /** Called when a peer has begun to say who it is. */
  introduced(socket: GraphQLSocket): void {
    this.#strangers.delete(socket);
  }

  /** Called when a socket has closed. */
  closed(socket: GraphQLSocket): void {
    this.#strangers.delete(socket);
    this.#heartbeat.unwatch(socket);
    this.options.connections.left(socket);
    if (socket.isConnection()) this.options.connections.closed(socket);
  }

  #endStrangers(now: number): void {
    for (const [socket, deadline] of this.#strangers) {
      // In the order in which they came, all with the same patience.
      if (deadline > now) return;
      this.#strangers.delete(socket);
      socket.close(CloseCode.ConnectionInitialisationTimeout, 'Connection initialisation timeout');
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#heartbeat[Symbol.dispose]();
    this.#sockets.close();
  }
}
