// Texts and no parsed documents, so that the package needs no `graphql`. A test validates them against the schema.

const NOTIFICATION = `fragment Item on Notification {
  id cursor recipientId senderId type priority channel status title content link data relatedType relatedId
  isRead readAt createdAt expiresAt
}`;

export const PAGE = `query InboxPage($first: Int!, $after: String) {
  notifications(first: $first, after: $after) {
    cursor totalCount unreadCount
    nodes { ...Item }
    pageInfo { hasNextPage endCursor }
  }
}
${NOTIFICATION}`;

export const CHANGES = `subscription InboxChanges($after: String!) {
  inboxChanged(after: $after) {
    __typename
    ... on NotificationAdded { cursor unreadCount notification { ...Item } }
    ... on NotificationUpdated { cursor unreadCount notification { ...Item } }
    ... on NotificationsRead { cursor unreadCount ids readAt }
    ... on NotificationsDeleted { cursor unreadCount ids recalled }
    ... on InboxReset { cursor unreadCount reason }
  }
}
${NOTIFICATION}`;

export const MARK_READ = 'mutation MarkRead($id: ID!) { markRead(id: $id) { cursor: changeCursor } }';
export const MARK_UNREAD = 'mutation MarkUnread($id: ID!) { markUnread(id: $id) { cursor: changeCursor } }';
export const MARK_ALL_READ = 'mutation MarkAllRead($upTo: String) { markAllRead(upTo: $upTo) { cursor } }';
export const DELETE = 'mutation Delete($id: ID!) { delete(id: $id) { cursor } }';
export const SEND = `mutation Send($input: SendInput!) { send(input: $input) { ...Item } }
${NOTIFICATION}`;
