import type { RecallResult } from '../services/recalls.ts';
import { builder, callerOf } from './builder.ts';
import { Notification } from './notification.ts';

const RecallPayload = builder.objectRef<RecallResult>('RecallPayload').implement({
  fields: (t) => ({
    count: t.exposeInt('count', { description: 'How many were in inboxes until now.' }),
    ids: t.idList({ description: 'Those, in the order in which you gave them.', resolve: ({ ids }) => [...ids] }),
  }),
});

builder.mutationFields((t) => ({
  recall: t.field({
    type: Notification,
    description:
      'Takes back a notification that you sent, or, as an admin, that anybody of your tenant sent: it leaves the inbox, read ' +
      'or not, on every device. Within 24 hours; later it is a CONFLICT. One that is recalled already stays as it is.',
    args: { id: t.arg.id({ required: true }) },
    resolve: (_root, { id }, context) => context.services.recalls.recall(callerOf(context), id),
  }),
  recallMany: t.field({
    type: RecallPayload,
    description: 'Recalls up to 1,000. Ids that are unknown, not yours, repeated, too old or recalled change nothing.',
    args: { ids: t.arg.idList({ required: true }) },
    resolve: (_root, { ids }, context) => context.services.recalls.recallMany(callerOf(context), ids),
  }),
}));
