import type { Delivery as DeliveryShape, DeliveryStatus as Status } from '../services/delivery.ts';
import { builder } from './builder.ts';
import { Notification, NotificationChannel } from './notification.ts';
import { SentNotification } from './sent.ts';

const DeliveryStatus = builder.enumType('DeliveryStatus', {
  values: {
    PENDING: { description: 'It has not been accepted yet; attempts go on.' },
    SENT: { description: 'Somebody has accepted it who carries it on: a mail server, a provider, a push service.' },
    DELIVERED: { description: 'It has reached its end.' },
    FAILED: { description: 'It will not arrive; lastError says why.' },
    CANCELLED: { description: 'The notification was recalled, or expired, before it was accepted.' },
  } satisfies Record<Status, object>,
});

const Delivery = builder.objectRef<DeliveryShape>('Delivery').implement({
  description: 'A notification on its way to one address outside.',
  fields: (t) => ({
    id: t.exposeID('id', { description: 'A UUID. The far side knows repetitions by it.' }),
    channel: t.expose('channel', { type: NotificationChannel }),
    status: t.expose('status', { type: DeliveryStatus }),
    attempts: t.exposeInt('attempts', { description: 'Attempts that have begun.' }),
    lastError: t.exposeString('lastError', { nullable: true, description: 'Why the last attempt failed.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    lastAttemptAt: t.expose('lastAttemptAt', { type: 'DateTime', nullable: true }),
    nextAttemptAt: t.expose('nextAttemptAt', { type: 'DateTime', nullable: true, description: 'While it is PENDING.' }),
    statusAt: t.expose('statusAt', { type: 'DateTime', description: 'When it came to its present status.' }),
  }),
});

const DESCRIPTION =
  'Where it goes beside the inbox, and how that stands now. Each change is told live as NotificationUpdated.';

for (const type of [Notification, SentNotification]) {
  builder.objectField(type, 'deliveries', (t) =>
    t.field({
      type: [Delivery],
      description: DESCRIPTION,
      resolve: (notification, _args, context) => context.services.deliveries.of(notification),
    }),
  );
}
