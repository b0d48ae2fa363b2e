import { CarillonError } from '../errors.ts';
import type { Caller } from './caller.ts';
import type { SendInput } from './notification-rules.ts';
import type { Notifications } from './notifications.ts';
import type { Users } from './users.ts';

/** The demo accounts exist in the embedded database only, which is for trying things out. */
export const DEMO_TENANT = 'demo';
export const DEMO_PASSWORD = 'carillon-demo';

export const demoUsers = [
  { username: 'ada', roles: ['admin'] },
  { username: 'sam', roles: ['sender'] },
  { username: 'uma', roles: ['user'] },
] as const;

const welcome: SendInput[] = [
  {
    type: 'SYSTEM',
    title: 'Welcome to Carillon',
    content: 'This inbox is an ordered log. Open it on two devices and watch them agree.',
    link: '/graphql',
  },
  {
    type: 'TASK',
    priority: 'HIGH',
    title: 'Send your first notification',
    content: 'Use the send mutation, or POST /api/v1/notifications.',
    data: { step: 1, of: 3 },
  },
  {
    type: 'APPROVAL',
    title: 'Purchase order 4711 waits for you',
    content: 'Sam asks for two new bells.',
    relatedType: 'purchase_order',
    relatedId: '4711',
  },
];

/** Makes the demo tenant on the first start. Later starts find it and leave it as it is. */
export async function seedDemo(users: Users, notifications: Notifications): Promise<void> {
  for (const { username, roles } of demoUsers) {
    try {
      await users.add({ tenantId: DEMO_TENANT, id: username, username, password: DEMO_PASSWORD, roles });
    } catch (error) {
      if (error instanceof CarillonError && error.code === 'CONFLICT') continue;
      throw error;
    }
    const sender: Caller = {
      tenantId: DEMO_TENANT,
      userId: 'sam',
      roles: ['sender'],
      expiresAtMs: Number.POSITIVE_INFINITY,
      issuedAtMs: 0,
      sessionId: undefined,
    };
    for (const input of welcome) await notifications.send(sender, { ...input, recipientId: username });
  }
}
