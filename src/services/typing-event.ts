import type { InboxAddress } from './caller.ts';

/** Somebody types in a conversation, or has stopped. */
export interface TypingEvent {
  readonly userId: string;
  readonly conversation: string;
  readonly typing: boolean;
  readonly at: Date;
}

/** What is published: as JSON, so its time is a number, milliseconds since 1970. */
type Message = Omit<TypingEvent, 'at'> & { readonly at: number };

/** Where a user hears of those who type to them. */
export const typingTopic = ({ tenantId, userId }: InboxAddress): string =>
  `carillon:typing:${encodeURIComponent(tenantId)}:${encodeURIComponent(userId)}`;

export const toMessage = (event: TypingEvent): Message => ({ ...event, at: event.at.getTime() });

/** Longer than any id, which are counted in characters. */
const MAX_ID_UNITS = 256;

const isId = (value: unknown): value is string =>
  typeof value === 'string' && value.length > 0 && value.length <= MAX_ID_UNITS;

/** Reads a message of a topic; `undefined` for anything else that may come there: a broker is never trusted. */
export function fromMessage(message: unknown): TypingEvent | undefined {
  if (typeof message !== 'object' || message === null) return undefined;
  const { userId, conversation, typing, at } = message as Partial<Record<keyof Message, unknown>>;
  if (!isId(userId) || !isId(conversation) || typeof typing !== 'boolean' || typeof at !== 'number') return undefined;
  const time = new Date(at);
  return Number.isNaN(time.getTime()) ? undefined : { userId, conversation, typing, at: time };
}
