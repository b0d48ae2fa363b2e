import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { CloseCode, GRAPHQL_TRANSPORT_WS_PROTOCOL, type Message, MessageType, parseMessage } from 'graphql-ws';
import type { GraphQLError } from 'graphql';
import { CarillonError, closeCodes, shuttingDown } from '../../errors.ts';
import { inLogScope } from '../../logger.ts';
import type { DoorMeter } from '../../metrics/door-meter.ts';
import type { Caller } from '../../services/caller.ts';
import { POINTS_OF_BAD_TOKEN, POINTS_OF_SOCKET, TRIFLE, pointsOfBytes } from '../../services/rate-limits.ts';
import { inSpan } from '../../tracing/spans.ts';
import { bearerToken } from '../bearer.ts';
import { type Connection, type EndReason, tokenEnded } from '../connections.ts';
import { MAX_REFUSED, PeerSocket, WEBSOCKET, clipped } from '../peer-socket.ts';
import { hasMoreValues } from '../json-text.ts';
import { identify, socketScope } from '../request-id.ts';
import { withoutHttp } from './errors.ts';
import type { OperationRequest } from './operations.ts';
import { SocketOperation } from './socket-operation.ts';
import type { GraphQLSocketDoor } from './websocket.ts';

/** Answers may wait to be sent up to this much before the peer is read no further, and so has to read them first. */
const MAX_BUFFERED_BYTES = 4 * 2 ** 20;

/** The token in `connectionParams`: as a header's value would be, or bare under `token`. */
function tokenIn(params: Record<string, unknown> | undefined): string | undefined {
  const { authorization, Authorization, token } = params ?? {};
  const header = bearerToken(authorization ?? Authorization);
  return header ?? (typeof token === 'string' ? bearerToken(token) || token : undefined);
}

function onMessage(this: WebSocket, data: Buffer, isBinary: boolean): void {
  (this as GraphQLSocket).receive(data, isBinary);
}
function onError(this: WebSocket, error: Error): void {
  (this as GraphQLSocket).broke(error);
}
function onClose(this: WebSocket): void {
  (this as GraphQLSocket).closed();
}

/**
 * One peer of graphql-transport-ws: the protocol of graphql-ws on a socket of our own, because there the events of each
 * operation go through a chain of iterators of its own, and every one is executed and written as JSON for itself.
 */
export class GraphQLSocket extends PeerSocket {
  get door() {
    return 'graphql_ws' as const;
  }

  get meter(): DoorMeter {
    return this.#door.options.metrics.doors.graphql_ws;
  }

  /** Who it is, once its connection_init has been accepted. */
  caller: Caller | undefined;
  address!: string;
  #door!: GraphQLSocketDoor;
  #isIntroduced = false;
  /** The server is draining: what is under way is answered, and nothing new begins. */
  #isDraining = false;
  /** By id; those that the client has completed are not there, even if they still run. */
  #operations: Map<string, SocketOperation> | undefined;
  #underWay = 0;
  /** Those under way that end by themselves. */
  #finite = 0;
  /** Operations that were refused for their number, since one was not. */
  #refused = 0;
  /** The trace that its operations continue, if its connection_init named one. */
  #traceparent: string | undefined;

  /** Begins to serve the peer. */
  serve(door: GraphQLSocketDoor, stream: Socket): void {
    this.#door = door;
    this.useStream(stream);
    this.on('message', onMessage);
    // The library closes the socket itself: 1009 for what is too big, 1002 and 1007 for broken frames.
    this.on('error', onError);
    this.on('close', onClose);
    if (this.protocol !== GRAPHQL_TRANSPORT_WS_PROTOCOL) {
      this.close(CloseCode.SubprotocolNotAcceptable, 'Subprotocol not acceptable');
    }
  }

  /** Of whoever it is: nobody has operations before that. */
  get tenantId(): string {
    return (this.caller as Caller).tenantId;
  }

  isConnection(): this is Connection {
    return this.caller !== undefined;
  }

