import type { Notification } from '@carillon/client';
import { useCarillon } from './context.ts';
import { checkIcon, deleteIcon, dotIcon } from './icons.tsx';
import type { Messages } from './messages.ts';

interface ItemActionsProps {
  readonly notification: Notification;
  readonly isActive: boolean;
  readonly messages: Messages;
}

/** Mark as read or unread, and delete. The Tab key reaches those of the active item only. */
export function ItemActions({ notification, isActive, messages }: ItemActionsProps) {
  const { changes } = useCarillon();
  const { isRead } = notification;
  const toggle = (): void => (isRead ? changes.markUnread(notification) : changes.markRead(notification));
  const toggleLabel = isRead ? messages.markUnread : messages.markRead;
  const tabIndex = isActive ? 0 : -1;
  return (
    <div className="carillon-item-actions">
      <button
        type="button"
        className="carillon-icon-button"
        tabIndex={tabIndex}
        aria-label={toggleLabel}
        title={toggleLabel}
        onClick={toggle}
      >
        {isRead ? dotIcon : checkIcon}
      </button>
      <button
        type="button"
        className="carillon-icon-button"
        tabIndex={tabIndex}
        aria-label={messages.delete}
        title={messages.delete}
        onClick={() => changes.delete(notification)}
      >
        {deleteIcon}
      </button>
    </div>
  );
}
