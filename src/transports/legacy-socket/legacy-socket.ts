import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { WebSocket } from 'ws';
import { CarillonError, MASKED_MESSAGE, closeCodes } from '../../errors.ts';
import { inLogScope } from '../../logger.ts';
import type { DoorMeter } from '../../metrics/door-meter.ts';
import type { Caller } from '../../services/caller.ts';
import type { EventSink } from '../../services/event-source.ts';
import type { StreamEvent } from '../../services/inbox-event.ts';
import type { InboxListener } from '../../services/inbox-listener.ts';
import { inSpan } from '../../tracing/spans.ts';
import { pointsOfIds } from '../../services/rate-limits.ts';
import type { TypingEvent, TypingListener } from '../../services/typing.ts';
import { type Connection, type EndReason, tokenEnded } from '../connections.ts';
import { hold } from '../hold.ts';
import { MAX_REFUSED, PeerSocket, WEBSOCKET, textFrame } from '../peer-socket.ts';
import { asTenant } from '../../scope.ts';
import { socketScope } from '../request-id.ts';
import type { LegacySocketDoor } from './door.ts';
import { InOrder } from './in-order.ts';
import {
  type ClientMessage,
  type ErrorContent,
  errorMessage,
  eventMessage,
  isTold,
  parseClientMessage,
  serverMessage,
  typingMessage,
} from './messages.ts';

/**
 * Who is typing is told although others may wait to be read, up to this much. Beyond, the peer reads nothing: of events,
 * which wait elsewhere, no more than one is ever here.
 */
const MAX_BUFFERED_BYTES = 2 ** 18;

/** Makes frames, and keeps the last one: an event that goes to many sockets is one frame. */
function framesOf<Event extends object>(messageOf: (event: Event) => string): (event: Event) => Buffer {
  let last: Event | undefined;
  let frame = Buffer.alloc(0) as Buffer;
  return (event) => {
    if (event !== last) {
      frame = textFrame(messageOf(event));
      last = event;
    }
    return frame;
  };
}

const eventFrame = framesOf(eventMessage);
const typingFrame = framesOf(typingMessage);

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
export class LegacySocket extends PeerSocket implements Connection, EventSink<StreamEvent>, TypingListener {
  get door() {
    return 'legacy_ws' as const;
  }

  caller!: Caller;
  address!: string;
  #door!: LegacySocketDoor;
  /** Resolves when the peer has been welcomed, or has gone. */
  #welcomed!: Promise<void>;
  #events: InboxListener | undefined;
  /** Of peers that send anything. */
  #messages: InOrder | undefined;
  #refused = 0;

