import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from '@jest/globals';
import { createWebhookChannel } from '../../src/channels/webhook.ts';
import { variableName, loadConfig } from '../../src/config.ts';
import { deliver, failureOf, silent } from './support.ts';

const root = join(import.meta.dirname, '../..');
const document = readFileSync(join(root, 'docs/channels.md'), 'utf8');

test('docs/channels.md has a receiver of webhooks that verifies what it gets', async () => {
  const channel = createWebhookChannel({ webhookAllowPrivate: true }, silent);
  const secret = channel.makeSecret!();
  const [, script = ''] = /^```js\n(.*?)^```$/ms.exec(document) ?? [];
  const receiver = spawn(process.execPath, ['--input-type=module', '-'], {
    cwd: root,
    env: { PATH: process.env['PATH'], WEBHOOK_SECRET: secret, PORT: '0' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = once(receiver, 'exit');
  try {
    receiver.stdin.end(script);
    const lines = createInterface(receiver.stdout)[Symbol.asyncIterator]();
    const [, port] = /^listening on (\d+)$/.exec((await lines.next()).value as string) ?? [];
    const address = `http://localhost:${port}/`;
    expect(await deliver(channel, { address, secrets: [secret] })).toEqual({ status: 'DELIVERED' });
    expect((await lines.next()).value).toBe('notification.sent: Lunch');
    const forged = await failureOf(deliver(channel, { address, secrets: [channel.makeSecret!()] }));
    expect(forged).toMatchObject({ permanent: true, message: 'The webhook answered with status 401.' });
  } finally {
    receiver.kill();
    await exited;
  }
});

test('docs/channels.md names only settings that exist', () => {
  const named = [...document.matchAll(/`([A-Z]+(?:_[A-Z]+)+)(?==|`)/g)].map(([, name]) => name);
  const known = [...Object.keys(loadConfig({})).map(variableName), 'IN_APP', 'WEB_PUSH'];
  expect(named.filter((name) => !known.includes(name!))).toEqual([]);
});
