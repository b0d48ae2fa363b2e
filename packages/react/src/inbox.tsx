import type { Notification } from '@carillon/client';
import type { ReactNode } from 'react';
import { Panel } from './panel.tsx';

export interface InboxProps {
  /**
   * Called when somebody selects a notification, which is marked as read. It takes the place of following the link; a
   * click with Ctrl, Shift or Command, or the middle button, follows it all the same.
   */
  onSelect?: (notification: Notification) => void;
  /** What is shown of a notification, in place of icon, title, time and text. */
  renderItem?: (notification: Notification) => ReactNode;
}

/** The inbox. It fills its container, which must have a height. */
export function Inbox({ onSelect, renderItem }: InboxProps) {
  return <Panel onSelect={onSelect} renderItem={renderItem} />;
}