  get #meter(): DoorMeter {
    return this.#door.options.metrics.doors.legacy_ws;
  }

  /** Begins to serve the peer, which has been let in. */
  serve(door: LegacySocketDoor, stream: Socket, since: string | null): void {
    this.#door = door;
    this.useStream(stream);
    this.on('message', onMessage);
    this.on('error', onError);
    this.on('close', onClose);
    this.#welcomed = this.#within(() => this.#begin(since));
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
    this.#within(() => this.#door.options.logger.debug({ err: error }, 'a legacy socket broke'));
  }

  /** Does the work for the caller, in the log scope of this socket: its events come with neither. */
  #within<T>(work: () => T): T {
    const { tenantId } = this.caller;
    return inLogScope(socketScope(this.door, this.requestId, this.caller), () => asTenant(tenantId, work));
  }

  closed(): void {
    this.#door.closed(this);
    this.#door.options.services.typing.leave(this.caller, this);
    void this.#events?.return();
  }

  receive(text: string | undefined): void {
    this.heard();
    this.#messages ??= new InOrder(this, this.#welcomed);
    this.#messages.add(() => this.#within(() => this.#answer(text)));
  }

  take(event: StreamEvent): boolean {
    if (!isTold(event)) return true;
    if (this.push(event, eventFrame(event), this.#meter)) return true;
    this.afterDrain(() => this.#events?.pipe(this));
    return false;
  }

  heardTyping(event: TypingEvent): void {
    // Nothing comes before the welcome.
    if (!this.#events) return;
    if (this.bufferedAmount <= MAX_BUFFERED_BYTES) {
      this.push(event, typingFrame(event), this.#meter);
      return;
    }
    this.#door.options.services.typing.leave(this.caller, this);
    this.#giveUp();
  }

  #giveUp(): void {
    this.#meter.gaveUp();
    this.close(closeCodes.tryAgainLater, 'slow consumer');
  }

  ended(error: Error | undefined): void {
    if (error === undefined) return;
    if (error instanceof CarillonError) {
      this.close(closeCodes.tryAgainLater, error.message);
    } else {
      this.#within(() => this.#door.options.logger.error({ err: error }, 'a legacy socket failed'));
      this.close(closeCodes.internalError, 'internal error');
    }
  }

  /** Welcomes the peer, and tells it every event from then on. A cursor of no use is told, never passed over. */
  async #begin(since: string | null): Promise<void> {
    const { notifications, typing } = this.#door.options.services;
    const onSlow = (): void => this.#giveUp();
    let refused: CarillonError | undefined;
    try {
      const hearing = typing.join(this.caller, this).then(
        () => undefined,
        (error: unknown) => error,
      );
      const events = await notifications.changes(this.caller, { after: since, onSlow }).catch((error: unknown) => {
        if (!(error instanceof CarillonError) || error.code !== 'BAD_USER_INPUT') throw error;
        refused = error;
        return notifications.changes(this.caller, { onSlow });
      });
      const deafness = await hearing;
      // Whoever left before the listener was there closed before it could be ended.
      if (deafness !== undefined || this.readyState !== this.OPEN) {
        await events.return();
        if (deafness !== undefined) throw deafness;
        return;
      }
      this.#events = events;
      this.writeText(
        serverMessage('welcome', {
          message: 'Connected to notification service',
          unread_count: events.head.unreadCount,
        }),
      );
      if (refused) this.writeText(errorMessage(spelled(refused)));
      events.pipe(this);
    } catch (error) {
      this.ended(error as Error);
    }
  }

  /** Serves a message: `undefined` is a binary one. Never rejects. */
  async #answer(text: string | undefined): Promise<void> {
    const { logger, tracing } = this.#door.options;
    try {
      this.#spend(1);
      const message = parseClientMessage(text);
      const span = message.type === 'ping' ? undefined : tracing.begin(`legacy_ws ${message.type}`, WEBSOCKET);
      await inSpan(span, () => this.#serve(message));
    } catch (error) {
      if (!(error instanceof CarillonError)) logger.error({ err: error }, 'a legacy message failed');
      const known =
        error instanceof CarillonError
          ? spelled(error)
          : { code: 'INTERNAL_SERVER_ERROR' as const, message: MASKED_MESSAGE };
      await hold(error);
      await this.#write(errorMessage(known));
    }
  }

  /** @throws CarillonError RATE_LIMITED. A peer that does not mind being refused is told to go. */
  #spend(points: number): void {
    try {
      this.#door.options.rateLimits.spend(this.caller, points, 'legacy_ws');
      this.#refused = 0;
    } catch (error) {
      this.#refused += 1;
      if (this.#refused > MAX_REFUSED) this.close(closeCodes.tryAgainLater, 'too many requests');
      throw error;
    }
  }

  async #serve(message: ClientMessage): Promise<void> {
    const { services, rateLimits } = this.#door.options;
    const { notifications, typing } = services;
    switch (message.type) {
      case 'ping':
        return this.#write(serverMessage('pong', {}));
      case 'mark_read': {
        const points = pointsOfIds(message.notification_ids.length);
        if (points > 1) this.#spend(points - 1);
        await rateLimits.serve(this.caller, () => notifications.batchMarkRead(this.caller, message.notification_ids));
        return;
      }
      case 'typing': {
        const { to, conversation_id: conversation, typing: isTyping } = message;
        await rateLimits.serve(this.caller, () => typing.set(this.caller, { to, conversation, typing: isTyping }));
      }
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

/** Fields that have another name on this door. */
const fieldNames: Readonly<Record<string, string>> = {
  after: 'since',
  ids: 'notification_ids',
  conversation: 'conversation_id',
};

/** The refusal of a field in this door's spelling of it: such messages begin with the field's name. */
function spelled({ code, message, field = '', retryAfterSeconds }: CarillonError): ErrorContent {
  const name = fieldNames[field];
  const words = name && message.startsWith(`${field} `) ? name + message.slice(field.length) : message;
  return { code, message: words, retryAfterSeconds };
}
