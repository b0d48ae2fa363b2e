import type { Notification } from '@carillon/client';
import { type KeyboardEvent, useEffect, useId, useRef, useState } from 'react';
import { useCarillon } from './context.ts';
import { useUnreadCount } from './hooks.ts';
import { bellIcon } from './icons.tsx';
import { Popover } from './popover.tsx';

/** Greater counts are shown as this and a plus. */
const MOST = 99;

export interface BellProps {
  /** As that of `Inbox`. The popover closes. */
  onSelect?: (notification: Notification) => void;
  /** The name of the bell, to which the number of unread ones is added; "Notifications" when absent. */
  label?: string;
  /** With which end of the bell the popover is in line; `end` when absent. */
  align?: 'start' | 'end';
}

/** A bell with the number of unread notifications, which opens the inbox. It rings when something arrives. */
export function Bell({ onSelect, label, align = 'end' }: BellProps) {
  const { inbox, messages, attributes } = useCarillon();
  const unreadCount = useUnreadCount();
  const [isOpen, setIsOpen] = useState(false);
  const [isRinging, setIsRinging] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const root = useRef<HTMLDivElement>(null);
  const id = useId();
  useEffect(() => inbox.onAdded(() => setIsRinging(true)), [inbox]);
  useEffect(() => {
    if (!isOpen) return;
    const closeOutside = ({ target }: PointerEvent): void => {
      if (!root.current?.contains(target as Node)) setIsOpen(false);
    };
    document.addEventListener('pointerdown', closeOutside);
    return () => document.removeEventListener('pointerdown', closeOutside);
  }, [isOpen]);

  const close = (): void => {
    setIsOpen(false);
    button.current?.focus();
  };
  const closeOnEscape = (event: KeyboardEvent): void => {
    if (event.key !== 'Escape' || !isOpen) return;
    // Else a dialog around the bell would close as well.
    event.stopPropagation();
    close();
  };
  return (
    <div
      ref={root}
      className="carillon-bell"
      {...attributes}
      onKeyDown={closeOnEscape}
      onBlur={({ relatedTarget }) => {
        if (relatedTarget && !root.current?.contains(relatedTarget)) setIsOpen(false);
      }}
    >
      <button
        ref={button}
        type="button"
        className="carillon-bell-button"
        aria-haspopup="dialog"
        aria-expanded={isOpen}
        aria-controls={isOpen ? id : undefined}
        aria-label={messages.bell(label ?? messages.title, unreadCount)}
        data-ringing={isRinging ? '' : undefined}
        onAnimationEnd={() => setIsRinging(false)}
        onClick={() => setIsOpen(!isOpen)}
      >
        {bellIcon}
        {unreadCount > 0 && (
          <span className="carillon-badge" aria-hidden="true">
            {unreadCount > MOST ? `${MOST}+` : unreadCount}
          </span>
        )}
      </button>
      {isOpen && <Popover id={id} anchor={button} align={align} label={label} onSelect={onSelect} onLeave={close} />}
    </div>
  );
}