  /** Tells the peer why, and closes; when draining, after what is under way has been answered. */
  end(reason: EndReason): void {
    if (reason !== 'draining') {
      this.close(closeCodes.graphqlForbidden, `Forbidden: ${tokenEnded[reason]}`);
      return;
    }
    this.#isDraining = true;
    this.#leaveWhenAnswered();
  }

  broke(error: Error): void {
    this.#within(() => this.#door.options.logger.debug({ err: error }, 'a GraphQL socket broke'));
  }

  closed(): void {
    this.#door.closed(this);
    for (const operation of this.#operations?.values() ?? []) operation.stop();
    this.#operations = undefined;
  }

  receive(data: Buffer, isBinary: boolean): void {
    this.heard();
    // A peer that is told to go may still be sending; nothing of that is served.
    if (this.readyState !== this.OPEN) return;
    if (isBinary) {
      this.close(closeCodes.unsupportedData, 'Binary messages are not understood');
      return;
    }
    if (this.bufferedAmount > MAX_BUFFERED_BYTES) {
      this.pause();
      this.afterDrain(() => this.resume());
    }
    if (!this.#pay(pointsOfBytes(data.length))) return;
    if (hasMoreValues(data, this.#door.options.maxMessageValues)) {
      this.close(closeCodes.messageTooBig, 'The message has too many values');
      return;
    }
    let message: Message;
    try {
      message = parseMessage(data.toString());
    } catch {
      this.close(CloseCode.BadRequest, 'Invalid message received');
      return;
    }
    switch (message.type) {
      case MessageType.ConnectionInit:
        void this.#within(() => this.#introduce(message.payload));
        return;
      case MessageType.Ping:
        if (this.#pay(TRIFLE)) this.#answerPing(message.payload);
        return;
      case MessageType.Pong:
        return;
      case MessageType.Subscribe:
        this.#within(() => this.#begin(message.id, message.payload));
        return;
      case MessageType.Complete:
        this.#operations?.get(message.id)?.stop();
        this.#operations?.delete(message.id);
        return;
      default:
        this.close(CloseCode.BadRequest, 'Invalid message received');
    }
  }

  /** Does the work in the log scope of this socket: its events come with none. */
  #within<T>(work: () => T): T {
    return inLogScope(socketScope(this.door, this.requestId, this.caller), work);
  }

  /** Counts what is no operation; a peer for which that is too much is told to go. */
  #pay(points: number): boolean {
    const { rateLimits } = this.#door.options;
    try {
      if (this.caller) rateLimits.spend(this.caller, points, this.door);
      else rateLimits.spendOfAddress(this.address, this.door, points);
      return true;
    } catch (error) {
      this.close(closeCodes.tryAgainLater, clipped((error as CarillonError).message));
      return false;
    }
  }

  /** A payload goes back as it came; one that is nested beyond the stack cannot be written, and is refused. */
  #answerPing(payload: Record<string, unknown> | undefined): void {
    let pong: string;
    try {
      pong = JSON.stringify({ type: MessageType.Pong, payload });
    } catch {
      this.close(CloseCode.BadRequest, 'Invalid message received');
      return;
    }
    this.writeText(pong);
  }

  async #introduce(params: Record<string, unknown> | undefined): Promise<void> {
    if (this.#isIntroduced) {
      this.close(CloseCode.TooManyInitialisationRequests, 'Too many initialisation requests');
      return;
    }
    this.#isIntroduced = true;
    this.#door.introduced(this);
    const { verify, connections, rateLimits, tracing, logger } = this.#door.options;
    try {
      const caller = await verify(tokenIn(params));
      identify(caller);
      if (this.readyState !== this.OPEN) return;
      connections.check(caller, this.door);
      rateLimits.spend(caller, POINTS_OF_SOCKET, this.door);
      rateLimits.refundAddress(this.address, POINTS_OF_SOCKET);
      this.caller = caller;
      if (tracing.isOn && typeof params?.['traceparent'] === 'string') this.#traceparent = params['traceparent'];
      connections.open(this as this & Connection);
      this.writeText('{"type":"connection_ack"}');
    } catch (error) {
      if (!(error instanceof CarillonError)) {
        logger.error({ err: error }, 'a connection_init failed');
        this.close(closeCodes.internalError, 'Internal server error');
      } else if (error.code === 'UNAUTHENTICATED') {
        rateLimits.chargeOfAddress(this.address, POINTS_OF_BAD_TOKEN);
        this.close(CloseCode.Forbidden, 'Forbidden');
      } else this.close(closeCodes.tryAgainLater, clipped(error.message));
    }
  }

