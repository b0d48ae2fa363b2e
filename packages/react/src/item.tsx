import type { Notification } from '@carillon/client';
import { type CSSProperties, type MouseEvent, type ReactNode, type Ref, memo, useId, useRef } from 'react';
import { useNow } from './clock.ts';
import { useCarillon } from './context.ts';
import { ItemActions } from './item-actions.tsx';
import { downIcon, outIcon, typeIcons, upIcon, urgentIcon } from './icons.tsx';
import { isForeign, safeLink } from './link.ts';
import { fullTime, relativeTime } from './time.ts';
import { useOverflow } from './use-overflow.ts';

export interface ItemProps {
  readonly notification: Notification;
  readonly index: number;
  readonly position: number;
  readonly total: number;
  readonly start: number;
  readonly isActive: boolean;
  readonly isExpanded: boolean;
  readonly measure: Ref<HTMLElement>;
  readonly onActive: (index: number) => void;
  readonly onExpand: (id: string) => void;
  /** A plain click; with `ctrl` and the like the browser follows the link by itself. */
  readonly onSelect: (notification: Notification) => void;
  readonly renderItem: ((notification: Notification) => ReactNode) | undefined;
}

const priorityIcons = { LOW: downIcon, NORMAL: null, HIGH: upIcon, URGENT: urgentIcon };

/** One notification of the feed. */
export const Item = memo(function Item(props: ItemProps) {
  const { notification, index, position, total, start, isActive, measure, onActive, onSelect, renderItem } = props;
  const { messages } = useCarillon();
  const id = useId();
  const select = (event: MouseEvent): void => {
    const isOwn = (event.target as Element).closest('button, input, select, textarea') !== null;
    if (isOwn || event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey) return;
    // Whoever marks text with the mouse wants to copy it.
    if (getSelection()?.type === 'Range') return;
    if ((event.target as Element).closest('a')?.dataset['carillonLink'] !== undefined) event.preventDefault();
    else if ((event.target as Element).closest('a')) return;
    onSelect(notification);
  };
  const style: CSSProperties = { transform: `translateY(${start}px)` };
  return (
    <article
      ref={measure}
      className="carillon-item"
      data-index={index}
      data-unread={notification.isRead ? undefined : ''}
      data-priority={notification.priority.toLowerCase()}
      style={style}
      tabIndex={isActive ? 0 : -1}
      aria-posinset={position}
      aria-setsize={total}
      aria-labelledby={renderItem ? undefined : `${id}-title ${id}-time`}
      aria-describedby={renderItem ? undefined : `${id}-content`}
      aria-label={renderItem ? notification.title : undefined}
      onFocus={() => onActive(index)}
      onClick={select}
    >
      {notification.isRead || <span className="carillon-item-dot" aria-hidden="true" />}
      {renderItem ? renderItem(notification) : <ItemBody {...props} id={id} />}
      <ItemActions notification={notification} isActive={isActive} messages={messages} />
    </article>
  );
});

function ItemBody({ notification, id, isActive, isExpanded, onExpand }: ItemProps & { readonly id: string }) {
  const { messages, formatLocale } = useCarillon();
  const content = useRef<HTMLParagraphElement>(null);
  const isCut = useOverflow(content, isExpanded);
  const { title, type, priority, createdAt } = notification;
  return (
    <>
      <span className="carillon-item-icon" data-type={type.toLowerCase()} title={messages.types[type]}>
        {typeIcons[type]}
      </span>
      <div className="carillon-item-main">
        <div className="carillon-item-head">
          <h3 className="carillon-item-title" id={`${id}-title`} dir="auto">
            {notification.isRead || <span className="carillon-sr">{messages.unread}: </span>}
            {priority === 'NORMAL' || <span className="carillon-sr">{messages.priorities[priority]}: </span>}
            <Title title={title} link={safeLink(notification.link)} isActive={isActive} />
          </h3>
          <Time id={`${id}-time`} dateTime={createdAt} locale={formatLocale} />
        </div>
        <p
          ref={content}
          className="carillon-item-content"
          id={`${id}-content`}
          dir="auto"
          data-expanded={isExpanded ? '' : undefined}
        >
          {notification.content}
        </p>
        {(priority !== 'NORMAL' || isCut) && (
          <div className="carillon-item-foot">
            {priority !== 'NORMAL' && (
              <span className="carillon-tag" data-priority={priority.toLowerCase()} aria-hidden="true">
                {priorityIcons[priority]}
                {messages.priorities[priority]}
              </span>
            )}
            {isCut && (
              <button
                type="button"
                className="carillon-link-button"
                tabIndex={isActive ? 0 : -1}
                aria-expanded={isExpanded}
                aria-controls={`${id}-content`}
                onClick={() => onExpand(notification.id)}
              >
                {isExpanded ? messages.showLess : messages.showAll}
              </button>
            )}
          </div>
        )}
      </div>
    </>
  );
}

function Title({ title, link, isActive }: { title: string; link: string | null; isActive: boolean }) {
  if (link === null) return title;
  const foreign = isForeign(link);
  return (
    <a
      href={link}
      rel="noopener noreferrer"
      target={foreign ? '_blank' : undefined}
      tabIndex={isActive ? 0 : -1}
      data-carillon-link=""
    >
      {title}
      {foreign && outIcon}
    </a>
  );
}

function Time({ id, dateTime, locale }: { id: string; dateTime: string; locale: string }) {
  const time = Date.parse(dateTime);
  return (
    <time id={id} className="carillon-item-time" dateTime={dateTime} title={fullTime(time, locale)}>
      {relativeTime(time, useNow(), locale)}
    </time>
  );
}
