import { type StreamEvent, cursorOf, previousCursorOf } from '../services/inbox-event.ts';
import { builder, callerOf } from './builder.ts';
import { Notification } from './notification.ts';

builder.subscriptionField('notificationAdded', (t) =>
  t.field({
    type: Notification,
    description:
      'Each notification that comes to your inbox, once and in order. With `after`, first everything newer than that ' +
      'cursor: come back after a lost connection with the last cursor you have.',
    args: { after: t.arg.string() },
    subscribe: (_root, { after }, context) =>
      context.services.notifications.additions(callerOf(context), { after, onSlow: context.onSlow }),
    resolve: (event: StreamEvent) => {
      if (event.kind !== 'added') throw new Error('an addition was expected');
      return event.notification;
    },
  }),
);

type EventOf<K extends StreamEvent['kind']> = StreamEvent & { kind: K };

const typeNames = {
  added: 'NotificationAdded',
  updated: 'NotificationUpdated',
  read: 'NotificationsRead',
  deleted: 'NotificationsDeleted',
  reset: 'InboxReset',
} as const satisfies Record<StreamEvent['kind'], string>;

/** The type of one kind of event, with what all events have. */
function eventType<K extends StreamEvent['kind']>(kind: K, description: string) {
  const type = builder.objectRef<EventOf<K>>(typeNames[kind]);
  builder.objectType(type, {
    description,
    fields: (t) => ({
      cursor: t.string({ description: 'Come back after this one.', resolve: (event) => cursorOf(event) }),
      previousCursor: t.string({
        description: 'The cursor before the event: whoever holds it has missed nothing.',
        resolve: (event) => previousCursorOf(event),
      }),
      unreadCount: t.int({
        description: 'Unread ones in the inbox after the event; in what is told after a gap, those of now.',
        resolve: (event) => event.unreadCount,
      }),
    }),
  });
  return type;
}

const NotificationAdded = eventType('added', 'A notification came to the inbox.');
const NotificationUpdated = eventType('updated', 'A notification changed: this is what it is now.');
const NotificationsRead = eventType('read', 'Notifications were marked as read, on any device, through any door.');
const NotificationsDeleted = eventType('deleted', 'Notifications are gone.');
const InboxReset = eventType(
  'reset',
  'The cursor is of no use: fetch the inbox anew. What follows comes after `cursor`.',
);

builder.objectField(NotificationAdded, 'notification', (t) =>
  t.field({ type: Notification, resolve: ({ notification }) => notification }),
);
builder.objectField(NotificationUpdated, 'notification', (t) =>
  t.field({ type: Notification, resolve: ({ notification }) => notification }),
);
builder.objectFields(NotificationsRead, (t) => ({
  ids: t.idList({ resolve: ({ ids }) => [...ids] }),
  readAt: t.field({ type: 'DateTime', resolve: ({ readAt }) => readAt }),
}));
builder.objectFields(NotificationsDeleted, (t) => ({
  ids: t.idList({ resolve: ({ ids }) => [...ids] }),
  recalled: t.exposeBoolean('recalled', {
    description: 'Whether they were taken back by who sent them; else their owner deleted them, or they have expired.',
  }),
}));

const InboxResetReason = builder.enumType('InboxResetReason', {
  values: {
    FOREIGN_CURSOR: { description: 'The cursor is of another inbox, or of an earlier life of this one.' },
    FUTURE_CURSOR: { description: 'The cursor is of a time that this inbox never had, as after a restored backup.' },
    EXPIRED_CURSOR: { description: 'The cursor is so old that deletions since then are forgotten.' },
    INBOX_BEGAN_ANEW: { description: 'The inbox was lost while you were listening, and began anew.' },
  },
});
builder.objectField(InboxReset, 'reason', (t) => t.field({ type: InboxResetReason, resolve: ({ reason }) => reason }));

const InboxEvent = builder.unionType('InboxEvent', {
  types: [NotificationAdded, NotificationUpdated, NotificationsRead, NotificationsDeleted, InboxReset],
  resolveType: (event) => typeNames[(event as StreamEvent).kind],
});

builder.subscriptionField('inboxChanged', (t) =>
  t.field({
    type: InboxEvent,
    description:
      'Every change of your inbox, once and in order. With `after`, first exactly what changed since that cursor, ' +
      'without what came and went meanwhile; then live.',
    args: { after: t.arg.string() },
    subscribe: (_root, { after }, context) =>
      context.services.notifications.changes(callerOf(context), { after, onSlow: context.onSlow }),
    resolve: (event: StreamEvent) => event,
  }),
);