  #begin(id: string, request: OperationRequest): void {
    const { operations, tracing, maxOperationsPerSocket: most } = this.#door.options;
    if (!this.caller) {
      this.close(CloseCode.Unauthorized, 'Unauthorized');
      return;
    }
    if (this.#operations?.has(id)) {
      this.close(CloseCode.SubscriberAlreadyExists, clipped(`Subscriber for ${id} already exists`));
      return;
    }
    if (this.#isDraining) {
      this.refuse(id, [operations.mask(shuttingDown())]);
      return;
    }
    if (this.#underWay >= most) {
      const words = `At most ${most} operations may be under way on one socket.`;
      this.#refuseMore(id, words);
      return;
    }
    const giveUp = (): void => {
      this.meter.gaveUp();
      this.close(closeCodes.tryAgainLater, 'slow consumer');
    };
    const prepared = operations.prepare(request, { caller: this.caller }, 'socket', giveUp);
    if ('errors' in prepared) {
      this.holdOff(prepared.cause?.holdMs ?? 0);
      this.refuse(id, prepared.errors);
      this.#countRefusal(prepared.errors);
      return;
    }
    const operation = new SocketOperation(this, id, prepared);
    if (!operation.isFinite && !this.#door.admit(this.caller)) {
      this.#refuseMore(id, `At most ${this.#door.mostPerUser} subscriptions of one user may be under way.`);
      return;
    }
    this.#refused = 0;
    this.#operations ??= new Map();
    this.#operations.set(id, operation);
    this.#underWay += 1;
    if (operation.isFinite) this.#finite += 1;
    const span = tracing.begin('graphql_ws subscribe', { ...WEBSOCKET, traceparent: this.#traceparent });
    void inSpan(span, () => operation.run(operations));
  }

  #refuseMore(id: string, words: string): void {
    const { operations } = this.#door.options;
    const errors = [operations.mask(new CarillonError('RATE_LIMITED', words, { retryAfterSeconds: 1 }))];
    this.refuse(id, errors);
    this.#countRefusal(errors);
  }

  /** A peer that does not mind being refused is told to go. */
  #countRefusal(errors: readonly GraphQLError[]): void {
    if (errors[0]?.extensions['code'] !== 'RATE_LIMITED') return;
    this.#refused += 1;
    if (this.#refused > MAX_REFUSED) this.close(closeCodes.tryAgainLater, 'too many requests');
  }

  /** Called by an operation that is over, once; it may have been stopped before. */
  over(operation: SocketOperation): void {
    this.#underWay -= 1;
    if (this.#operations?.get(operation.id) === operation) this.#operations.delete(operation.id);
    if (!operation.isFinite) {
      this.#door.left(this.caller as Caller);
      return;
    }
    this.#finite -= 1;
    if (this.#isDraining) this.#leaveWhenAnswered();
  }

  /** Tells that an operation was not begun, or is over, because of errors; others go on. */
  refuse(id: string, errors: readonly GraphQLError[]): void {
    this.writeText(JSON.stringify({ id, type: MessageType.Error, payload: errors.map(withoutHttp) }));
  }

  #leaveWhenAnswered(): void {
    if (this.#finite === 0) this.close(closeCodes.goingAway, 'The server is shutting down');
  }
}
