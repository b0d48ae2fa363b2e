import { defineEntity, p } from '@mikro-orm/core';

export const deliveryStatuses = ['PENDING', 'SENT', 'DELIVERED', 'FAILED', 'CANCELLED'] as const;

/**
 * A notification on its way to one address outside, recorded in the transaction that stores the notification. Of no
 * foreign key: whoever deletes the notification from the inbox does not stop what was sent by e-mail.
 */
export const Delivery = defineEntity({
  name: 'Delivery',
  tableName: 'delivery',
  indexes: [
    { properties: ['notificationId'] },
    {
      name: 'delivery_due_index',
      expression: 'create index "delivery_due_index" on "delivery" ("due_at") where "due_at" is not null',
    },
    { properties: ['createdAt'] },
  ],
  properties: {
    /** The far side knows repetitions by it. */
    id: p.uuid().primary(),
    tenantId: p.text(),
    notificationId: p.uuid(),
    channel: p.text(),
    address: p.text(),
    /** The contact that the address is of; null for one that came with the send. */
    contactId: p.uuid().nullable(),
    status: p.enum(deliveryStatuses),
    /** Attempts that have begun. */
    attempts: p.integer(),
    lastError: p.text().nullable(),
    /** By which the far side is asked what became of it. */
    reference: p.text().nullable(),
    /** What is delivered; null once nothing is left to do. */
    content: p.json().columnType('json').nullable(),
    createdAt: p.datetime(),
    attemptedAt: p.datetime().nullable(),
    /** When the next attempt, or the next question what became of it, is due; null when none will follow. */
    dueAt: p.datetime().nullable(),
    /** When it came to its present status. */
    changedAt: p.datetime(),
  },
});
