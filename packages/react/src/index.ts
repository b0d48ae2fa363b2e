export { Bell, type BellProps } from './bell.tsx';
export { type InboxActions, type UsedInbox, useInbox, useUnreadCount } from './hooks.ts';
export { Inbox, type InboxProps } from './inbox.tsx';
export type { Locale } from './locale.ts';
export { type Messages, en, zh } from './messages.ts';
export { CarillonProvider, type CarillonProviderProps, type Theme } from './provider.tsx';
