export type NotificationType = 'SYSTEM' | 'APPROVAL' | 'TASK' | 'MESSAGE' | 'ALERT';
export type NotificationPriority = 'LOW' | 'NORMAL' | 'HIGH' | 'URGENT';
export type NotificationChannel = 'IN_APP' | 'EMAIL' | 'SMS' | 'WEBHOOK' | 'WEB_PUSH';
export type NotificationStatus = 'PENDING' | 'SENT' | 'DELIVERED' | 'READ' | 'FAILED' | 'RECALLED';

/** Something that somebody should know. Times are RFC 3339 in UTC. */
export interface Notification {
  readonly id: string;
  /** Its place in the inbox. */
  readonly cursor: string;
  readonly recipientId: string;
  readonly senderId: string | null;
  readonly type: NotificationType;
  readonly priority: NotificationPriority;
  readonly channel: NotificationChannel;
  readonly status: NotificationStatus;
  readonly title: string;
  readonly content: string;
  readonly link: string | null;
  readonly data: unknown;
  readonly relatedType: string | null;
  readonly relatedId: string | null;
  readonly isRead: boolean;
  readonly readAt: string | null;
  readonly createdAt: string;
  readonly expiresAt: string | null;
}

/** What can be sent; the limits are in the server's schema. */
export interface SendInput {
  /** Who gets it; yourself when absent. */
  readonly recipientId?: string;
  readonly type?: NotificationType;
  readonly title: string;
  readonly content: string;
  readonly link?: string;
  readonly priority?: NotificationPriority;
  readonly channels?: readonly NotificationChannel[];
  readonly data?: unknown;
  readonly relatedType?: string;
  readonly relatedId?: string;
  /** A repetition with the same key sends nothing new. `send` makes one up when it is absent. */
  readonly idempotencyKey?: string;
  readonly expiresAt?: string;
  readonly sendAt?: string;
}

/**
 * - `idle`: not connected, and not asked to be
 * - `connecting`: on the way to the first connection, or to one after a loss
 * - `live`: every change is shown as it happens
 * - `offline`: the connection is lost; the next attempt is at `retryAt`
 */
export type ConnectionStatus = 'idle' | 'connecting' | 'live' | 'offline';

/** The inbox at one moment. A new object for each change; parts that did not change are the same objects. */
export interface InboxSnapshot {
  readonly status: ConnectionStatus;
  /** When the next attempt to connect is made, in ms since the epoch; null unless `offline`. */
  readonly retryAt: number | null;
  /** Why it is offline, or why the first page is not there; null while all is well. */
  readonly error: Error | null;
  /** Newest first, without a hole: everything from the newest down to the oldest that was loaded. */
  readonly items: readonly Notification[];
  /** Of the whole inbox, loaded or not. */
  readonly unreadCount: number;
  /** Of the whole inbox, loaded or not. */
  readonly totalCount: number;
  /** Whether there are older ones that are not loaded. */
  readonly hasMore: boolean;
  /** Whether the first page is still awaited. */
  readonly isLoading: boolean;
  readonly isLoadingMore: boolean;
}

export interface Page {
  /** The point of the log at which the page was read. */
  readonly cursor: string;
  readonly nodes: readonly Notification[];
  readonly totalCount: number;
  readonly unreadCount: number;
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
}

interface Moved {
  readonly cursor: string;
  readonly unreadCount: number;
}

/** What `inboxChanged` tells. */
export type InboxEvent = Moved &
  (
    | { readonly __typename: 'NotificationAdded' | 'NotificationUpdated'; readonly notification: Notification }
    | { readonly __typename: 'NotificationsRead'; readonly ids: readonly string[]; readonly readAt: string }
    | { readonly __typename: 'NotificationsDeleted'; readonly ids: readonly string[]; readonly recalled: boolean }
    | { readonly __typename: 'InboxReset'; readonly reason: string }
  );
