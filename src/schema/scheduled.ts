import { builder, callerOf } from './builder.ts';
import { Notification } from './notification.ts';

builder.queryField('scheduledNotifications', (t) =>
  t.field({
    type: [Notification],
    description: 'What you have scheduled and is not sent yet, soonest first: 20 unless you say first, 100 at most.',
    args: { first: t.arg.int() },
    resolve: (_root, { first }, context) => context.services.scheduled.list(callerOf(context), first),
  }),
);

const CancelScheduledPayload = builder.objectRef<{ id: string }>('CancelScheduledPayload').implement({
  fields: (t) => ({ id: t.exposeID('id') }),
});

builder.mutationField('cancelScheduled', (t) =>
  t.field({
    type: CancelScheduledPayload,
    description:
      'Cancels a send that you have scheduled, or, as an admin, that anybody of your tenant has, before its time.',
    args: { id: t.arg.id({ required: true }) },
    resolve: (_root, { id }, context) => context.services.scheduled.cancel(callerOf(context), id),
  }),
);
