import type { Inbox } from '../torture/population.ts';
import type { Act, Town } from './town.ts';

const FIELDS = 'id title content type priority isRead createdAt data deliveries { status }';
const PAGE = `query ($first: Int, $after: String, $filter: NotificationFilter) {
  notifications(first: $first, after: $after, filter: $filter) {
    nodes { ${FIELDS} } totalCount unreadCount pageInfo { endCursor hasNextPage }
  }
}`;
const OVERVIEW = 'query { unreadCount inboxState { cursor unreadCount totalCount } }';
const SENT = 'query { sentNotifications(first: 10) { nodes { id isRead } } scheduledNotifications(first: 5) { id } }';
const PRESENT = `query ($ids: [ID!]!) { isOnline(userIds: $ids) { userId online } onlineUsers(first: 10) { nodes { userId } } }`;
const TYPING = 'mutation ($to: ID!, $typing: Boolean!) { setTyping(to: $to, conversation: "soak", typing: $typing) }';

const FILTERS = [{}, { unread: true }, { types: ['TASK', 'ALERT'] }, { priorities: ['HIGH'] }, undefined] as const;

interface Page {
  notifications: { nodes: { id: string }[]; pageInfo: { endCursor: string | null; hasNextPage: boolean } };
}

/** Two pages of an inbox, under some filter. */
export const list: Act = async (town) => {
  const inbox = town.anybody();
  const filter = town.random.pick(FILTERS);
  const first = await town.ask<Page>(inbox, PAGE, { variables: { first: 20, filter } });
  const after = first?.notifications.pageInfo.endCursor;
  // What a cursor stands for may have left the inbox meanwhile; it is still a place in its log.
  if (after) await town.ask(inbox, PAGE, { variables: { first: 20, filter, after } });
};

export const listRest: Act = async (town) => {
  const query = town.random.pick(['', '?only_unread=true', '?type=task', '?page=2&page_size=10']);
  await town.rest({ method: 'GET', path: `/api/v1/notifications${query}`, token: town.anybody().token });
};

export const lookAround: Act = async (town) => {
  const inbox = town.anybody();
  const ids = Array.from({ length: 3 }, () => town.neighbourOf(inbox).userId);
  await Promise.all([
    town.ask(inbox, OVERVIEW),
    town.ask(inbox, SENT),
    town.ask(inbox, PRESENT, { variables: { ids } }),
  ]);
};

export const type: Act = async (town) => {
  const inbox = town.anybody();
  const variables = { to: town.neighbourOf(inbox).userId, typing: town.random.chance(0.5) };
  await town.ask(inbox, TYPING, { variables, may: ['RATE_LIMITED'] });
};

/** What is acted on may have expired, or be gone through another act. */
const GONE = { may: ['NOT_FOUND'] };

const pickKnown = (town: Town): { inbox: Inbox; id: string } | undefined => {
  const inbox = town.anybody();
  return inbox.known.length === 0 ? undefined : { inbox, id: town.random.pick(inbox.known).id };
};

const onOne =
  (field: string): Act =>
  async (town) => {
    const known = pickKnown(town);
    if (!known) return;
    const query = `mutation ($id: ID!) { ${field}(id: $id) { id } }`;
    await town.ask(known.inbox, query, { variables: { id: known.id }, ...GONE });
  };

export const markRead = onOne('markRead');
export const markUnread = onOne('markUnread');

export const recall: Act = async (town) => {
  const known = pickKnown(town);
  if (!known) return;
  const query = 'mutation ($id: ID!) { recall(id: $id) { id } }';
  if (await town.ask(known.inbox, query, { variables: { id: known.id }, ...GONE })) town.arrivals.leave(known.id);
};

export const markMany: Act = async (town) => {
  const inbox = town.anybody();
  const ids = town.random.sample(inbox.known, 10).map(({ id }) => id);
  if (ids.length > 0) {
    await town.ask(inbox, 'mutation ($ids: [ID!]!) { batchMarkRead(ids: $ids) { count } }', { variables: { ids } });
  }
};

export const markAll: Act = async (town) => {
  await town.ask(town.anybody(), 'mutation { markAllRead { count } }');
};

export const removeRest: Act = async (town) => {
  const known = pickKnown(town);
  if (!known) return;
  const path = `/api/v1/notifications/${known.id}`;
  const { status } = await town.rest({ method: 'DELETE', path, token: known.inbox.token }, [404]);
  if (status === 200) town.arrivals.leave(known.id);
};

const OLD = 'query { notifications(last: 20) { nodes { id } totalCount } }';

/** Nobody keeps more than this: an inbox of a run that is long must not grow. */
const MOST_KEPT = 120;

/** Whoever has kept too much deletes the oldest. */
export const tidy: Act = async (town) => {
  const inbox = town.anybody();
  const page = await town.ask<{ notifications: { nodes: { id: string }[]; totalCount: number } }>(inbox, OLD);
  if (!page || page.notifications.totalCount <= MOST_KEPT) return;
  const query = 'mutation ($id: ID!) { delete(id: $id) { unreadCount } }';
  await Promise.all(
    page.notifications.nodes.map(async ({ id }) => {
      if (await town.ask(inbox, query, { variables: { id }, ...GONE })) town.arrivals.leave(id);
    }),
  );
};
