export { CarillonError, type ErrorCode } from './errors.ts';
export type { TokenSource } from './http.ts';
export { type Inbox, type InboxOptions, createInbox } from './inbox.ts';
export type {
  ConnectionStatus,
  InboxSnapshot,
  Notification,
  NotificationChannel,
  NotificationPriority,
  NotificationStatus,
  NotificationType,
  SendInput,
} from './types.ts';
