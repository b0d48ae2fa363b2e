import type { NotificationsQuery } from '../../src/web/operations/generated.ts';

export type Connection = NotificationsQuery['notifications'];

export const idsOf = (list: readonly { id: string }[]): string[] => list.map(({ id }) => id);

export const idsIn = ({ edges }: Connection): string[] => idsOf(edges.map(({ node }) => node));

/** How many, and whether there are older ones (next) and newer ones (previous). */
export const shapeOf = ({ edges, pageInfo: { hasNextPage, hasPreviousPage } }: Connection) => [
  edges.length,
  hasNextPage,
  hasPreviousPage,
];
