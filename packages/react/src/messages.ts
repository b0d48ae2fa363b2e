import type { NotificationPriority, NotificationType } from '@carillon/client';

/** Every text of the components. Replace some of them with the `messages` of `CarillonProvider`. */
export interface Messages {
  /** Heading of the inbox, and name of the bell. */
  readonly title: string;
  /** Label of the bell, from its name. */
  readonly bell: (name: string, unreadCount: number) => string;
  /** Beside the heading, for screen readers. */
  readonly unreadCount: (unreadCount: number) => string;
  readonly unread: string;
  readonly markRead: string;
  readonly markUnread: string;
  readonly markAllRead: string;
  readonly delete: string;
  readonly showAll: string;
  readonly showLess: string;
  /** On the pill that shows what was held back. */
  readonly fresh: (count: number) => string;
  /** Told to screen readers. */
  readonly arrivedOne: (title: string) => string;
  readonly arrivedMany: (count: number) => string;
  readonly loading: string;
  readonly loadingMore: string;
  readonly loadMoreFailed: string;
  readonly end: string;
  readonly emptyTitle: string;
  readonly emptyText: string;
  readonly idle: string;
  readonly connect: string;
  readonly connecting: string;
  readonly offline: (seconds: number) => string;
  readonly signedOut: (seconds: number) => string;
  readonly tryNow: string;
  /** Told to screen readers, which are not told each second. */
  readonly wentOffline: string;
  readonly cameBack: string;
  /** What was not done, to the notification of this title. */
  readonly failed: Readonly<Record<FailureKind, (title: string) => string>>;
  /** Several at once. */
  readonly failedMany: (count: number) => string;
  /** Why: no answer, or an answer that was a refusal. */
  readonly unreachable: string;
  readonly refused: string;
  readonly tryAgain: string;
  readonly dismiss: string;
  readonly priorities: Readonly<Record<NotificationPriority, string>>;
  readonly types: Readonly<Record<NotificationType, string>>;
}

export type FailureKind = 'markRead' | 'markUnread' | 'markAllRead' | 'delete';

const s = (count: number): string => (count === 1 ? '' : 's');

export const en: Messages = {
  title: 'Notifications',
  bell: (name, unreadCount) => (unreadCount === 0 ? name : `${name}, ${unreadCount} unread`),
  unreadCount: (unreadCount) => `${unreadCount} unread`,
  unread: 'Unread',
  markRead: 'Mark as read',
  markUnread: 'Mark as unread',
  markAllRead: 'Mark all as read',
  delete: 'Delete',
  showAll: 'Show all',
  showLess: 'Show less',
  fresh: (count) => `${count} new`,
  arrivedOne: (title) => `New notification: ${title}`,
  arrivedMany: (count) => `${count} new notifications`,
  loading: 'Loading notifications',
  loadingMore: 'Loading older ones',
  loadMoreFailed: 'Older ones could not be loaded.',
  end: 'No older notifications',
  emptyTitle: 'All quiet',
  emptyText: 'What needs your attention will show up here.',
  idle: 'Not connected.',
  connect: 'Connect',
  connecting: 'Connecting…',
  offline: (seconds) => `Offline. Next attempt in ${seconds} s`,
  signedOut: (seconds) => `The sign-in is not accepted. Next attempt in ${seconds} s`,
  tryNow: 'Try now',
  wentOffline: 'Offline',
  cameBack: 'Connected again',
  failed: {
    markRead: (title) => `“${title}” could not be marked as read.`,
    markUnread: (title) => `“${title}” could not be marked as unread.`,
    markAllRead: () => 'Not all could be marked as read.',
    delete: (title) => `“${title}” could not be deleted.`,
  },
  failedMany: (count) => `${count} change${s(count)} could not be saved.`,
  unreachable: 'The server cannot be reached.',
  refused: 'The server refused it.',
  tryAgain: 'Try again',
  dismiss: 'Dismiss',
  priorities: { LOW: 'Low', NORMAL: 'Normal', HIGH: 'High', URGENT: 'Urgent' },
  types: { SYSTEM: 'System', APPROVAL: 'Approval', TASK: 'Task', MESSAGE: 'Message', ALERT: 'Alert' },
};

export const zh: Messages = {
  title: '通知',
  bell: (name, unreadCount) => (unreadCount === 0 ? name : `${name}，${unreadCount} 条未读`),
  unreadCount: (unreadCount) => `${unreadCount} 条未读`,
  unread: '未读',
  markRead: '标为已读',
  markUnread: '标为未读',
  markAllRead: '全部标为已读',
  delete: '删除',
  showAll: '展开',
  showLess: '收起',
  fresh: (count) => `${count} 条新通知`,
  arrivedOne: (title) => `新通知：${title}`,
  arrivedMany: (count) => `${count} 条新通知`,
  loading: '正在加载通知',
  loadingMore: '正在加载更早的通知',
  loadMoreFailed: '无法加载更早的通知。',
  end: '没有更早的通知了',
  emptyTitle: '暂无通知',
  emptyText: '需要您留意的事情会显示在这里。',
  idle: '未连接。',
  connect: '连接',
  connecting: '正在连接…',
  offline: (seconds) => `已离线，${seconds} 秒后重试`,
  signedOut: (seconds) => `登录状态无效，${seconds} 秒后重试`,
  tryNow: '立即重试',
  wentOffline: '已离线',
  cameBack: '已重新连接',
  failed: {
    markRead: (title) => `无法将“${title}”标为已读。`,
    markUnread: (title) => `无法将“${title}”标为未读。`,
    markAllRead: () => '无法全部标为已读。',
    delete: (title) => `无法删除“${title}”。`,
  },
  failedMany: (count) => `${count} 项更改未能保存。`,
  unreachable: '无法连接服务器。',
  refused: '服务器拒绝了该操作。',
  tryAgain: '重试',
  dismiss: '关闭',
  priorities: { LOW: '低', NORMAL: '普通', HIGH: '重要', URGENT: '紧急' },
  types: { SYSTEM: '系统', APPROVAL: '审批', TASK: '任务', MESSAGE: '消息', ALERT: '警报' },
};
