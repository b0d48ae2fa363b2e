import type { Contact as ContactShape, ContactWithSecret } from '../services/contacts.ts';
import { builder, callerOf } from './builder.ts';
import { NotificationChannel } from './notification.ts';

const Contact = builder.objectRef<ContactShape>('Contact').implement({
  description: 'Where a user, or everybody of the tenant, is reached through a channel.',
  fields: (t) => ({
    id: t.exposeID('id'),
    userId: t.exposeID('userId', { nullable: true, description: 'Null for what is told of everybody in the tenant.' }),
    channel: t.expose('channel', { type: NotificationChannel }),
    address: t.exposeString('address', { description: 'In the one spelling in which it is kept.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
  }),
});

const ContactPayload = builder.objectRef<ContactWithSecret>('ContactPayload').implement({
  fields: (t) => ({
    contact: t.expose('contact', { type: Contact }),
    secret: t.exposeString('secret', {
      nullable: true,
      description: 'What deliveries there are signed with from now on. It is told here and never again.',
    }),
  }),
});

const RemoveContactPayload = builder.objectRef<ContactShape>('RemoveContactPayload').implement({
  fields: (t) => ({ id: t.exposeID('id') }),
});

builder.queryFields((t) => ({
  contacts: t.field({
    type: [Contact],
    description:
      'Your addresses; for admins of the tenant those of anybody, and with no userId those of the tenant beside their own.',
    args: { userId: t.arg.id() },
    resolve: (_root, { userId }, context) => context.services.contacts.list(callerOf(context), userId),
  }),
  webPushKey: t.string({
    nullable: true,
    description:
      'The applicationServerKey that browsers subscribe to pushes with; null where WEB_PUSH is not configured.',
    resolve: (_root, _args, context) => context.services.contacts.webPushKey ?? null,
  }),
}));

builder.mutationFields((t) => ({
  addContact: t.field({
    type: ContactPayload,
    description:
      'Adds an address, at most fifty of one owner. Users add push subscriptions of their own; anything else needs the role admin.',
    args: {
      channel: t.arg({ type: NotificationChannel, required: true }),
      address: t.arg.string({
        required: true,
        description:
          'An e-mail address, a telephone number (E.164), the URL of a webhook, the JSON of a push subscription.',
      }),
      userId: t.arg.id({ description: 'Whose it is; yours when absent. Absent for webhooks, which are the tenant’s.' }),
    },
    resolve: (_root, contact, context) => context.services.contacts.add(callerOf(context), contact),
  }),
  removeContact: t.field({
    type: RemoveContactPayload,
    description: 'Removes an address. What waits to be delivered there fails.',
    args: { id: t.arg.id({ required: true }) },
    resolve: (_root, { id }, context) => context.services.contacts.remove(callerOf(context), id),
  }),
  rotateContactSecret: t.field({
    type: ContactPayload,
    description: 'Gives a webhook a new secret. For a day deliveries are signed with the old one as well.',
    args: { id: t.arg.id({ required: true }) },
    resolve: (_root, { id }, context) => context.services.contacts.rotateSecret(callerOf(context), id),
  }),
}));
