import { builder } from './builder.ts';

interface PageInfoShape {
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
  readonly startCursor: string | null;
  readonly endCursor: string | null;
}

export const PageInfo = builder.objectRef<PageInfoShape>('PageInfo').implement({
  description: 'See the Relay cursor connections specification.',
  fields: (t) => ({
    hasNextPage: t.exposeBoolean('hasNextPage', { description: 'Whether there are more after these in the list.' }),
    hasPreviousPage: t.exposeBoolean('hasPreviousPage', { description: 'Whether there are more before these.' }),
    startCursor: t.exposeString('startCursor', { nullable: true }),
    endCursor: t.exposeString('endCursor', { nullable: true }),
  }),
});

export const pageInfoOf = ({
  notifications,
  hasNextPage,
  hasPreviousPage,
}: Pick<PageInfoShape, 'hasNextPage' | 'hasPreviousPage'> & {
  readonly notifications: readonly { readonly cursor: string }[];
}): PageInfoShape => ({
  hasNextPage,
  hasPreviousPage,
  startCursor: notifications[0]?.cursor ?? null,
  endCursor: notifications.at(-1)?.cursor ?? null,
});
