import { defineEntity, p } from '@mikro-orm/core';
import { Inbox } from './inbox.ts';

export const notificationTypes = ['SYSTEM', 'APPROVAL', 'TASK', 'MESSAGE', 'ALERT'] as const;
export const notificationPriorities = ['LOW', 'NORMAL', 'HIGH', 'URGENT'] as const;
export const notificationChannels = ['IN_APP', 'EMAIL', 'SMS', 'WEBHOOK'] as const;
export const notificationStatuses = ['PENDING', 'SENT', 'DELIVERED', 'READ', 'FAILED', 'RECALLED'] as const;

/** A notification at its position in an inbox. */
export const Notification = defineEntity({
  name: 'Notification',
  tableName: 'notification',
  uniques: [{ properties: ['inbox', 'seq'] }],
  indexes: [
    {
      // Of those that changed since they were added: what was only added is found by its position.
      name: 'notification_changed_index',
      expression:
        'create index "notification_changed_index" on "notification" ("inbox_id", "version") where "version" > "seq"',
    },
    {
      name: 'notification_unread_index',
      expression:
        'create index "notification_unread_index" on "notification" ("inbox_id", "seq") where "read_at" is null',
    },
  ],
  properties: {
    /** A UUIDv7: the same on every door. */
    id: p.uuid().primary(),
    inbox: () => p.manyToOne(Inbox).deleteRule('cascade'),
    /** The inbox version at which it was added: its place in the list and in its cursor. */
    seq: p.bigint(),
    /** The inbox version of its last change. */
    version: p.bigint(),
    senderId: p.text().nullable(),
    type: p.enum(notificationTypes),
    priority: p.enum(notificationPriorities),
    channel: p.enum(notificationChannels),
    status: p.enum(notificationStatuses),
    title: p.text(),
    content: p.text(),
    link: p.text().nullable(),
    /** `json`, not `jsonb`: it comes back as it was sent, key order included. */
    data: p.json().columnType('json').nullable(),
    relatedType: p.text().nullable(),
    relatedId: p.text().nullable(),
    readAt: p.datetime().nullable(),
    createdAt: p.datetime(),
  },
});
