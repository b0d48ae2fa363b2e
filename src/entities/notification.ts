import { defineEntity, p } from '@mikro-orm/core';
import { Inbox } from './inbox.ts';

export const notificationTypes = ['SYSTEM', 'APPROVAL', 'TASK', 'MESSAGE', 'ALERT'] as const;
export const notificationPriorities = ['LOW', 'NORMAL', 'HIGH', 'URGENT'] as const;
export const notificationStatuses = ['PENDING', 'SENT', 'DELIVERED', 'READ', 'FAILED', 'RECALLED'] as const;

/** A notification at its position in an inbox. One that is RECALLED stays for its sender, and is in the inbox no more. */
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
        'create index "notification_unread_index" on "notification" ("inbox_id", "seq") where "read_at" is null and "status" <> \'RECALLED\'',
    },
    {
      name: 'notification_expires_index',
      expression:
        'create index "notification_expires_index" on "notification" ("expires_at") where "expires_at" is not null and "status" <> \'RECALLED\'',
    },
    // What somebody sent, in order of creation.
    { name: 'notification_sent_index', properties: ['tenantId', 'senderId', 'id'] },
  ],
  properties: {
    /** A UUIDv7: the same on every door. */
    id: p.uuid().primary(),
    /**
     * The tenant of the inbox, for the sender's side, which has no inbox to begin at. Absent from what an instance of a
     * version before this column stores while a newer one already runs beside it: its sender does not find that listed.
     */
    tenantId: p.text().nullable(),
    inbox: () => p.manyToOne(Inbox).deleteRule('cascade'),
    /** The inbox version at which it was added: its place in the list and in its cursor. */
    seq: p.bigint(),
    /** The inbox version of its last change. */
    version: p.bigint(),
    senderId: p.text().nullable(),
    /** One of `notificationTypes`. The database takes any, so that a new one needs no migration. */
    type: p.text(),
    priority: p.enum(notificationPriorities),
    /** IN_APP, or the first of the channels by which it goes out as well: which there are is not the log’s business. */
    channel: p.text(),
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
    /** From then on it leaves the inbox by itself; never when null. */
    expiresAt: p.datetime().nullable(),
  },
});
