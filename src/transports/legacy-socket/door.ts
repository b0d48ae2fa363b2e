import type { IncomingMessage } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type WebSocket, WebSocketServer } from 'ws';
import { CarillonError, MASKED_MESSAGE, closeCodes } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import type { Caller } from '../../services/caller.ts';
import type { StreamEvent } from '../../services/inbox-event.ts';
import type { Notifications } from '../../services/notifications.ts';
import { bearerToken } from '../bearer.ts';
import { type Connection, type Connections, type EndReason, tokenEnded } from '../connections.ts';
import { Heartbeat } from '../heartbeat.ts';
import { send } from '../send.ts';
import { InOrder } from './in-order.ts';
import { errorMessage, eventMessage, parseClientMessage, serverMessage } from './messages.ts';

export interface LegacySocketOptions {
  notifications: Notifications;
  connections: Connections;
  verify: (token: string | undefined) => Promise<Caller>;
  logger: Logger;
  maxFrameBytes: number;
  pingIntervalMs: number;
  idleTimeoutMs: number;
}

/** The raw WebSocket of the old module; see PROTOCOL.md. */
export class LegacySocketDoor implements Disposable {
  readonly #options: LegacySocketOptions;
  readonly #heartbeat: Heartbeat;
  readonly #sockets: WebSocketServer;

  constructor(options: LegacySocketOptions) {
    this.#options = options;
    this.#heartbeat = new Heartbeat(options);
    this.#sockets = new WebSocketServer({
      noServer: true,
      maxPayload: options.maxFrameBytes,
      perMessageDeflate: false,
      clientTracking: false,
    });
  }

  /**
   * Takes over an upgrade request whose path and origin have been checked.
   *
   * @throws CarillonError before the upgrade: UNAUTHENTICATED, RATE_LIMITED, UNAVAILABLE.
   */
  async upgrade(request: IncomingMessage, ...rest: [socket: IncomingMessage['socket'], head: Buffer]): Promise<void> {
    const query = new URL(request.url ?? '/', 'http://localhost').searchParams;
    const caller = await this.#options.verify(query.get('token') ?? bearerToken(request.headers.authorization));
    let end = (_reason: EndReason): void => {};
    const connection: Connection = { caller, end: (reason) => end(reason) };
    this.#options.connections.open(connection);
    // Covers a peer that leaves during the handshake as well: the upgraded socket is the same one.
    rest[0].once('close', () => this.#options.connections.closed(connection));
    this.#sockets.handleUpgrade(request, ...rest, (socket) => {
      this.#heartbeat.watch(socket);
      socket.on('error', (error) => this.#options.logger.debug({ err: error }, 'a legacy socket broke'));
      end = this.#serve(socket, caller, query.get('since'));
    });
  }

  /** Begins to serve a socket. Answers with what ends it. */
  #serve(socket: WebSocket, caller: Caller, since: string | null): Connection['end'] {
    const welcomed = Promise.withResolvers<void>();
    const messages = new InOrder(socket, welcomed.promise);
    socket.on('message', (data, isBinary) => {
      messages.add(() => this.#answer(socket, caller, isBinary ? undefined : (data as Buffer).toString()));
    });
    socket.once('close', welcomed.resolve);
    void this.#tell(socket, caller, since, welcomed.resolve);
    return (reason) => {
      if (reason === 'draining') void this.#leave(socket, messages);
      else socket.close(closeCodes.legacyUnauthorized, tokenEnded[reason]);
    };
  }

  async #leave(socket: WebSocket, messages: InOrder): Promise<void> {
    await messages.end();
    // What they changed is being told in this turn.
    await nextTurn();
    socket.close(closeCodes.goingAway, 'The server is shutting down');
  }

  /** Welcomes the peer and tells it every event until it leaves. */
  async #tell(socket: WebSocket, caller: Caller, since: string | null, welcomed: () => void): Promise<void> {
    let events: AsyncIterableIterator<StreamEvent> | undefined;
    socket.once('close', () => void events?.return?.());
    try {
      events = await this.#welcome(socket, caller, since);
      welcomed();
      // Whoever left before the listener was there closed before it could be ended.
      if (socket.readyState !== socket.OPEN) await events.return?.();
      for await (const event of events) await send(socket, eventMessage(event));
    } catch (error) {
      if (error instanceof CarillonError) {
        socket.close(closeCodes.tryAgainLater, error.message);
      } else {
        this.#options.logger.error({ err: error }, 'a legacy socket failed');
        socket.close(closeCodes.internalError, 'internal error');
      }
    }
  }

  /** Sends the welcome, and answers with what is to follow it. A cursor of no use is told, never passed over. */
  async #welcome(socket: WebSocket, caller: Caller, since: string | null) {
    const { notifications } = this.#options;
    const onSlow = () => socket.close(closeCodes.tryAgainLater, 'slow consumer');
    let refused: CarillonError | undefined;
    const { head, events } = await notifications.changes(caller, { after: since, onSlow }).catch((error: unknown) => {
      if (!(error instanceof CarillonError) || error.code !== 'BAD_USER_INPUT') throw error;
      refused = error;
      return notifications.changes(caller, { onSlow });
    });
    void send(
      socket,
      serverMessage('welcome', { message: 'Connected to notification service', unread_count: head.unreadCount }),
    );
    if (refused) void send(socket, errorMessage(renamed(refused, 'after', 'since')));
    return events;
  }

  /** Serves a message: `undefined` is a binary one. Never rejects. */
  async #answer(socket: WebSocket, caller: Caller, text: string | undefined): Promise<void> {
    try {
      const message = parseClientMessage(text);
      if (message.type === 'ping') await send(socket, serverMessage('pong', {}));
      else await this.#options.notifications.batchMarkRead(caller, message.notification_ids);
    } catch (error) {
      if (!(error instanceof CarillonError)) this.#options.logger.error({ err: error }, 'a legacy message failed');
      const known =
        error instanceof CarillonError
          ? renamed(error, 'ids', 'notification_ids')
          : { code: 'INTERNAL_SERVER_ERROR' as const, message: MASKED_MESSAGE };
      await send(socket, errorMessage(known));
    }
  }

  [Symbol.dispose](): void {
    this.#heartbeat[Symbol.dispose]();
    this.#sockets.close();
  }
}

/** The refusal of a field in this door's spelling of it: such messages begin with the field's name. */
const renamed = ({ code, message, field }: CarillonError, from: string, to: string) => ({
  code,
  message: field === from && message.startsWith(`${from} `) ? to + message.slice(from.length) : message,
});
