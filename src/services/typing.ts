import { LRUCache } from 'lru-cache';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { z } from 'zod';
import type { Config } from '../config.ts';
import { CarillonError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { Topics } from '../pubsub/topics.ts';
import { mustBeInScope } from '../scope.ts';
import { type Caller, type InboxAddress, inboxKey } from './caller.ts';
import type { EventSource } from './event-source.ts';
import { LiveQueue } from './live-queue.ts';
import { check, idRule } from './notification-rules.ts';
import { Room, Rooms } from './rooms.ts';
import { type TypingEvent, fromMessage, toMessage, typingTopic } from './typing-event.ts';

export type { TypingEvent } from './typing-event.ts';

/** Who hears of all that is typed to one user. */
export interface TypingListener {
  /** Must not throw. */
  heardTyping(event: TypingEvent): void;
}

export interface TypingInput {
  /** The user who is told. */
  to: string;
  conversation: string;
  typing: boolean;
}

export interface TypingOptions {
  config: Pick<Config, 'maxWaitingEvents' | 'rateLimits'>;
  topics: Topics;
  logger: Logger;
}

/** The same state again within this time is not told again. */
const REPEAT_MS = 2000;

/** States that are remembered for that; beyond, the oldest are told again. */
const MAX_REMEMBERED = 4096;

/** Changes that one user may tell within so many seconds, in this process. */
const CHANGES = 20;
const CHANGES_SECONDS = 10;

/** Somebody who types says so again before this; after it they are taken to have stopped. */
const EXPIRY_MS = 6000;
const EXPIRY_TICK_MS = 250;

/** People who type at one time, as this process knows them; beyond, the oldest are taken to have stopped. */
const MAX_TYPING = 10_000;

const inputRule = z.object({
  to: idRule('The user who is told.'),
  conversation: idRule('Where.'),
  typing: z.boolean(),
});

interface Typist {
  readonly room: Room<TypingListener>;
  readonly event: TypingEvent;
  readonly expiresAtMs: number;
}

/**
 * Who is typing to whom. Nothing of it is stored: it goes by topics alone, one for each user who is told, and so never
 * beyond the tenant. Who has not been heard of for six seconds is taken to have stopped, and listeners are told so once.
 */
export class Typing implements AsyncDisposable {
  readonly #options: TypingOptions;
  readonly #rooms: Rooms<TypingListener, Room<TypingListener>>;
  readonly #told = new LRUCache<string, boolean>({ max: MAX_REMEMBERED, ttl: REPEAT_MS });
  readonly #changes = new RateLimiterMemory({ points: CHANGES, duration: CHANGES_SECONDS });
  /** The one who will expire first comes first. */
  readonly #typists = new Map<string, Typist>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: TypingOptions) {
    this.#options = options;
    const { topics, logger } = options;
    this.#rooms = new Rooms({ topics, logger, onMessage: (room, message) => this.#onMessage(room, message) });
  }

  /** Users that somebody here listens for. */
  get listenedTo(): number {
    return this.#rooms.size;
  }

  /**
   * Tells a user of the caller's tenant that the caller types in a conversation, or has stopped. What was told within
   * two seconds is not told again.
   *
   * @throws CarillonError BAD_USER_INPUT with the field; RATE_LIMITED after twenty changes within ten seconds.
   */
  async set(caller: Caller, input: TypingInput): Promise<void> {
    const { to, conversation, typing } = check(inputRule, input);
    const { tenantId, userId } = caller;
    mustBeInScope(tenantId);
    const key = JSON.stringify([tenantId, userId, to, conversation]);
    if (this.#told.get(key) === typing) return;
    // Before anything is awaited: the same may come again in this very turn.
    this.#told.set(key, typing);
    try {
      await this.#consume(caller);
    } catch (error) {
      this.#told.delete(key);
      throw error;
    }
    const event = { userId, conversation, typing, at: new Date() };
    this.#options.topics.publish(typingTopic({ tenantId, userId: to }), toMessage(event));
  }

  /**
   * What is typed to the caller in one conversation, from the moment on in which this resolves.
   *
   * @throws CarillonError BAD_USER_INPUT. The source ends with SlowConsumerError when too many wait.
   */
  async listen(
    caller: Caller,
    conversation: string,
    { onSlow }: { onSlow?: (() => void) | undefined } = {},
  ): Promise<EventSource<TypingEvent>> {
    check(inputRule.shape.conversation, conversation, 'conversation');
    const listener: TypingListener = {
      heardTyping: (event) => {
        if (event.conversation === conversation) queue.push(event);
      },
    };
    const queue = new LiveQueue<TypingEvent>({
      maxWaiting: this.#options.config.maxWaitingEvents,
      onSlow,
      onEnd: () => this.leave(caller, listener),
    });
    try {
      await this.join(caller, listener);
      return queue;
    } catch (error) {
      await queue.return();
      throw error;
    }
  }

  /** Lets a listener hear all that is typed to the user, from the moment on in which this resolves, until it leaves. */
  async join(user: InboxAddress, listener: TypingListener): Promise<void> {
    mustBeInScope(user.tenantId);
    await this.#rooms.join(typingTopic(user), listener, (topic) => new Room(topic)).standing;
  }

  /** Ends what `join` began; it need not have resolved. Once is enough, more does no harm. */
  leave(user: InboxAddress, listener: TypingListener): void {
    this.#rooms.leave(typingTopic(user), listener);
  }

  async #consume(caller: Caller): Promise<void> {
    if (this.#options.config.rateLimits === 'off') return;
    try {
      await this.#changes.consume(inboxKey(caller));
    } catch (error) {
      if (!(error instanceof RateLimiterRes)) throw error;
      throw new CarillonError('RATE_LIMITED', `At most ${CHANGES} changes within ${CHANGES_SECONDS} s are told.`, {
        retryAfterSeconds: Math.max(1, Math.ceil(error.msBeforeNext / 1000)),
      });
    }
  }

  #onMessage(room: Room<TypingListener>, message: unknown): void {
    const event = fromMessage(message);
    if (!event) {
      this.#options.logger.warn('a message that tells of nobody typing came by a topic for it; ignored');
      return;
    }
    const key = JSON.stringify([room.topic, event.userId, event.conversation]);
    // Anew: whoever comes last expires last.
    this.#typists.delete(key);
    if (event.typing) {
      this.#typists.set(key, { room, event, expiresAtMs: performance.now() + EXPIRY_MS });
      this.#timer ??= setInterval(() => this.#expire(), EXPIRY_TICK_MS).unref();
    }
    tell(room, event);
    if (this.#typists.size > MAX_TYPING) this.#expireFirst();
  }

  #expire(): void {
    const now = performance.now();
    for (const { expiresAtMs } of this.#typists.values()) {
      if (expiresAtMs > now) break;
      this.#expireFirst();
    }
    if (this.#typists.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #expireFirst(): void {
    for (const [key, { room, event }] of this.#typists) {
      this.#typists.delete(key);
      tell(room, { ...event, typing: false, at: new Date() });
      return;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#typists.clear();
    await this.#rooms[Symbol.asyncDispose]();
  }
}

function tell({ listeners }: Room<TypingListener>, event: TypingEvent): void {
  for (const listener of listeners) listener.heardTyping(event);
}
