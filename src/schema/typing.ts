import type { TypingEvent as TypingEventShape } from '../services/typing.ts';
import { builder, callerOf } from './builder.ts';

const TypingEvent = builder.objectRef<TypingEventShape>('TypingEvent').implement({
  description: 'Somebody types to you, or has stopped.',
  fields: (t) => ({
    userId: t.exposeID('userId', { description: 'Who types.' }),
    conversation: t.exposeID('conversation'),
    typing: t.exposeBoolean('typing'),
    at: t.expose('at', { type: 'DateTime' }),
  }),
});

builder.mutationField('setTyping', (t) =>
  t.boolean({
    description:
      'Tells a user of your tenant that you type in a conversation, or have stopped; answers true. Say so again every ' +
      'few seconds while it lasts: after six without a word you are taken to have stopped. Nothing of it is stored.',
    args: {
      to: t.arg.id({ required: true, description: 'The user who is told. 1 to 128 characters.' }),
      conversation: t.arg.id({ required: true, description: 'A name that you both know. 1 to 128 characters.' }),
      typing: t.arg.boolean({ required: true }),
    },
    resolve: async (_root, input, context) => {
      await context.services.typing.set(callerOf(context), input);
      return true;
    },
  }),
);

builder.subscriptionField('typing', (t) =>
  t.field({
    type: TypingEvent,
    description: 'Who types to you in a conversation, from now on. What others type to others is not heard.',
    args: { conversation: t.arg.id({ required: true }) },
    subscribe: (_root, { conversation }, context) =>
      context.services.typing.listen(callerOf(context), conversation, { onSlow: context.onSlow }),
    resolve: (event: TypingEventShape) => event,
  }),
);
