import type { Filter, InboxState as InboxStateShape, NotificationPage } from '../services/notifications.ts';
import type { Notification as NotificationShape } from '../services/notification.ts';
import { builder, callerOf } from './builder.ts';
import { BatchMarkReadPayload, Notification, NotificationPriority, NotificationType } from './notification.ts';
import { PageInfo, pageInfoOf } from './page-info.ts';

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
    pageInfo: t.field({ type: PageInfo, resolve: pageInfoOf }),
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
      context.services.notifications.markAllRead(callerOf(context), upTo, toFilter(filter)),
  }),
);

builder.queryFields((t) => ({
  inboxState: t.field({
    type: InboxState,
    description: 'Where your inbox stands now.',
    resolve: (_root, _args, context) => context.services.notifications.state(callerOf(context)),
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
      context.services.notifications.list(callerOf(context), paging, toFilter(filter)),
  }),
  unreadCount: t.int({
    description: 'How many of your notifications are unread.',
    args: { filter: t.arg({ type: NotificationFilter }) },
    resolve: (_root, { filter }, context) =>
      context.services.notifications.unreadCount(callerOf(context), toFilter(filter)),
  }),
}));
