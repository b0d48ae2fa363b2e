import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { badInput } from '../graphql/operations.ts';
import { BEGINNING, connectGraphQL, connectLegacy } from '../sockets/connect.ts';
import { type Person, type TestApp, person, startApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { withClient } from '../support/postgres.ts';
import type { SocketClient } from '../support/socket-client.ts';
import { clientOf } from './client.ts';
import { type FarSides, startFarSides } from './far-sides.ts';

const ATTEMPTS = 3;
const STATUSES = 'select status, attempts, last_error from delivery';

let far: FarSides;
let app: TestApp;
let admin: ReturnType<typeof clientOf>;
let uma: Person;

beforeAll(async () => {
  far = await startFarSides();
  app = await startApp({
    env: { ...far.env, DELIVERY_RETRY_BASE: '20ms', DELIVERY_ATTEMPTS: String(ATTEMPTS), DELIVERY_TIMEOUT: '1s' },
  });
  admin = clientOf(app.url, person({ roles: ['admin'] }));
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
  await far[Symbol.asyncDispose]();
});
beforeEach(async () => {
  uma = person();
  await admin.addContact('EMAIL', 'uma@example.com', uma.id);
});
afterEach(async () => {
  // Those of the tenant would get what the next test sends.
  const { contacts } = await admin.ask<{ contacts: { id: string }[] }>('{ contacts { id } }');
  for (const { id } of contacts) await admin.ask('mutation ($id: ID!) { removeContact(id: $id) { id } }', { id });
});

const umas = () => clientOf(app.url, uma);
const deliveriesOf = (id: string) => umas().deliveries(id);
const come = (id: string, status: string) =>
  eventually(async () => {
    const deliveries = await deliveriesOf(id);
    const hasCome = deliveries.length > 0 && deliveries.every((delivery) => delivery.status === status);
    return hasCome ? deliveries : undefined;
  });

test('a server that begins to send outside has nothing to warn of', async () => {
  await using fresh = await startApp({ env: far.env });
  const boss = clientOf(fresh.url, person({ roles: ['admin'] }));
  await boss.addContact('EMAIL', 'uma@example.com', uma.id);
  const id = await boss.send({ recipientId: uma.id, channel: 'EMAIL', title: 'First' });
  await eventually(async () => (await clientOf(fresh.url, uma).deliveries(id))[0]?.status === 'SENT');
  expect(fresh.logged.filter((line) => (JSON.parse(line) as { level: number }).level >= 40)).toEqual([]);
});

describe('a send by a channel', () => {
  test('is in the inbox and live at once, goes out, and tells each step live', async () => {
    await using socket = await connectGraphQL(app, uma);
    const query = `subscription ($after: String) { inboxChanged(after: $after) { __typename
      ... on NotificationAdded { unreadCount notification { id channel status } }
      ... on NotificationUpdated { unreadCount notification { id deliveries { channel status attempts } } } } }`;
    socket.send({ id: '1', type: 'subscribe', payload: { query, variables: { after: BEGINNING } } });
    await using device = await connectLegacy(app, uma, { since: BEGINNING });
    far.refuse('EMAIL', 1);
    const id = await admin.send({ recipientId: uma.id, channel: 'EMAIL', title: 'Live' });
    expect(await changeOf(socket)).toEqual({
      __typename: 'NotificationAdded',
      unreadCount: 1,
      notification: { id, channel: 'EMAIL', status: 'SENT' },
    });
    expect(await device.next()).toMatchObject({ type: 'notification', notification: { id } });
    const steps = [await changeOf(socket), await changeOf(socket)];
    expect(steps).toMatchObject([
      { __typename: 'NotificationUpdated', unreadCount: 1 },
      {
        __typename: 'NotificationUpdated',
        unreadCount: 1,
        notification: { id, deliveries: [{ channel: 'EMAIL', status: 'SENT', attempts: 2 }] },
      },
    ]);
    expect(far.accepted.EMAIL.filter((title) => title === 'Live')).toHaveLength(1);
  });

  test('that goes on after its notification was read is no word to the raw socket', async () => {
    // The mail server says nothing for a second: time to read it, and to listen.
    far.hold('EMAIL');
    const id = await admin.send({ recipientId: uma.id, channel: 'EMAIL', title: 'Read early' });
    await umas().ask('mutation ($id: ID!) { markRead(id: $id) { id } }', { id });
    await using device = await connectLegacy(app, uma);
    await come(id, 'SENT');
    device.send({ type: 'ping' });
    const told: string[] = [];
    for (let message = await device.next(); message['type'] !== 'pong'; message = await device.next()) {
      if (message['type'] === 'unread') told.push(...message['notification_ids']);
    }
    expect(told).not.toContain(id);
  });

  test('is tried until it is tried no more, and says why', async () => {
    far.refuse('EMAIL', ATTEMPTS);
    const before = far.attempts.EMAIL;
    const id = await admin.send({ recipientId: uma.id, channel: 'EMAIL' });
    const [delivery] = await come(id, 'FAILED');
    expect(delivery).toMatchObject({ attempts: ATTEMPTS, nextAttemptAt: null });
    expect(delivery?.lastError).toMatch(/451/);
    expect(far.attempts.EMAIL - before).toBe(ATTEMPTS);
  });

  test('whose far side never answers is tried again after the time-out', async () => {
    far.hold('EMAIL');
    const id = await admin.send({ recipientId: uma.id, channel: 'EMAIL', title: 'Slow' });
    const failed = await eventually(async () => {
      const [delivery] = await deliveriesOf(id);
      return delivery?.lastError && delivery;
    });
    expect(failed).toMatchObject({ status: 'PENDING', lastError: 'There was no answer within 1 s.' });
    expect(await come(id, 'SENT')).toMatchObject([{ attempts: 2, lastError: null }]);
  });

  test('goes to every webhook of the tenant, and one that is gone is removed', async () => {
    const { contact } = await admin.addContact('WEBHOOK', far.webhookUrl);
    await admin.addContact('WEBHOOK', `${far.webhookUrl}/other`);
    const id = await admin.send({ recipientId: uma.id, channels: ['WEBHOOK', 'EMAIL'] });
    const deliveries = await eventually(async () => {
      const all = await deliveriesOf(id);
      return all.every(({ status }) => status !== 'PENDING') ? all : undefined;
    });
    expect(deliveries.map(({ channel, status }) => [channel, status])).toEqual([
      ['EMAIL', 'SENT'],
      ['WEBHOOK', 'DELIVERED'],
      ['WEBHOOK', 'DELIVERED'],
    ]);
    await admin.ask('mutation ($id: ID!) { removeContact(id: $id) { id } }', { id: contact.id });
    const { contacts } = await admin.ask<{ contacts: { id: string }[] }>('{ contacts { id } }');
    expect(contacts.map((one) => one.id)).not.toContain(contact.id);
  });

  test('is signed with both secrets while one is changed', async () => {
    const { contact, secret } = await admin.addContact('WEBHOOK', far.webhookUrl);
    const { rotateContactSecret: changed } = await admin.ask<{ rotateContactSecret: { secret: string } }>(
      'mutation ($id: ID!) { rotateContactSecret(id: $id) { secret } }',
      { id: contact.id },
    );
    expect(changed.secret).not.toBe(secret);
    await come(await admin.send({ recipientId: uma.id, channel: 'WEBHOOK' }), 'DELIVERED');
    const { body, headers } = far.webhooks.at(-1)!;
    for (const one of [secret as string, changed.secret]) {
      expect(new Webhook(one).verify(body, headers as Record<string, string>)).toMatchObject({
        data: { title: 'Title' },
      });
    }
  });

  test('goes to the addresses that come with it in place of the contacts, by a sender', async () => {
    const sender = clientOf(app.url, person({ roles: ['sender'] }));
    const addresses = [{ channel: 'SMS', address: '+44 20 7183 8750' }];
    const id = await sender.send({ recipientId: uma.id, channels: ['SMS'], addresses, title: 'By number' });
    await eventually(() => far.accepted.SMS.includes('By number'));
    expect(await deliveriesOf(id)).toMatchObject([{ channel: 'SMS' }]);
  });

  test('that is repeated by its key goes out once', async () => {
    const input = { recipientId: uma.id, channel: 'EMAIL', title: 'Once', idempotencyKey: 'k' };
    const ids = await Promise.all([admin.send(input), admin.send(input), admin.send(input)]);
    expect(new Set(ids).size).toBe(1);
    await come(ids[0], 'SENT');
    expect(far.accepted.EMAIL.filter((title) => title === 'Once')).toHaveLength(1);
    await expect(admin.send({ ...input, channels: ['SMS'] })).rejects.toThrow('no address');
  });

  test('that waits for its time goes out then, and not before', async () => {
    const sendAt = new Date(Date.now() + 1500).toISOString();
    const id = await admin.send({ recipientId: uma.id, channel: 'EMAIL', title: 'Later', sendAt });
    expect(far.accepted.EMAIL).not.toContain('Later');
    await eventually(() => far.accepted.EMAIL.includes('Later'), 10_000);
    expect(new Date(sendAt).getTime()).toBeLessThanOrEqual(Date.now());
    await come(id, 'SENT');
  });

  test('is seen by its sender', async () => {
    const sender = person({ roles: ['sender'] });
    const id = await clientOf(app.url, sender).send({ recipientId: uma.id, channel: 'EMAIL' });
    await come(id, 'SENT');
    const query = '{ sentNotifications { edges { node { id deliveries { status } } } } }';
    const { sentNotifications } = await clientOf(app.url, sender).ask<{
      sentNotifications: { edges: { node: object }[] };
    }>(query);
    expect(sentNotifications.edges.map(({ node }) => node)).toEqual([{ id, deliveries: [{ status: 'SENT' }] }]);
  });

  test('is taken by REST, as old callers write it', async () => {
    const { token } = person({ roles: ['admin'] });
    const body = { user_id: uma.id, title: 'By REST', content: 'c', channel: 'email' };
    const answer = await app.rest('POST', '/api/v1/notifications', { token, body });
    expect([answer.status, answer.body.channel]).toEqual([200, 'email']);
    await eventually(() => far.accepted.EMAIL.includes('By REST'));
  });
});

describe('what leaves the inbox', () => {
  test('leaves the house no more when it is recalled, or expires', async () => {
    await using slow = await startApp({ env: { ...far.env, DELIVERY_RETRY_BASE: '10m' } });
    const boss = clientOf(slow.url, person({ roles: ['admin'] }));
    await boss.addContact('EMAIL', 'uma@example.com', uma.id);
    far.refuse('EMAIL', 2);
    const input = { recipientId: uma.id, channel: 'EMAIL', title: 'Never' };
    const recalled = await boss.send(input);
    await boss.send({ ...input, expiresAt: new Date(Date.now() + 1500).toISOString() });
    const statuses = async () => (await withClient(slow.databaseUrl, (client) => client.query(STATUSES))).rows;
    await eventually(async () => (await statuses()).every((row) => row.attempts === 1 && row.last_error !== null));
    await boss.ask('mutation ($id: ID!) { recall(id: $id) { status } }', { id: recalled });
    const query = '{ sentNotifications { edges { node { status deliveries { status } } } } }';
    await eventually(async () => (await statuses()).every(({ status }) => status === 'CANCELLED'));
    expect(await boss.ask(query)).toEqual({
      sentNotifications: { edges: [{ node: { status: 'RECALLED', deliveries: [{ status: 'CANCELLED' }] } }] },
    });
    expect(far.accepted.EMAIL).not.toContain('Never');
  });

  test('does not keep a mail from going out when its owner deletes it', async () => {
    far.refuse('EMAIL', 1);
    const id = await admin.send({ recipientId: uma.id, channel: 'EMAIL', title: 'Deleted' });
    await umas().ask('mutation ($id: ID!) { delete(id: $id) { id } }', { id });
    await eventually(() => far.accepted.EMAIL.includes('Deleted'));
  });
});

describe('bad input', () => {
  test.each([
    ['a recipient without an address', { channel: 'SMS' }, 'channel'],
    ['a tenant without a webhook', { channels: ['EMAIL', 'WEBHOOK'] }, 'channel'],
    [
      'an address that cannot be',
      { channel: 'EMAIL', addresses: [{ channel: 'EMAIL', address: 'nobody' }] },
      'addresses',
    ],
    [
      'an address of another channel',
      { channel: 'EMAIL', addresses: [{ channel: 'SMS', address: '+1' }] },
      'addresses',
    ],
    ['addresses without a channel', { addresses: [{ channel: 'EMAIL', address: 'a@example.com' }] }, 'addresses'],
    [
      'a webhook that comes with the send',
      { channel: 'WEBHOOK', addresses: [{ channel: 'WEBHOOK', address: 'https://a.example' }] },
      'addresses',
    ],
  ])('%s is refused, and nothing is stored', async (_what, input, field) => {
    await expect(admin.send({ recipientId: uma.id, ...input })).rejects.toMatchObject({ extensions: badInput(field) });
    expect(await umas().ask('{ notifications { totalCount } }')).toEqual({ notifications: { totalCount: 0 } });
  });

  test.each([
    ['EMAIL', 'SMTP_URL'],
    ['SMS', 'SMS_ACCOUNT_SID'],
    ['WEB_PUSH', 'VAPID_PUBLIC_KEY'],
  ])('a server without settings for %s names the first one, %s', async (channel, setting) => {
    await using bare = await startApp();
    const { url } = bare;
    const error = clientOf(url, person()).send({ channel });
    await expect(error).rejects.toMatchObject({ extensions: badInput('channel') });
    await expect(error).rejects.toThrow(`not configured on this server: ${setting} is not set`);
  });

  test('users add no addresses but pushes of their own, give none with a send, and see none of others', async () => {
    const mallory = clientOf(app.url, person());
    const forbidden = { extensions: { code: 'FORBIDDEN' } };
    await expect(mallory.addContact('EMAIL', 'uma@example.com')).rejects.toMatchObject(forbidden);
    await expect(mallory.addContact('WEBHOOK', far.webhookUrl)).rejects.toMatchObject(forbidden);
    await expect(mallory.addContact('WEB_PUSH', far.pushSubscription, uma.id)).rejects.toMatchObject(forbidden);
    const addresses = [{ channel: 'EMAIL', address: 'victim@example.com' }];
    await expect(mallory.send({ channel: 'EMAIL', addresses })).rejects.toMatchObject(forbidden);
    await expect(mallory.ask('query ($id: ID) { contacts(userId: $id) { id } }', { id: uma.id })).rejects.toMatchObject(
      forbidden,
    );
    const { contact } = await mallory.addContact('WEB_PUSH', far.pushSubscription);
    const stranger = clientOf(app.url, person({ tenantId: 'other', roles: ['admin'] }));
    const removal = 'mutation ($id: ID!) { removeContact(id: $id) { id } }';
    for (const other of [umas(), stranger]) {
      await expect(other.ask(removal, { id: contact.id })).rejects.toMatchObject({ extensions: { code: 'NOT_FOUND' } });
    }
    expect(await mallory.ask(removal, { id: contact.id })).toEqual({ removeContact: { id: contact.id } });
  });

  test('an owner has at most fifty addresses', async () => {
    const many = person();
    for (let nth = 0; nth < 50; nth++) await admin.addContact('EMAIL', `${nth}@example.com`, many.id);
    const more = admin.addContact('EMAIL', '50@example.com', many.id);
    await expect(more).rejects.toMatchObject({ extensions: badInput('address') });
    await admin.addContact('EMAIL', '49@example.com', many.id);
  });
});

const changeOf = async (socket: SocketClient) => (await socket.next())['payload'].data.inboxChanged;
