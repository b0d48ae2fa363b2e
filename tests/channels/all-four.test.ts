import { expect, test } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { startServer } from '../process/server.ts';
import { TEST_SECRET, person } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { clientOf } from './client.ts';
import { OUTSIDE, startFarSides } from './far-sides.ts';

/** An attempt is given up after this, and its job taken over ten seconds and a look later. */
const TIMEOUT_MS = 1000;
const TAKEN_OVER_MS = TIMEOUT_MS + 10_000 + 5000;

test(
  'one send to all channels, whose far sides fail twice, reaches each once, though an instance is killed amid an attempt',
  async () => {
    await using far = await startFarSides();
    await using database = await createTestDatabase();
    await using running = new AsyncDisposableStack();
    const settings = {
      ...far.env,
      DATABASE_URL: database.url,
      REDIS_URL: process.env['TEST_REDIS_URL'] as string,
      JWT_SECRET: TEST_SECRET,
      DELIVERY_TIMEOUT: `${TIMEOUT_MS}ms`,
      DELIVERY_RETRY_BASE: '500ms',
    };
    const first = running.use(startServer(settings));
    const url = await first.ready;
    const [recipient, admin] = [person(), person({ roles: ['admin'] })];
    const boss = clientOf(url, admin);
    await boss.addContact('EMAIL', 'uma@example.com', recipient.id);
    await boss.addContact('SMS', '+442071838750', recipient.id);
    const { secret } = await boss.addContact('WEBHOOK', far.webhookUrl);
    await clientOf(url, recipient).addContact('WEB_PUSH', far.pushSubscription);

    // The first attempt at the webhook is never answered: the server is killed in its midst.
    for (const channel of OUTSIDE) far.refuse(channel, channel === 'WEBHOOK' ? 1 : 2);
    far.hold('WEBHOOK');
    const id = await boss.send({ recipientId: recipient.id, title: 'All four', channels: OUTSIDE });
    await eventually(() => OUTSIDE.every((channel) => far.attempts[channel] > 0));
    first.child.kill('SIGKILL');
    await first.exited;
    const pending = { EMAIL: 0, SMS: 0, WEBHOOK: 0, WEB_PUSH: 0 };
    expect(Object.keys(pending).map((channel) => far.accepted[channel as keyof typeof pending].length)).toEqual([
      0, 0, 0, 0,
    ]);

    const other = clientOf(await running.use(startServer(settings)).ready, recipient);
    const sent = (channel: string, status: string) => ({ channel, status, attempts: 3, lastError: null });
    const wanted = [
      sent('EMAIL', 'SENT'),
      sent('SMS', 'DELIVERED'),
      sent('WEBHOOK', 'DELIVERED'),
      sent('WEB_PUSH', 'SENT'),
    ];
    await eventually(
      async () => (await other.deliveries(id)).every(({ status }) => status === 'SENT' || status === 'DELIVERED'),
      2 * TAKEN_OVER_MS,
    );
    await eventually(async () => (await other.deliveries(id))[1]?.status === 'DELIVERED', 2 * TAKEN_OVER_MS);
    expect(await other.deliveries(id)).toMatchObject(wanted);
    for (const channel of OUTSIDE) expect([channel, far.accepted[channel]]).toEqual([channel, ['All four']]);
    expect(far.attempts).toEqual({ EMAIL: 3, SMS: 3, WEBHOOK: 3, WEB_PUSH: 3 });
    const [hook] = far.webhooks;
    expect(new Webhook(secret as string).verify(hook!.body, hook!.headers as Record<string, string>)).toMatchObject({
      type: 'notification.sent',
      data: { id, title: 'All four' },
    });
  },
  4 * TAKEN_OVER_MS,
);
