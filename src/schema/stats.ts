import type { SendStats as SendStatsShape, Stats as StatsShape } from '../services/stats.ts';
import { builder, callerOf } from './builder.ts';
import { NotificationChannel, NotificationType } from './notification.ts';

const SendsByType = builder.objectRef<SendStatsShape['byType'][number]>('SendsByType').implement({
  fields: (t) => ({
    type: t.expose('type', { type: NotificationType }),
    sends: t.exposeInt('sends'),
  }),
});

const SendsByChannel = builder.objectRef<SendStatsShape['byChannel'][number]>('SendsByChannel').implement({
  fields: (t) => ({
    channel: t.expose('channel', { type: NotificationChannel }),
    sends: t.exposeInt('sends'),
  }),
});

const SendStats = builder.objectRef<SendStatsShape>('SendStats').implement({
  description:
    'What was sent in some hours. Counted by the hour and written every five seconds: up to that much behind, and what ' +
    'an instance had not written when it was killed is left out. What was deleted or recalled since is still counted.',
  fields: (t) => ({
    sends: t.exposeInt('sends', {
      description:
        'What came to inboxes; a repetition by its idempotency key counts once, what waits for its time not yet.',
    }),
    read: t.exposeInt('read', {
      description:
        'How many of these are marked as read by now. What waited for its time counts where it was scheduled.',
    }),
    unread: t.exposeInt('unread', { description: 'The others.' }),
    readShare: t.exposeFloat('readShare', {
      nullable: true,
      description: 'The read ones among the sends, from 0 to 1; null when nothing was sent.',
    }),
    byType: t.field({ type: [SendsByType], description: 'Every type once.', resolve: ({ byType }) => [...byType] }),
    byChannel: t.field({
      type: [SendsByChannel],
      description: 'Every channel once.',
      resolve: ({ byChannel }) => [...byChannel],
    }),
  }),
});

const Stats = builder.objectRef<StatsShape>('Stats').implement({
  description: 'Figures of your tenant. For operators there is more at /metrics.',
  fields: (t) => ({
    onlineUsers: t.exposeInt('onlineUsers', { description: 'Users with a live connection now, to any instance.' }),
    connections: t.exposeInt('connections', { description: 'Live connections of all kinds now, to all instances.' }),
    today: t.field({ type: SendStats, description: 'Since midnight, UTC.', resolve: ({ today }) => today }),
    last24Hours: t.field({
      type: SendStats,
      description: 'In the current hour and the 23 before it.',
      resolve: ({ last24Hours }) => last24Hours,
    }),
    pushSuccessRate: t.exposeFloat('pushSuccessRate', {
      nullable: true,
      description:
        'Of the events for live connections, how many were written to them, from 0 to 1: of the instance that answers, ' +
        'all its processes and tenants, since it started; null before the first one.',
    }),
  }),
});

builder.queryField('stats', (t) =>
  t.field({
    type: Stats,
    description: 'Figures of your tenant; for the role admin.',
    resolve: (_root, _args, context) => context.services.stats.read(callerOf(context)),
  }),
);
