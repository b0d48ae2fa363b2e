import { builder, callerOf } from './builder.ts';
import { Notification, NotificationChannel, NotificationPriority, NotificationType } from './notification.ts';

const SendInput = builder.inputType('SendInput', {
  fields: (t) => ({
    recipientId: t.id({ description: 'Who gets it, in your tenant; yourself when absent.' }),
    type: t.field({ type: NotificationType, defaultValue: 'SYSTEM' }),
    title: t.string({ required: true, description: '1 to 200 characters.' }),
    content: t.string({ required: true, description: '1 to 10,000 characters.' }),
    link: t.string({ description: 'http, https, or a path that starts with a single slash; up to 2,048 characters.' }),
    priority: t.field({ type: NotificationPriority, defaultValue: 'NORMAL' }),
    channel: t.field({ type: NotificationChannel, defaultValue: 'IN_APP' }),
    data: t.field({ type: 'JSON', description: 'Anything of your own, up to 16 KiB of JSON.' }),
    relatedType: t.string({ description: 'The kind of thing that it is about; up to 128 characters.' }),
    relatedId: t.id({ description: 'The thing that it is about; up to 128 characters.' }),
    idempotencyKey: t.string({
      description: 'The same key from you within 24 hours answers with the first notification and sends nothing new.',
    }),
  }),
});

builder.mutationField('send', (t) =>
  t.field({
    type: Notification,
    description: 'Stores a notification and pushes it to every device of the recipient. Answers after the commit.',
    args: { input: t.arg({ type: SendInput, required: true }) },
    resolve: (_root, { input }, context) => context.notifications.send(callerOf(context), input),
  }),
);
