import type { Taken } from './device.ts';
import type { DoorKind } from './population.ts';

const PARTS = 'cursor previousCursor unreadCount';
const NOTIFICATION = 'notification { id cursor isRead relatedId title content }';

const CHANGES = `subscription ($after: String) {
  inboxChanged(after: $after) {
    __typename
    ... on NotificationAdded { ${PARTS} ${NOTIFICATION} }
    ... on NotificationUpdated { ${PARTS} ${NOTIFICATION} }
    ... on NotificationsRead { ${PARTS} ids }
    ... on NotificationsDeleted { ${PARTS} ids }
    ... on InboxReset { ${PARTS} reason }
  }
}`;

const ADDITIONS = `subscription ($after: String) {
  notificationAdded(after: $after) { id cursor isRead relatedId title content }
}`;

interface WireNotification {
  id: string;
  cursor: string;
  isRead: boolean;
  relatedId: string | null;
}

interface WireEvent {
  __typename: 'NotificationAdded' | 'NotificationUpdated' | 'NotificationsRead' | 'NotificationsDeleted' | 'InboxReset';
  cursor: string;
  previousCursor: string;
  unreadCount: number;
  notification?: WireNotification;
  ids?: string[];
}

/** A result of a subscription, as both GraphQL doors carry it. */
export interface WireResult {
  data?: { inboxChanged?: WireEvent; notificationAdded?: WireNotification } | null;
  errors?: readonly { message: string }[];
}

const kinds = {
  NotificationAdded: 'added',
  NotificationUpdated: 'updated',
  NotificationsRead: 'read',
  NotificationsDeleted: 'deleted',
  InboxReset: 'reset',
} as const satisfies Record<WireEvent['__typename'], Taken['kind']>;

export const operationOf = (kind: DoorKind, after: string) => ({
  query: kind === 'additions' ? ADDITIONS : CHANGES,
  variables: { after },
});

/** The event in a result. @throws Error with the words of the server when it holds none. */
export function takenFrom({ data, errors }: WireResult): Taken {
  if (errors) throw new Error(errors.map(({ message }) => message).join('; '));
  const event = data?.inboxChanged;
  const notification = event?.notification ?? data?.notificationAdded;
  const state = notification && {
    ids: [notification.id],
    isRead: notification.isRead,
    key: notification.relatedId ?? undefined,
  };
  if (event) {
    const { cursor, previousCursor, unreadCount: unread } = event;
    return { kind: kinds[event.__typename], cursor, previousCursor, unread, ids: event.ids ?? [], ...state };
  }
  if (!notification || !state) throw new Error('a result without data');
  return { kind: 'added', cursor: notification.cursor, ...state };
}

/** Words of an error, fit to be counted. */
export const words = (error: unknown): string => (error instanceof Error ? error.message : String(error));
