import { channelNames } from '../channels/index.ts';
import {
  type Notification as NotificationShape,
  notificationPriorities,
  notificationStatuses,
  notificationTypes,
} from '../services/notification.ts';
import type { BatchResult } from '../services/notifications.ts';
import { builder, callerOf } from './builder.ts';

export const NotificationType = builder.enumType('NotificationType', { values: notificationTypes });
export const NotificationPriority = builder.enumType('NotificationPriority', { values: notificationPriorities });
export const NotificationChannel = builder.enumType('NotificationChannel', {
  description: 'The inbox, and the ways out of the house.',
  values: channelNames,
});
export const NotificationStatus = builder.enumType('NotificationStatus', { values: notificationStatuses });

export const Notification = builder.objectRef<NotificationShape>('Notification').implement({
  description: 'Something that somebody should know, at its place in one inbox.',
  fields: (t) => ({
    id: t.exposeID('id', { description: 'A UUID, the same on every door.' }),
    cursor: t.exposeString('cursor', { description: 'Its place in the inbox: serves wherever a cursor is asked for.' }),
    changeCursor: t.exposeString('changeCursor', {
      description: 'The cursor of its last change: a stream after it tells all that happens to it from here on.',
    }),
    tenantId: t.exposeID('tenantId'),
    recipientId: t.exposeID('recipientId'),
    senderId: t.exposeID('senderId', { nullable: true }),
    type: t.expose('type', { type: NotificationType }),
    priority: t.expose('priority', { type: NotificationPriority }),
    channel: t.expose('channel', { type: NotificationChannel }),
    status: t.expose('status', { type: NotificationStatus }),
    title: t.exposeString('title'),
    content: t.exposeString('content'),
    link: t.exposeString('link', { nullable: true }),
    data: t.expose('data', { type: 'JSON', nullable: true }),
    relatedType: t.exposeString('relatedType', { nullable: true }),
    relatedId: t.exposeID('relatedId', { nullable: true }),
    isRead: t.boolean({ resolve: ({ readAt }) => readAt !== null }),
    readAt: t.expose('readAt', { type: 'DateTime', nullable: true }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      nullable: true,
      description: 'From then on it leaves the inbox by itself; null: never.',
    }),
    sendAt: t.expose('sendAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it will be sent, while it is PENDING; null once it is in the inbox.',
    }),
  }),
});

builder.queryField('notification', (t) =>
  t.field({
    type: Notification,
    nullable: true,
    description: 'One notification of your inbox; null when it is not there.',
    args: { id: t.arg.id({ required: true }) },
    resolve: async (_root, { id }, context) =>
      (await context.services.notifications.find(callerOf(context), id)) ?? null,
  }),
);

builder.mutationField('markRead', (t) =>
  t.field({
    type: Notification,
    description: 'Marks one as read; one that is read already stays as it is.',
    args: { id: t.arg.id({ required: true }) },
    resolve: (_root, { id }, context) => context.services.notifications.markRead(callerOf(context), id),
  }),
);

builder.mutationField('markUnread', (t) =>
  t.field({
    type: Notification,
    description: 'Marks one as unread; one that is unread already stays as it is.',
    args: { id: t.arg.id({ required: true }) },
    resolve: (_root, { id }, context) => context.services.notifications.markUnread(callerOf(context), id),
  }),
);

const INBOX_CURSOR = 'The point of the inbox’s log that this led to: stream the changes after it.';

export const BatchMarkReadPayload = builder.objectRef<BatchResult>('BatchMarkReadPayload').implement({
  fields: (t) => ({
    count: t.exposeInt('count', { description: 'How many were unread until now.' }),
    unreadCount: t.exposeInt('unreadCount', { description: 'Unread ones that remain in the inbox.' }),
    cursor: t.exposeString('cursor', { description: INBOX_CURSOR }),
  }),
});

builder.mutationField('batchMarkRead', (t) =>
  t.field({
    type: BatchMarkReadPayload,
    description: 'Marks up to 1,000 as read. Ids that are unknown, repeated or read already change nothing.',
    args: { ids: t.arg.idList({ required: true }) },
    resolve: (_root, { ids }, context) => context.services.notifications.batchMarkRead(callerOf(context), ids),
  }),
);

const DeletePayload = builder
  .objectRef<{ id: string; unreadCount: number; cursor: string }>('DeletePayload')
  .implement({
    fields: (t) => ({
      id: t.exposeID('id'),
      unreadCount: t.exposeInt('unreadCount', { description: 'Unread ones that remain in the inbox.' }),
      cursor: t.exposeString('cursor', { description: INBOX_CURSOR }),
    }),
  });

builder.mutationField('delete', (t) =>
  t.field({
    type: DeletePayload,
    description: 'Deletes one notification of your inbox for good.',
    args: { id: t.arg.id({ required: true }) },
    resolve: (_root, { id }, context) => context.services.notifications.delete(callerOf(context), id),
  }),
);
