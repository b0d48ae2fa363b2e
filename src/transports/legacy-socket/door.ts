import type { IncomingMessage } from 'node:http';
import { type Server, WebSocketServer } from 'ws';
import type { Logger } from '../../logger.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import type { Caller } from '../../services/caller.ts';
import { POINTS_OF_SOCKET, type RateLimits } from '../../services/rate-limits.ts';
import type { Services } from '../../services/services.ts';
import type { Tracing } from '../../tracing/tracing.ts';
import type { AddressOf } from '../address.ts';
import { bearerToken } from '../bearer.ts';
import type { Connections } from '../connections.ts';
import { Heartbeat } from '../heartbeat.ts';
import { refuseBadHandshakes, tellRequestIds, upgradeId } from '../upgrade.ts';
import { LegacySocket } from './legacy-socket.ts';

export interface LegacySocketOptions {
  services: Services;
  connections: Connections;
  rateLimits: RateLimits;
  addressOf: AddressOf;
  verify: (token: string | undefined) => Promise<Caller>;
  metrics: Metrics;
  logger: Logger;
  tracing: Tracing;
  maxFrameBytes: number;
  pingIntervalMs: number;
  idleTimeoutMs: number;
}

/** The raw WebSocket of the old module; see PROTOCOL.md. */
export class LegacySocketDoor implements Disposable {
  readonly options: LegacySocketOptions;
  readonly #heartbeat: Heartbeat;
  readonly #sockets: Server<typeof LegacySocket>;

  constructor(options: LegacySocketOptions) {
    this.options = options;
    this.#heartbeat = new Heartbeat(options);
    this.#sockets = new WebSocketServer({
      noServer: true,
      maxPayload: options.maxFrameBytes,
      perMessageDeflate: false,
      clientTracking: false,
      WebSocket: LegacySocket,
    });
    refuseBadHandshakes(this.#sockets);
    tellRequestIds(this.#sockets);
  }

  /**
   * Takes over an upgrade request whose path and origin have been checked.
   *
   * @throws CarillonError before the upgrade: UNAUTHENTICATED, RATE_LIMITED, UNAVAILABLE.
   */
  async upgrade(request: IncomingMessage, stream: IncomingMessage['socket'], head: Buffer): Promise<void> {
    const query = new URL(request.url ?? '/', 'http://localhost').searchParams;
    const caller = await this.options.verify(query.get('token') ?? bearerToken(request.headers.authorization));
    const { connections, rateLimits, addressOf } = this.options;
    const address = addressOf(request);
    connections.checkAddress(address, 'legacy_ws');
    connections.check(caller, 'legacy_ws');
    rateLimits.spend(caller, POINTS_OF_SOCKET, 'legacy_ws');
    rateLimits.refundAddress(address, POINTS_OF_SOCKET);
    this.#accept(request, stream, head, { caller, address }, query.get('since'));
  }

  /** A call of its own: what its callback holds lives as long as the socket. */
  #accept(
    request: IncomingMessage,
    stream: IncomingMessage['socket'],
    head: Buffer,
    { caller, address }: { caller: Caller; address: string },
    since: string | null,
  ): void {
    this.#sockets.handleUpgrade(request, stream, head, (socket) => {
      socket.caller = caller;
      socket.address = address;
      socket.requestId = upgradeId();
      this.options.connections.open(socket);
      this.#heartbeat.watch(socket);
      socket.serve(this, stream, since);
    });
  }

  /** Called when a socket has closed. */
  closed(socket: LegacySocket): void {
    this.#heartbeat.unwatch(socket);
    this.options.connections.closed(socket);
  }

  [Symbol.dispose](): void {
    this.#heartbeat[Symbol.dispose]();
    this.#sockets.close();
  }
}
