import type { InboxEvent } from '../services/inbox-event.ts';
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
      context.notifications.additions(callerOf(context), { after, onSlow: context.onSlow }),
    resolve: (event: InboxEvent) => {
      if (event.kind !== 'added') throw new Error('an addition was expected');
      return event.notification;
    },
  }),
);
