import type { IncomingMessage } from 'node:http';
import { CloseCode, handleProtocols, makeServer } from 'graphql-ws';
import { type ExecutionArgs, type FormattedExecutionResult, type GraphQLError, getOperationAST } from 'graphql';
import { type WebSocket, WebSocketServer } from 'ws';
import { CarillonError, closeCodes } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import type { Caller } from '../../services/caller.ts';
import { bearerToken } from '../bearer.ts';
import { type Connection, type Connections, type EndReason, type Guest, tokenEnded } from '../connections.ts';
import { Heartbeat } from '../heartbeat.ts';
import { send } from '../send.ts';
import { withoutHttp } from './errors.ts';
import type { OperationRequest, Operations, Outcome } from './operations.ts';
import { SocketOperations } from './socket-operations.ts';

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
  readonly operations: SocketOperations;
  readonly end: Connection['end'];
  /** The server is draining: what is under way is answered, and nothing new begins. */
  isDraining: boolean;
  connection: Connection | undefined;
}

/** An operation that was let through and has been begun. */
interface Begun extends ExecutionArgs {
  readonly outcome: Outcome;
}

/** Answers may wait to be sent up to this much before the peer is read no further, and so has to read them first. */
const MAX_BUFFERED_BYTES = 4 * 2 ** 20;

/** What a close frame has room for (RFC 6455 section 5.5). */
const MAX_REASON_BYTES = 123;

/** The reason, cut to its limit between two characters: it may quote what the client sent. */
function clipped(reason: string): string {
  const bytes = Buffer.from(reason);
  if (bytes.length <= MAX_REASON_BYTES) return reason;
  return new TextDecoder().decode(bytes.subarray(0, MAX_REASON_BYTES), { stream: true });
}

/** A refusal of the request as such, of its variables for instance: nothing was executed. */
const isRefusal = (outcome: Outcome): outcome is { errors: readonly GraphQLError[] } =>
  'errors' in outcome && !('data' in outcome);

