import type { Receipt as ReceiptShape } from '../services/receipt.ts';
import type { SentNotification as SentShape, SentPage } from '../services/sent-notifications.ts';
import { builder, callerOf } from './builder.ts';
import { NotificationChannel, NotificationPriority, NotificationStatus, NotificationType } from './notification.ts';
import { PageInfo, pageInfoOf } from './page-info.ts';

const SentFilter = builder.inputType('SentFilter', {
  fields: (t) => ({
    read: t.boolean({ description: 'true: only what its recipient has read; false: only what waits to be read.' }),
  }),
});

export const SentNotification = builder.objectRef<SentShape>('SentNotification').implement({
  description: 'A notification as its sender sees it.',
  fields: (t) => ({
    id: t.exposeID('id'),
    recipientId: t.exposeID('recipientId'),
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
    isRead: t.boolean({ description: 'Whether its recipient has read it.', resolve: ({ readAt }) => readAt !== null }),
    readAt: t.expose('readAt', { type: 'DateTime', nullable: true }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
  }),
});

const SentNotificationEdge = builder.objectRef<SentShape>('SentNotificationEdge').implement({
  fields: (t) => ({
    cursor: t.exposeString('cursor', { description: 'Its place in this list; of no use anywhere else.' }),
    node: t.field({ type: SentNotification, resolve: (sent) => sent }),
  }),
});

const SentNotificationConnection = builder.objectRef<SentPage>('SentNotificationConnection').implement({
  description: 'A page of what you sent, newest first.',
  fields: (t) => ({
    edges: t.field({ type: [SentNotificationEdge], resolve: ({ notifications }) => notifications }),
    nodes: t.field({ type: [SentNotification], resolve: ({ notifications }) => notifications }),
    cursor: t.exposeString('cursor', {
      description: 'The point of your receipts at which the page was read: receipts after it join without a hole.',
    }),
    pageInfo: t.field({ type: PageInfo, resolve: pageInfoOf }),
  }),
});

const Receipt = builder.objectRef<ReceiptShape>('Receipt').implement({
  description: 'Somebody marked as read, or as unread again, what you sent.',
  fields: (t) => ({
    cursor: t.exposeString('cursor', { description: 'Come back after this one.' }),
    notificationId: t.exposeID('notificationId'),
    recipientId: t.exposeID('recipientId'),
    read: t.boolean({ description: 'false: it was marked as unread again.', resolve: ({ readAt }) => readAt !== null }),
    readAt: t.expose('readAt', { type: 'DateTime', nullable: true }),
  }),
});

builder.queryFields((t) => ({
  sentNotifications: t.field({
    type: SentNotificationConnection,
    description:
      'What you sent, to others and to yourself, newest first, and whether it was read: 20 unless you say first or ' +
      'last, 100 at most. What its recipient deleted is not there any more.',
    args: {
      first: t.arg.int(),
      after: t.arg.string(),
      last: t.arg.int(),
      before: t.arg.string(),
      filter: t.arg({ type: SentFilter }),
    },
    resolve: (_root, { filter, ...paging }, context) =>
      context.services.sent.list(callerOf(context), paging, filter ?? {}),
  }),
  receiptsCursor: t.string({
    description: 'Where your receipts stand now: receipts after it tells whatever comes.',
    resolve: (_root, _args, context) => context.services.receipts.cursor(callerOf(context)),
  }),
}));

builder.subscriptionField('receipts', (t) =>
  t.field({
    type: Receipt,
    description:
      'Each time that somebody else marks as read, or as unread again, what you sent: once and in order. With `after`, ' +
      'first everything newer than that cursor, of receiptsCursor, of a page of sentNotifications or of the last ' +
      'receipt that you have.',
    args: { after: t.arg.string() },
    subscribe: (_root, { after }, context) => context.services.receipts.stream(callerOf(context), after),
    resolve: (receipt: ReceiptShape) => receipt,
  }),
);
