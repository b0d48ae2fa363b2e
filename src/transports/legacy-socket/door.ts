import type { IncomingMessage } from 'node:http';
import { type WebSocket, WebSocketServer } from 'ws';
import { CarillonError, MASKED_MESSAGE, closeCodes } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import type { Caller } from '../../services/caller.ts';
import type { InboxEvent } from '../../services/inbox-event.ts';
import type { Notifications } from '../../services/notifications.ts';
import { bearerToken } from '../bearer.ts';
import type { Connection, Connections } from '../connections.ts';
import { Heartbeat } from '../heartbeat.ts';
import { send } from '../send.ts';
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

/** Answers of the peer's own messages that may wait to be sent; one that does not read them is a slow consumer too. */
const MAX_BUFFERED_BYTES = 4 * 2 ** 20;

/** Messages of one peer that may wait to be served; a peer that sends faster is told to slow down. */
const MAX_WAITING_MESSAGES = 256;

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
    let socket: WebSocket | undefined;
    const connection: Connection = {
      caller,
      end(reason) {
        if (reason === 'expired') socket?.close(closeCodes.legacyUnauthorized, 'The token has expired');
        else socket?.close(closeCodes.goingAway, 'The server is shutting down');
      },
    };
    this.#options.connections.open(connection);
    // Covers a peer that leaves during the handshake as well: the upgraded socket is the same one.
    rest[0].once('close', () => this.#options.connections.closed(connection));
    this.#sockets.handleUpgrade(request, ...rest, (opened) => {
      socket = opened;
      this.#heartbeat.watch(opened);
      opened.on('error', (error) => this.#options.logger.debug({ err: error }, 'a legacy socket broke'));
      void this.#serve(opened, caller, query.get('since'));
    });
  }

  async #serve(socket: WebSocket, caller: Caller, since: string | null): Promise<void> {
    const welcomed = Promise.withResolvers<void>();
    const serve = this.#serveInOrder(socket, caller, welcomed.promise);
    socket.on('message', (data, isBinary) => {
      if (isBinary) void send(socket, errorMessage(unreadable));
      else serve((data as Buffer).toString());
    });
    let events: AsyncIterableIterator<InboxEvent> | undefined;
    socket.once('close', () => void events?.return?.());
    try {
      events = await this.#welcome(socket, caller, since);
      welcomed.resolve();
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
      refused = new CarillonError('BAD_USER_INPUT', error.message.replace(/^after/, 'since'), { field: 'since' });
      return notifications.changes(caller, { onSlow });
    });
    void send(
      socket,
      serverMessage('welcome', { message: 'Connected to notification service', unread_count: head.unreadCount }),
    );
    if (refused) void send(socket, errorMessage(refused));
    return events;
  }

  /** Serves the peer's messages one after the other, in the order in which they came. */
  #serveInOrder(socket: WebSocket, caller: Caller, ready: Promise<void>): (text: string) => void {
    let last = ready;
    let waiting = 0;
    return (text) => {
      if (waiting >= MAX_WAITING_MESSAGES || socket.bufferedAmount > MAX_BUFFERED_BYTES) {
        socket.close(closeCodes.tryAgainLater, 'slow consumer');
        return;
      }
      waiting += 1;
      last = last.then(async () => {
        await this.#answer(socket, caller, text);
        waiting -= 1;
      });
    };
  }

  async #answer(socket: WebSocket, caller: Caller, text: string): Promise<void> {
    try {
      const message = parseClientMessage(text);
      if (message.type === 'ping') await send(socket, serverMessage('pong', {}));
      else await this.#options.notifications.batchMarkRead(caller, message.notification_ids);
    } catch (error) {
      if (!(error instanceof CarillonError)) this.#options.logger.error({ err: error }, 'a legacy message failed');
      const known =
        error instanceof CarillonError ? error : { code: 'INTERNAL_SERVER_ERROR' as const, message: MASKED_MESSAGE };
      await send(socket, errorMessage(known));
    }
  }

  [Symbol.dispose](): void {
    this.#heartbeat[Symbol.dispose]();
    this.#sockets.close();
  }
}

const unreadable = {
  code: 'BAD_USER_INPUT',
  message: 'Binary messages are not understood: send one JSON object in one text frame.',
} as const;
