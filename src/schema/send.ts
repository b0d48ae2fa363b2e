import { builder, callerOf } from './builder.ts';
import { Notification, NotificationChannel, NotificationPriority, NotificationType } from './notification.ts';

const ChannelAddress = builder.inputType('ChannelAddress', {
  description: 'An address for one send, in place of those that are kept of the recipient.',
  fields: (t) => ({
    channel: t.field({ type: NotificationChannel, required: true }),
    address: t.string({ required: true }),
  }),
});

const SendInput = builder.inputType('SendInput', {
  fields: (t) => ({
    recipientId: t.id({ description: 'Who gets it, in your tenant; yourself when absent.' }),
    type: t.field({ type: NotificationType, defaultValue: 'SYSTEM' }),
    title: t.string({ required: true, description: '1 to 200 characters.' }),
    content: t.string({ required: true, description: '1 to 10,000 characters.' }),
    link: t.string({ description: 'http, https, or a path that starts with a single slash; up to 2,048 characters.' }),
    priority: t.field({ type: NotificationPriority, defaultValue: 'NORMAL' }),
    channel: t.field({
      type: NotificationChannel,
      defaultValue: 'IN_APP',
      description: 'By which it goes out beside the inbox, where it is in any case.',
    }),
    channels: t.field({ type: [NotificationChannel], description: 'The same for several at once.' }),
    addresses: t.field({
      type: [ChannelAddress],
      description: 'Where to, in place of the recipient’s contacts; needs the role sender or admin.',
    }),
    data: t.field({ type: 'JSON', description: 'Anything of your own, up to 16 KiB of JSON.' }),
    relatedType: t.string({ description: 'The kind of thing that it is about; up to 128 characters.' }),
    relatedId: t.id({ description: 'The thing that it is about; up to 128 characters.' }),
    idempotencyKey: t.string({
      description: 'The same key from you within 24 hours answers with the first notification and sends nothing new.',
    }),
    expiresAt: t.field({ type: 'DateTime', description: 'When it leaves the inbox by itself; in the future.' }),
    sendAt: t.field({
      type: 'DateTime',
      description: 'When to send it; in the future, at most a year ahead, before it expires. Now, when absent.',
    }),
  }),
});

builder.mutationField('send', (t) =>
  t.field({
    type: Notification,
    description:
      'Stores a notification and pushes it to every device of the recipient. Answers after the commit. With `sendAt` it is ' +
      'PENDING until then, and in no inbox.',
    args: { input: t.arg({ type: SendInput, required: true }) },
    resolve: (_root, { input }, context) => context.services.notifications.send(callerOf(context), input),
  }),
);