/** The token in `connectionParams`: as a header's value would be, or bare under `token`. */
function tokenIn(params: Record<string, unknown> | undefined): string | undefined {
  const { authorization, Authorization, token } = params ?? {};
  const header = bearerToken(authorization ?? Authorization);
  return header ?? (typeof token === 'string' ? bearerToken(token) || token : undefined);
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

  /**
   * Takes over an upgrade request whose path and origin have been checked.
   *
   * @throws CarillonError UNAVAILABLE, before the upgrade, while draining.
   */
  upgrade(request: IncomingMessage, ...rest: [socket: IncomingMessage['socket'], head: Buffer]): void {
    const { connections } = this.#options;
    let end = (_reason: EndReason): void => {};
    const guest: Guest = { end: (reason) => end(reason) };
    connections.admit(guest);
    rest[0].once('close', () => connections.left(guest));
    this.#sockets.handleUpgrade(request, ...rest, (socket) => {
      end = this.#accept(socket);
    });
  }

  /** Begins to serve a socket. Answers with what ends it. */
  #accept(socket: WebSocket): Guest['end'] {
    this.#heartbeat.watch(socket);
    const { logger } = this.#options;
    let handle = async (_text: string): Promise<void> => {};
    const operations = new SocketOperations(async (text) => {
      // A peer that is told to go may still be sending; nothing of that is served.
      if (socket.readyState !== socket.OPEN) return;
      try {
        await handle(text);
      } catch (error) {
        // graphql-ws throws at messages that only servers send.
        if (error instanceof Error && error.message.startsWith('Unexpected message')) {
          socket.close(CloseCode.BadRequest, 'Invalid message received');
          return;
        }
        logger.error({ err: error }, 'a message on a GraphQL socket failed');
        socket.close(closeCodes.internalError, 'Internal server error');
      }
    });
    const state: SocketState = {
      socket,
      operations,
      isDraining: false,
      connection: undefined,
      end(reason) {
        if (reason !== 'draining') {
          socket.close(closeCodes.graphqlForbidden, `Forbidden: ${tokenEnded[reason]}`);
          return;
        }
        state.isDraining = true;
        void operations.answered().then(() => socket.close(closeCodes.goingAway, 'The server is shutting down'));
      },
    };
    const closed = this.#protocol.opened(
      {
        protocol: socket.protocol,
        async send(text) {
          await send(socket, text);
          if (socket.isPaused && socket.bufferedAmount <= MAX_BUFFERED_BYTES) socket.resume();
        },
        close: (code, reason = '') => socket.close(code, clipped(reason)),
        onMessage: (onMessage) => {
          handle = onMessage;
        },
      },
      state,
    );
    socket.on('message', (data, isBinary) => this.#receive(state, isBinary ? undefined : (data as Buffer).toString()));
    // The library closes the socket itself: 1009 for what is too big, 1002 and 1007 for broken frames.
    socket.on('error', (error) => logger.debug({ err: error }, 'a GraphQL socket broke'));
    socket.once('close', (code, reason) => {
      if (state.connection) this.#options.connections.closed(state.connection);
      closed(code, reason.toString()).catch((error: unknown) => {
        logger.error({ err: error }, 'a GraphQL socket did not end cleanly');
      });
    });
    return state.end;
  }

  /** Takes a message: `undefined` is a binary one. */
  #receive({ socket, operations }: SocketState, text: string | undefined): void {
    if (text === undefined) {
      socket.close(closeCodes.unsupportedData, 'Binary messages are not understood');
      return;
    }
    if (socket.bufferedAmount > MAX_BUFFERED_BYTES) socket.pause();
    try {
      operations.receive(text);
    } catch {
      socket.close(closeCodes.tryAgainLater, 'Too many messages about one operation');
    }
  }

  #makeProtocol() {
    const begun = (args: ExecutionArgs): Outcome => (args as Begun).outcome;
    return makeServer<Record<string, unknown>, SocketState>({
      connectionInitWaitTimeout: this.#options.connectionInitTimeoutMs,
      onConnect: ({ connectionParams, extra }) => this.#connect(extra, connectionParams),
      onSubscribe: ({ extra }, id, payload) => this.#begin(extra, id, payload),
      execute: begun,
      subscribe: begun,
      onNext: (_context, _id, _payload, _args, { errors, ...result }) =>
        errors &&
        ({ ...result, errors: errors.map((error) => withoutHttp(error).toJSON()) } as FormattedExecutionResult),
    });
  }

  /** Begins an operation here, and not where graphql-ws would, so that a refusal is an `error` message whatever it is. */
  async #begin(
    { socket, operations: own, connection, isDraining }: SocketState,
    id: string,
    payload: OperationRequest,
  ): Promise<Begun | readonly GraphQLError[]> {
    const { operations, maxOperationsPerSocket: most } = this.#options;
    const retry = { retryAfterSeconds: 1 };
    if (isDraining) {
      return [operations.mask(new CarillonError('UNAVAILABLE', 'This server is shutting down. Connect again.', retry))];
    }
    if (own.size > most) {
      const words = `At most ${most} operations may be under way on one socket.`;
      return [operations.mask(new CarillonError('RATE_LIMITED', words, retry))];
    }
    const giveUp = () => socket.close(closeCodes.tryAgainLater, 'slow consumer');
    const prepared = operations.prepare(payload, connection?.caller, 'socket', giveUp);
    if ('errors' in prepared) return prepared.errors.map(withoutHttp);
    if (getOperationAST(prepared.document, prepared.operationName)?.operation === 'subscription') own.streams(id);
    const outcome = await operations.run(prepared);
    return isRefusal(outcome) ? outcome.errors.map(withoutHttp) : { ...prepared, outcome };
  }

  /** `false` closes with 4403 Forbidden. */
  async #connect(state: SocketState, params: Record<string, unknown> | undefined): Promise<boolean> {
    const { socket } = state;
    try {
      const caller = await this.#options.verify(tokenIn(params));
      if (socket.readyState !== socket.OPEN) return false;
      const connection: Connection = { caller, end: state.end };
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
