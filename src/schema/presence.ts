import { type OnlineUserPage, type UserPresence as UserPresenceShape, onlineCursor } from '../services/presence.ts';
import { builder, callerOf } from './builder.ts';
import { PageInfo } from './page-info.ts';

const UserPresence = builder.objectRef<UserPresenceShape>('UserPresence').implement({
  description: 'Whether a user of your tenant is connected. Users that nobody knows are offline and were never seen.',
  fields: (t) => ({
    userId: t.exposeID('userId'),
    online: t.exposeBoolean('online', { description: 'Whether there is at least one live connection.' }),
    lastSeenAt: t.expose('lastSeenAt', {
      type: 'DateTime',
      nullable: true,
      description: 'While online: now. Else when the last connection ended; null when there never was one.',
    }),
    connections: t.exposeInt('connections', { description: 'Live connections of all kinds, to all instances.' }),
  }),
});

const OnlineUserEdge = builder.objectRef<UserPresenceShape>('OnlineUserEdge').implement({
  fields: (t) => ({
    cursor: t.string({ resolve: (user) => onlineCursor(user) }),
    node: t.field({ type: UserPresence, resolve: (user) => user }),
  }),
});

const cursorOf = (user: UserPresenceShape | undefined): string | null => (user ? onlineCursor(user) : null);

const OnlineUserConnection = builder.objectRef<OnlineUserPage>('OnlineUserConnection').implement({
  description: 'A page of those who are online, in the order of their ids.',
  fields: (t) => ({
    edges: t.field({ type: [OnlineUserEdge], resolve: ({ users }) => [...users] }),
    nodes: t.field({ type: [UserPresence], resolve: ({ users }) => [...users] }),
    pageInfo: t.field({
      type: PageInfo,
      resolve: ({ hasNextPage, hasPreviousPage, users }) => ({
        hasNextPage,
        hasPreviousPage,
        startCursor: cursorOf(users[0]),
        endCursor: cursorOf(users.at(-1)),
      }),
    }),
  }),
});

builder.queryFields((t) => ({
  isOnline: t.field({
    type: [UserPresence],
    description: 'Who of these is online now, in the order asked: 1 to 100 users of your tenant.',
    args: { userIds: t.arg.idList({ required: true }) },
    resolve: (_root, { userIds }, context) => context.services.presence.isOnline(callerOf(context), userIds),
  }),
  onlineUsers: t.field({
    type: OnlineUserConnection,
    description: 'All who are online in your tenant; for the role admin. 20 unless you say first, 100 at most.',
    args: { first: t.arg.int(), after: t.arg.string() },
    resolve: (_root, paging, context) => context.services.presence.onlineUsers(callerOf(context), paging),
  }),
}));

builder.subscriptionField('presence', (t) =>
  t.field({
    type: UserPresence,
    description: 'First the present state of each of 1 to 100 users of your tenant, and then each change of it.',
    args: { userIds: t.arg.idList({ required: true }) },
    subscribe: (_root, { userIds }, context) =>
      context.services.presence.watch(callerOf(context), userIds, { onSlow: context.onSlow }),
    resolve: (user: UserPresenceShape) => user,
  }),
);
