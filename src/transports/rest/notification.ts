import { z } from 'zod';
import { channelNames } from '../../channels/index.ts';
import {
  type Notification,
  notificationPriorities,
  notificationStatuses,
  notificationTypes,
} from '../../services/notification.ts';

const lowerCase = <const T extends readonly string[]>(values: T): Lowercase<T[number]>[] =>
  values.map((value) => value.toLowerCase() as Lowercase<T[number]>);

export const types = z.enum(lowerCase(notificationTypes));
export const priorities = z.enum(lowerCase(notificationPriorities));
export const channels = z.enum(lowerCase(channelNames));

const time = z.string().meta({ format: 'date-time', description: 'RFC 3339, UTC.' });

/** A notification in an answer: absent strings are empty, everything else that is absent is null. */
export const notificationBody = z
  .object({
    id: z.string().meta({ format: 'uuid' }),
    tenant_id: z.string(),
    user_id: z.string().meta({ description: 'The recipient.' }),
    sender_id: z.string(),
    type: types,
    title: z.string(),
    content: z.string(),
    link: z.string(),
    data: z.unknown(),
    priority: priorities,
    channel: channels,
    status: z.enum(lowerCase(notificationStatuses)),
    is_read: z.boolean(),
    read_at: time.nullable(),
    created_at: time,
    expires_at: time.optional().meta({ description: 'Of those that expire.' }),
    send_at: time.optional().meta({ description: 'Of those that are not sent yet.' }),
  })
  .meta({ id: 'Notification' });

const lower = <T extends string>(value: T): Lowercase<T> => value.toLowerCase() as Lowercase<T>;

export const toBody = (
  notification: Omit<Notification, 'cursor' | 'changeCursor'>,
): z.infer<typeof notificationBody> => ({
  id: notification.id,
  tenant_id: notification.tenantId,
  user_id: notification.recipientId,
  sender_id: notification.senderId ?? '',
  type: lower(notification.type),
  title: notification.title,
  content: notification.content,
  link: notification.link ?? '',
  data: notification.data,
  priority: lower(notification.priority),
  channel: lower(notification.channel),
  status: lower(notification.status),
  is_read: notification.readAt !== null,
  read_at: notification.readAt?.toISOString() ?? null,
  created_at: notification.createdAt.toISOString(),
  ...(notification.expiresAt ? { expires_at: notification.expiresAt.toISOString() } : {}),
  ...(notification.sendAt ? { send_at: notification.sendAt.toISOString() } : {}),
});
