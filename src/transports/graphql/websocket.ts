import type { IncomingMessage } from 'node:http';
import { handleProtocols, makeServer } from 'graphql-ws';
import { type ExecutionArgs, type FormattedExecutionResult, GraphQLError } from 'graphql';
import { type WebSocket, WebSocketServer } from 'ws';
import { CarillonError, closeCodes } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import type { Caller } from '../../services/caller.ts';
import { bearerToken } from '../bearer.ts';
import type { Connection, Connections } from '../connections.ts';
import { Heartbeat } from '../heartbeat.ts';
import { send } from '../send.ts';
import type { Operations, Outcome } from './operations.ts';

export interface GraphQLSocketOptions {
  operations: Operations;
  connections: Connections;
  verify: (token: string | undefined) => Promise<Caller>;
  logger: Logger;
  maxMessageBytes: number;
  maxOperationsPerSocket: number;
  connectionInitTimeoutMs: number;
  pingIntervalMs: number;
}

/** What this door keeps of a socket. */
interface SocketState extends Record<PropertyKey, unknown> {
  readonly socket: WebSocket;
  connection: Connection | undefined;
}

/** The token in `connectionParams`: as a header's value would be, or bare under `token`. */
function tokenIn(params: Record<string, unknown> | undefined): string | undefined {
  const { authorization, Authorization, token } = params ?? {};
  const header = bearerToken(authorization ?? Authorization);
  return header ?? (typeof token === 'string' ? bearerToken(token) || token : undefined);
}

/** The `http` extension is a note to Yoga. */
function withoutHttp(error: GraphQLError): GraphQLError {
  if (!('http' in error.extensions)) return error;
  const { http: _, ...extensions } = error.extensions;
  const { nodes, source, positions, path } = error;
  return new GraphQLError(error.message, { nodes, source, positions, path, extensions } as object);
}

/** GraphQL over WebSocket, sub-protocol graphql-transport-ws, on graphql-ws's core. */
export class GraphQLSocketDoor implements Disposable {
  readonly #options: GraphQLSocketOptions;
  readonly #heartbeat: Heartbeat;
  readonly #sockets: WebSocketServer;
  readonly #protocol;

  constructor(options: GraphQLSocketOptions) {
    this.#options = options;
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
    });
    this.#protocol = this.#makeProtocol();
  }

  /** Takes over an upgrade request whose path and origin have been checked. */
  upgrade(request: IncomingMessage, ...rest: [socket: IncomingMessage['socket'], head: Buffer]): void {
    this.#sockets.handleUpgrade(request, ...rest, (socket) => this.#accept(socket));
  }

  #accept(socket: WebSocket): void {
    const state: SocketState = { socket, connection: undefined };
    this.#heartbeat.watch(socket);
    const { logger } = this.#options;
    const closed = this.#protocol.opened(
      {
        protocol: socket.protocol,
        send: (text) => send(socket, text),
        close: (code, reason) => socket.close(code, reason),
        onMessage: (handle) => {
          socket.on('message', (data, isBinary) => {
            if (isBinary) {
              socket.close(closeCodes.unsupportedData, 'Binary messages are not understood');
              return;
            }
            handle((data as Buffer).toString()).catch((error: unknown) => {
              logger.error({ err: error }, 'a message on a GraphQL socket failed');
              socket.close(closeCodes.internalError, 'Internal server error');
            });
          });
        },
      },
      state,
    );
    // The library closes the socket itself: 1009 for what is too big, 1002 and 1007 for broken frames.
    socket.on('error', (error) => logger.debug({ err: error }, 'a GraphQL socket broke'));
    socket.once('close', (code, reason) => {
      if (state.connection) this.#options.connections.closed(state.connection);
      closed(code, reason.toString()).catch((error: unknown) => {
        logger.error({ err: error }, 'a GraphQL socket did not end cleanly');
      });
    });
  }

  #makeProtocol() {
    const { operations, connectionInitTimeoutMs, maxOperationsPerSocket } = this.#options;
    return makeServer<Record<string, unknown>, SocketState>({
      connectionInitWaitTimeout: connectionInitTimeoutMs,
      onConnect: ({ connectionParams, extra }) => this.#connect(extra, connectionParams),
      onSubscribe: ({ extra, subscriptions }, _id, payload) => {
        if (Object.keys(subscriptions).length > maxOperationsPerSocket) {
          const words = `At most ${maxOperationsPerSocket} operations may be under way on one socket.`;
          return [operations.mask(new CarillonError('RATE_LIMITED', words, { retryAfterSeconds: 1 }))];
        }
        const giveUp = () => extra.socket.close(closeCodes.tryAgainLater, 'slow consumer');
        const prepared = operations.prepare(payload, extra.connection?.caller, 'socket', giveUp);
        return 'errors' in prepared ? prepared.errors.map(withoutHttp) : prepared;
      },
      execute: (args) => this.#run(args),
      subscribe: (args) => this.#run(args),
      onNext: (_context, _id, _payload, _args, { errors, ...result }) =>
        errors &&
        ({ ...result, errors: errors.map((error) => withoutHttp(error).toJSON()) } as FormattedExecutionResult),
    });
  }

  async #run(args: ExecutionArgs): Promise<Outcome> {
    return this.#options.operations.run(args);
  }

  /** `false` closes with 4403 Forbidden. */
  async #connect(state: SocketState, params: Record<string, unknown> | undefined): Promise<boolean> {
    const { socket } = state;
    try {
      const caller = await this.#options.verify(tokenIn(params));
      if (socket.readyState !== socket.OPEN) return false;
      const connection: Connection = {
        caller,
        end(reason) {
          if (reason === 'expired') socket.close(closeCodes.graphqlForbidden, 'Forbidden: the token has expired');
          else socket.close(closeCodes.goingAway, 'The server is shutting down');
        },
      };
      this.#options.connections.open(connection);
      state.connection = connection;
      return true;
    } catch (error) {
      if (!(error instanceof CarillonError)) throw error;
      if (error.code !== 'UNAUTHENTICATED') socket.close(closeCodes.tryAgainLater, error.message);
      return false;
    }
  }

  [Symbol.dispose](): void {
    this.#heartbeat[Symbol.dispose]();
    this.#sockets.close();
  }
}
