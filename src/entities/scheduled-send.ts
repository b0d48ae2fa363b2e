import { defineEntity, p } from '@mikro-orm/core';
import { notificationPriorities } from './notification.ts';

/** A send that waits for its time: valid, with the id that its notification will have, and in no inbox yet. */
export const ScheduledSend = defineEntity({
  name: 'ScheduledSend',
  tableName: 'scheduled_send',
  indexes: [{ properties: ['sendAt'] }, { properties: ['tenantId', 'senderId', 'sendAt'] }],
  properties: {
    id: p.uuid().primary(),
    tenantId: p.text(),
    senderId: p.text(),
    recipientId: p.text(),
    type: p.text(),
    priority: p.enum(notificationPriorities),
    channel: p.text(),
    title: p.text(),
    content: p.text(),
    link: p.text().nullable(),
    data: p.json().columnType('json').nullable(),
    relatedType: p.text().nullable(),
    relatedId: p.text().nullable(),
    /** Where it goes beside the inbox: `Target`s. */
    targets: p.json().columnType('json').nullable(),
    sendAt: p.datetime(),
    expiresAt: p.datetime().nullable(),
    /** When it was scheduled. */
    createdAt: p.datetime(),
  },
});
