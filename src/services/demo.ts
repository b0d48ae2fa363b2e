import { CarillonError } from '../errors.ts';
import { asTenant } from '../scope.ts';
import type { Caller } from './caller.ts';
import type { SendInput } from './notification-rules.ts';
import type { Notifications } from './notifications.ts';
import type { Tokens } from './tokens.ts';
import type { Users } from './users.ts';

/** The demo accounts exist in the embedded database only, which is for trying things out. */
export const DEMO_TENANT = 'demo';
export const DEMO_PASSWORD = 'carillon-demo';

export const demoUsers = [
  { username: 'ada', roles: ['admin'] },
  { username: 'sam', roles: ['sender'] },
  { username: 'uma', roles: ['user'] },
] as const;

export const demoAccounts = { tenant: DEMO_TENANT, password: DEMO_PASSWORD, users: demoUsers };

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
export const seedDemo = (users: Users, notifications: Notifications): Promise<void> =>
  asTenant(DEMO_TENANT, () => seed(users, notifications));

async function seed(users: Users, notifications: Notifications): Promise<void> {
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

/** The addresses to listen on that no other machine reaches. */
export const isLoopback = (host: string): boolean => ['127.0.0.1', '::1', 'localhost'].includes(host);

/**
 * Makes access tokens of ada, who may do everything, for trying things out; none when this server cannot sign, or ada has
 * been removed. For a server that only this machine reaches: they are given to whoever asks.
 */
export const createDemoTokens =
  (users: Users, tokens: Tokens): (() => Promise<string | undefined>) =>
  async () => {
    const ada = tokens.canSign ? await asTenant(DEMO_TENANT, () => users.byId(DEMO_TENANT, 'ada')) : undefined;
    return ada && tokens.sign({ tenantId: ada.tenantId, userId: ada.id, roles: ada.roles });
  };
