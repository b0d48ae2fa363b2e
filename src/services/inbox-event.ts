import { type CursorFault, NO_EPOCH, encodeCursor } from './cursor.ts';
import type { InboxAddress } from './caller.ts';
import type { Notification } from './notification.ts';

interface Change {
  readonly epoch: string;
  /** The inbox version that this change made. */
  readonly version: number;
  /** The version before it: whoever holds that one has missed nothing. */
  readonly previousVersion: number;
  readonly unreadCount: number;
  readonly totalCount: number;
  /** When it was committed, by the clock of the instance that did so; unknown of what is read from the log. */
  readonly committedAtMs?: number;
  /** The trace that it is part of, where there is one; see `ActiveSpan`. */
  readonly traceparent?: string;
}

/** One change of one inbox. On replay from the log the counts are those of now. */
export type InboxEvent = Change &
  (
    | { readonly kind: 'added' | 'updated'; readonly notification: Notification }
    | { readonly kind: 'read'; readonly ids: readonly string[]; readonly readAt: Date }
    | {
        readonly kind: 'deleted';
        readonly ids: readonly string[];
        /** Whether their sender took them back; else their owner deleted them, or their time was over. */
        readonly recalled: boolean;
      }
  );

/** Why a listener has to fetch anew. */
export type ResetReason = CursorFault | 'EXPIRED_CURSOR' | 'INBOX_BEGAN_ANEW';

/** Told to one listener: its cursor is of no use. It goes on from here, and has to fetch what was before. */
export interface InboxReset extends Change {
  readonly kind: 'reset';
  readonly reason: ResetReason;
}

/** What a listener of all changes gets. */
export type StreamEvent = InboxEvent | InboxReset;

/** The cursor up to which a listener knows the inbox once it has taken the event. */
export const cursorOf = ({ epoch, version }: StreamEvent): string => encodeCursor(epoch, version);

/** The cursor before the event. */
export const previousCursorOf = ({ epoch, previousVersion }: StreamEvent): string =>
  encodeCursor(epoch, previousVersion);

/** What is published: an event, or, when that would be large, only that the log has moved. */
export type Doorbell = InboxEvent | (Change & { readonly kind: 'moved' });

/** An event is published whole up to about this many characters; beyond, listeners read the log. */
const INLINE_CHARACTERS = 8192;

export const inboxTopic = ({ tenantId, userId }: InboxAddress): string =>
  `carillon:inbox:${encodeURIComponent(tenantId)}:${encodeURIComponent(userId)}`;

export function toDoorbell(event: InboxEvent): Doorbell {
  if (event.kind === 'read' || event.kind === 'deleted') return event;
  const { notification: n } = event;
  const size = n.title.length + n.content.length + (n.data === null ? 0 : JSON.stringify(n.data).length);
  if (size <= INLINE_CHARACTERS) return event;
  const { notification: _, ...change } = event;
  return { ...change, kind: 'moved' };
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isIds = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((id) => typeof id === 'string');

/**
 * Reads a message of the inbox's topic, which may have crossed as JSON. `undefined` for anything that is not a doorbell
 * of this inbox: a broker is never trusted.
 */
export function fromTopic(message: unknown, address: InboxAddress): Doorbell | undefined {
  if (typeof message !== 'object' || message === null) return undefined;
  const { kind, epoch, version, previousVersion, unreadCount, totalCount, committedAtMs, traceparent, ...rest } =
    message as Partial<Doorbell> & Record<string, unknown>;
  if (typeof epoch !== 'string' || epoch.length !== NO_EPOCH.length || epoch === NO_EPOCH) return undefined;
  if (!isCount(version) || !isCount(previousVersion) || previousVersion >= version) return undefined;
  if (!isCount(unreadCount) || !isCount(totalCount)) return undefined;
  const change = {
    epoch,
    version,
    previousVersion,
    unreadCount,
    totalCount,
    ...(isCount(committedAtMs) ? { committedAtMs } : {}),
    ...(typeof traceparent === 'string' ? { traceparent } : {}),
  };
  switch (kind) {
    case 'moved':
      return { ...change, kind };
    case 'added':
    case 'updated': {
      const notification = reviveNotification(rest['notification'], address);
      return notification && { ...change, kind, notification };
    }
    case 'read': {
      const readAt = new Date(rest['readAt'] as string);
      return isIds(rest['ids']) && !Number.isNaN(readAt.getTime())
        ? { ...change, kind, ids: rest['ids'], readAt }
        : undefined;
    }
    case 'deleted':
      return isIds(rest['ids'])
        ? { ...change, kind, ids: rest['ids'], recalled: rest['recalled'] === true }
        : undefined;
    default:
      return undefined;
  }
}

function reviveNotification(value: unknown, address: InboxAddress): Notification | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const notification = value as Notification;
  if (notification.tenantId !== address.tenantId || notification.recipientId !== address.userId) return undefined;
  if (typeof notification.id !== 'string' || typeof notification.title !== 'string') return undefined;
  const { readAt, createdAt, expiresAt } = notification;
  if (createdAt instanceof Date) return notification;
  return {
    ...notification,
    readAt: readAt === null ? null : new Date(readAt),
    createdAt: new Date(createdAt),
    // An instance of an earlier version knows of no expiry.
    expiresAt: expiresAt == null ? null : new Date(expiresAt),
    sendAt: null,
  };
}
