import type { Filter, InboxState as InboxStateShape, NotificationPage } from '../services/notifications.ts';
import type { Notification as NotificationShape } from '../services/notification.ts';
import { builder, callerOf } from './builder.ts';
import { BatchMarkReadPayload, Notification, NotificationPriority, NotificationType } from './notification.ts';

const NotificationFilter = builder.inputType('NotificationFilter', {
  description: 'All given conditions must hold.',
  fields: (t) => ({
    unread: t.boolean({ description: 'true: only unread ones; false: only read ones.' }),
    types: t.field({ type: [NotificationType] }),
    priorities: t.field({ type: [NotificationPriority] }),
  }),
});

type FilterInput = {
  unread?: boolean | null | undefined;
  types?: Filter['types'] | null;
  priorities?: Filter['priorities'] | null;
};

const toFilter = (input: FilterInput | null | undefined): Filter => ({
  unread: input?.unread ?? undefined,
  types: input?.types ?? undefined,
  priorities: input?.priorities ?? undefined,
});

const PageInfo = builder.objectRef<NotificationPage>('PageInfo').implement({
  description: 'See the Relay cursor connections specification.',
  fields: (t) => ({
    hasNextPage: t.exposeBoolean('hasNextPage', { description: 'Whether there are older ones.' }),
    hasPreviousPage: t.exposeBoolean('hasPreviousPage', { description: 'Whether there are newer ones.' }),
    startCursor: t.string({ nullable: true, resolve: ({ notifications }) => notifications[0]?.cursor ?? null }),
    endCursor: t.string({ nullable: true, resolve: ({ notifications }) => notifications.at(-1)?.cursor ?? null }),
  }),
});

const NotificationEdge = builder.objectRef<NotificationShape>('NotificationEdge').implement({
  fields: (t) => ({
    cursor: t.exposeString('cursor'),
    node: t.field({ type: Notification, resolve: (notification) => notification }),
  }),
});

const NotificationConnection = builder.objectRef<NotificationPage>('NotificationConnection').implement({
  description: 'A page of an inbox, newest first.',
  fields: (t) => ({
    edges: t.field({ type: [NotificationEdge], resolve: ({ notifications }) => notifications }),
    nodes: t.field({ type: [Notification], resolve: ({ notifications }) => notifications }),
    cursor: t.exposeString('cursor', {
      description:
        'The point of the inbox’s log at which the page was read: inboxChanged after it joins without a hole.',
    }),
    pageInfo: t.field({ type: PageInfo, resolve: (page) => page }),
    totalCount: t.int({ description: 'How many match the filter.', resolve: ({ totalCount }) => totalCount() }),
    unreadCount: t.int({
      description: 'How many of those that match the filter are unread.',
      resolve: ({ unreadCount }) => unreadCount(),
    }),
  }),
});

const InboxState = builder.objectRef<InboxStateShape>('InboxState').implement({
  fields: (t) => ({
    cursor: t.exposeString('cursor', { description: 'Stream the changes after it.' }),
    unreadCount: t.exposeInt('unreadCount'),
    totalCount: t.exposeInt('totalCount'),
  }),
});

builder.mutationField('markAllRead', (t) =>
  t.field({
    type: BatchMarkReadPayload,
    description:
      'Marks all that match as read, up to and including the cursor `upTo`: the newest that the person has seen. What ' +
      'came after it stays unread. Without `upTo`, all that is there now.',
    args: { upTo: t.arg.string(), filter: t.arg({ type: NotificationFilter }) },
    resolve: (_root, { upTo, filter }, context) =>
      context.notifications.markAllRead(callerOf(context), upTo, toFilter(filter)),
  }),
);

builder.queryFields((t) => ({
  inboxState: t.field({
    type: InboxState,
    description: 'Where your inbox stands now.',
    resolve: (_root, _args, context) => context.notifications.state(callerOf(context)),
  }),
  notifications: t.field({
    type: NotificationConnection,
    description: 'Your inbox, newest first: 20 unless you say first or last, 100 at most.',
    args: {
      first: t.arg.int(),
      after: t.arg.string(),
      last: t.arg.int(),
      before: t.arg.string(),
      filter: t.arg({ type: NotificationFilter }),
    },
    resolve: (_root, { filter, ...paging }, context) =>
      context.notifications.list(callerOf(context), paging, toFilter(filter)),
  }),
  unreadCount: t.int({
    description: 'How many of your notifications are unread.',
    args: { filter: t.arg({ type: NotificationFilter }) },
    resolve: (_root, { filter }, context) => context.notifications.unreadCount(callerOf(context), toFilter(filter)),
  }),
}));
