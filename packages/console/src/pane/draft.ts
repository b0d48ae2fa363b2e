import type { NotificationChannel, NotificationPriority, NotificationType, SendInput } from '@carillon/client';

/** What stands in the form, as text. `title` and `content` are null while the sample stands there. */
export interface Draft {
  readonly to: 'other' | 'self' | 'id';
  readonly recipientId: string;
  readonly type: NotificationType;
  readonly priority: NotificationPriority;
  readonly channels: readonly NotificationChannel[];
  readonly title: string | null;
  readonly content: string | null;
  readonly link: string;
  readonly data: string;
  readonly relatedType: string;
  readonly relatedId: string;
  readonly idempotencyKey: string;
  /** As `datetime-local` writes it, in the zone of the browser. */
  readonly expiresAt: string;
  readonly sendAt: string;
}

export const emptyDraft: Draft = {
  to: 'other',
  recipientId: '',
  type: 'MESSAGE',
  priority: 'NORMAL',
  channels: [],
  title: null,
  content: null,
  link: '',
  data: '',
  relatedType: '',
  relatedId: '',
  idempotencyKey: '',
  expiresAt: '',
  sendAt: '',
};

/** Whether the text is JSON, or nothing. */
export function isJson(text: string): boolean {
  if (text.trim() === '') return true;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** What is handed to the server; `data` must be JSON. Empty fields are left out. */
export function toInput(
  draft: Draft,
  recipientId: string | undefined,
  sample: { title: string; content: string },
): SendInput {
  const { link, relatedType, relatedId, idempotencyKey } = draft;
  const given = Object.entries({
    recipientId,
    link,
    relatedType,
    relatedId,
    idempotencyKey,
    expiresAt: instant(draft.expiresAt),
    sendAt: instant(draft.sendAt),
  }).filter(([, text]) => text !== undefined && text !== '');
  return {
    title: draft.title ?? sample.title,
    content: draft.content ?? sample.content,
    type: draft.type,
    priority: draft.priority,
    ...(draft.channels.length === 0 ? {} : { channels: draft.channels }),
    ...(draft.data.trim() === '' ? {} : { data: JSON.parse(draft.data) as unknown }),
    ...Object.fromEntries(given),
  };
}

const instant = (local: string): string => (local === '' ? '' : new Date(local).toISOString());
