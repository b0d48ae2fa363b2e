import { z } from 'zod';
import type { CarillonError } from '../../errors.ts';
import { badInput } from '../../errors.ts';
import type { ResetReason, StreamEvent } from '../../services/inbox-event.ts';
import type { Notification } from '../../services/notification.ts';
import type { TypingEvent } from '../../services/typing.ts';

/** A notification in a push: the fields that the old module pushed, and the cursor to come back with. */
export interface LegacyPushed {
  id: string;
  type: string;
  title: string;
  content: string;
  priority: string;
  link: string;
  data: unknown;
  is_read: boolean;
  created_at: string;
  cursor: string;
}

/** Every message that the server sends, by its `type`; each also carries `timestamp`, RFC 3339 UTC. */
export interface ServerMessages {
  welcome: { message: string; unread_count: number };
  notification: { notification: LegacyPushed; unread_count: number };
  read: { notification_ids: readonly string[]; unread_count: number };
  unread: { notification_ids: readonly string[]; unread_count: number };
  deleted: { notification_ids: readonly string[]; unread_count: number };
  recalled: { notification_ids: readonly string[]; unread_count: number };
  typing: { user_id: string; conversation_id: string; typing: boolean };
  pong: Record<never, never>;
  error: { code: string; message: string; retry_after?: number };
}

/** Every message that the server understands. */
const clientMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ping') }),
  z.object({ type: z.literal('mark_read'), notification_ids: z.array(z.string()) }),
  z.object({ type: z.literal('typing'), to: z.string(), conversation_id: z.string(), typing: z.boolean() }),
]);

export type ClientMessage = z.infer<typeof clientMessage>;

export function serverMessage<T extends keyof ServerMessages>(type: T, body: ServerMessages[T]): string {
  return JSON.stringify({ type, ...body, timestamp: new Date().toISOString() });
}

/**
 * Reads a text message; `undefined` stands for a binary one.
 *
 * @throws CarillonError BAD_USER_INPUT that says what is wrong with the message.
 */
export function parseClientMessage(text: string | undefined): ClientMessage {
  if (text === undefined) throw badInput('message', 'A binary message: send one JSON object in one text frame.');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw badInput('message', 'The message is not JSON.');
  }
  const result = clientMessage.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const field = issue?.path[0]?.toString() ?? 'message';
  if (field === 'type') throw badInput('type', 'type must be "ping" or "mark_read" or "typing".');
  if (field === 'notification_ids') throw badInput(field, 'notification_ids must be a list of ids.');
  if (field === 'to' || field === 'conversation_id') throw badInput(field, `${field} must be text.`);
  if (field === 'typing') throw badInput(field, 'typing must be true or false.');
  throw badInput(field, 'The message must be a JSON object with a type.');
}

const toPushed = (notification: Notification): LegacyPushed => ({
  id: notification.id,
  type: notification.type.toLowerCase(),
  title: notification.title,
  content: notification.content,
  priority: notification.priority.toLowerCase(),
  link: notification.link ?? '',
  data: notification.data,
  is_read: notification.readAt !== null,
  created_at: notification.createdAt.toISOString(),
  cursor: notification.cursor,
});

const resetMessages = {
  FOREIGN_CURSOR: 'since is not a cursor of this inbox: read the list anew.',
  FUTURE_CURSOR: 'since is not a cursor that this inbox has reached: read the list anew.',
  EXPIRED_CURSOR: 'since is too old to continue from: read the list anew.',
  INBOX_BEGAN_ANEW: 'The inbox began anew: read the list anew.',
} as const satisfies Record<ResetReason, string>;

/**
 * Whether there is a message for an event. A delivery that went on changes a notification too, for which the raw socket
 * has no word; of one that is read an update can be nothing else.
 */
export const isTold = (event: StreamEvent): boolean => event.kind !== 'updated' || event.notification.readAt === null;

/** The message that tells an event. An update of an unread notification is told as what it is now: unread. */
export function eventMessage(event: StreamEvent): string {
  const unread = { unread_count: event.unreadCount };
  switch (event.kind) {
    case 'added':
      return serverMessage('notification', { notification: toPushed(event.notification), ...unread });
    case 'updated':
      return serverMessage('unread', { notification_ids: [event.notification.id], ...unread });
    case 'reset':
      return errorMessage({ code: 'BAD_USER_INPUT', message: resetMessages[event.reason] });
    case 'read':
      return serverMessage('read', { notification_ids: event.ids, ...unread });
    case 'deleted':
      return serverMessage(event.recalled ? 'recalled' : 'deleted', { notification_ids: event.ids, ...unread });
  }
}

export const typingMessage = ({ userId, conversation, typing }: TypingEvent): string =>
  serverMessage('typing', { user_id: userId, conversation_id: conversation, typing });

/** What is told of an error. */
export type ErrorContent = Pick<CarillonError, 'code' | 'message'> & Partial<Pick<CarillonError, 'retryAfterSeconds'>>;

export const errorMessage = ({ code, message, retryAfterSeconds }: ErrorContent): string =>
  serverMessage('error', {
    code,
    message,
    ...(retryAfterSeconds === undefined ? {} : { retry_after: retryAfterSeconds }),
  });
