import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { WebSocket } from 'ws';
import { CarillonError, MASKED_MESSAGE, closeCodes } from '../../errors.ts';
import type { Caller } from '../../services/caller.ts';
import type { StreamEvent } from '../../services/inbox-event.ts';
import type { EventSink, InboxListener } from '../../services/inbox-listener.ts';
import { type Connection, type EndReason, tokenEnded } from '../connections.ts';
import { PeerSocket, textFrame } from '../peer-socket.ts';
import type { LegacySocketDoor } from './door.ts';
import { InOrder } from './in-order.ts';
import { errorMessage, eventMessage, parseClientMessage, serverMessage } from './messages.ts';

/** The last event that was told, and its frame: an event that goes to many sockets is one frame. */
const last: { event: StreamEvent | undefined; frame: Buffer } = { event: undefined, frame: Buffer.alloc(0) };

function eventFrame(event: StreamEvent): Buffer {
  if (event !== last.event) {
    last.frame = textFrame(eventMessage(event));
    last.event = event;
  }
  return last.frame;
}

function onMessage(this: WebSocket, data: Buffer, isBinary: boolean): void {
  (this as LegacySocket).receive(isBinary ? undefined : data.toString());
}
function onError(this: WebSocket, error: Error): void {
  (this as LegacySocket).broke(error);
}
function onClose(this: WebSocket): void {
  (this as LegacySocket).closed();
}

/** One peer of the raw WebSocket. */
export class LegacySocket extends PeerSocket implements Connection, EventSink {
  caller!: Caller;
  #door!: LegacySocketDoor;
  /** Resolves when the peer has been welcomed, or has gone. */
  #welcomed!: Promise<void>;
  #events: InboxListener | undefined;
  /** Of peers that send anything. */
  #messages: InOrder | undefined;

  /** Begins to serve the peer, which has been let in. */
  serve(door: LegacySocketDoor, stream: Socket, since: string | null): void {
    this.#door = door;
    this.useStream(stream);
    this.on('message', onMessage);
    this.on('error', onError);
    this.on('close', onClose);
    this.#welcomed = this.#begin(since);
  }

  end(reason: EndReason): void {
    if (reason === 'draining') void this.#leave();
    else this.close(closeCodes.legacyUnauthorized, tokenEnded[reason]);
  }

  async #leave(): Promise<void> {
    this.#messages ??= new InOrder(this, this.#welcomed);
    await this.#messages.end();
    // What they changed is being told in this turn.
    await nextTurn();
    this.close(closeCodes.goingAway, 'The server is shutting down');
  }

  broke(error: Error): void {
    this.#door.options.logger.debug({ err: error }, 'a legacy socket broke');
  }

  closed(): void {
    this.#door.closed(this);
    void this.#events?.return();
  }

  receive(text: string | undefined): void {
    this.heard();
    this.#messages ??= new InOrder(this, this.#welcomed);
    this.#messages.add(() => this.#answer(text));
  }

  take(event: StreamEvent): boolean {
    if (this.writeFrame(eventFrame(event))) return true;
    this.afterDrain(() => this.#events?.pipe(this));
    return false;
  }

  ended(error: Error | undefined): void {
    if (error === undefined) return;
    if (error instanceof CarillonError) {
      this.close(closeCodes.tryAgainLater, error.message);
    } else {
      this.#door.options.logger.error({ err: error }, 'a legacy socket failed');
      this.close(closeCodes.internalError, 'internal error');
    }
  }

  /** Welcomes the peer, and tells it every event from then on. A cursor of no use is told, never passed over. */
  async #begin(since: string | null): Promise<void> {
    const { notifications } = this.#door.options;
    const onSlow = (): void => this.close(closeCodes.tryAgainLater, 'slow consumer');
    let refused: CarillonError | undefined;
    try {
      const events = await notifications.changes(this.caller, { after: since, onSlow }).catch((error: unknown) => {
        if (!(error instanceof CarillonError) || error.code !== 'BAD_USER_INPUT') throw error;
        refused = error;
        return notifications.changes(this.caller, { onSlow });
      });
      // Whoever left before the listener was there closed before it could be ended.
      if (this.readyState !== this.OPEN) {
        await events.return();
        return;
      }
      this.#events = events;
      this.writeText(
        serverMessage('welcome', {
          message: 'Connected to notification service',
          unread_count: events.head.unreadCount,
        }),
      );
      if (refused) this.writeText(errorMessage(renamed(refused, 'after', 'since')));
      events.pipe(this);
    } catch (error) {
      this.ended(error as Error);
    }
  }

  /** Serves a message: `undefined` is a binary one. Never rejects. */
  async #answer(text: string | undefined): Promise<void> {
    const { notifications, logger } = this.#door.options;
    try {
      const message = parseClientMessage(text);
      if (message.type === 'ping') await this.#write(serverMessage('pong', {}));
      else await notifications.batchMarkRead(this.caller, message.notification_ids);
    } catch (error) {
      if (!(error instanceof CarillonError)) logger.error({ err: error }, 'a legacy message failed');
      const known =
        error instanceof CarillonError
          ? renamed(error, 'ids', 'notification_ids')
          : { code: 'INTERNAL_SERVER_ERROR' as const, message: MASKED_MESSAGE };
      await this.#write(errorMessage(known));
    }
  }

  /** Resolves when the peer may be sent more, or has gone, so that it is served no faster than it reads. */
  #write(text: string): Promise<void> {
    return new Promise((resolve) => {
      if (this.writeText(text)) return resolve();
      this.once('close', resolve);
      this.afterDrain(() => {
        this.off('close', resolve);
        resolve();
      });
    });
  }
}

/** The refusal of a field in this door's spelling of it: such messages begin with the field's name. */
const renamed = ({ code, message, field }: CarillonError, from: string, to: string) => ({
  code,
  message: field === from && message.startsWith(`${from} `) ? to + message.slice(from.length) : message,
});
