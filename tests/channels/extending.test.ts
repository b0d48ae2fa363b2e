import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempDisposableSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { startServer } from '../process/server.ts';
import { TEST_SECRET, person } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { clientOf } from './client.ts';
import { answering, startFarSide } from './support.ts';

const root = join(import.meta.dirname, '..', '..');
const document = readFileSync(join(root, 'docs', 'extending.md'), 'utf8');
const [types, channel, importLine, line] = [...document.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code!);
const COPIED = ['src', 'package.json', 'tsconfig.json'];
const MOST_LINES = 40;

/** Does to a copy of the sources what the document says. */
function extend(folder: string): void {
  for (const name of COPIED) cpSync(join(root, name), join(folder, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const edit = (name: string, change: (text: string) => string): void => {
    const path = join(folder, name);
    const before = readFileSync(path, 'utf8');
    const after = change(before);
    if (after === before) throw new Error(`${name} has no place for what the document says`);
    writeFileSync(path, after);
  };
  edit('src/entities/notification.ts', (text) => text.replace(/^export const notificationTypes = .*\n/m, types!));
  writeFileSync(join(folder, 'src/channels/chat.ts'), channel!);
  edit('src/channels/index.ts', (text) => importLine + text.replace(/(channelFactories = \{\n)/, `$1${line}`));
}

test('a type and a channel that are added as docs/extending.md says compile, and work on every door', async () => {
  expect([channel, importLine, line].join('').trimEnd().split('\n').length).toBeLessThan(MOST_LINES);
  using folder = mkdtempDisposableSync(join(tmpdir(), 'carillon-extended-'));
  extend(folder.path);
  const tsc = [join(root, 'node_modules/typescript/bin/tsc'), '--noEmit', '-p', '.'];
  const { stdout } = spawnSync(process.execPath, tsc, { cwd: folder.path, encoding: 'utf8' });
  expect(stdout).toBe('');

  await using database = await createTestDatabase();
  await using chat = await startFarSide(answering(200));
  const env = { DATABASE_URL: database.url, JWT_SECRET: TEST_SECRET, WEBHOOK_ALLOW_PRIVATE: 'true' };
  await using server = startServer(env, { cwd: folder.path });
  const url = await server.ready;
  const [admin, uma] = [person({ roles: ['admin'] }), person()];
  const boss = clientOf(url, admin);
  await boss.addContact('CHAT', `http://127.0.0.1:${chat.port}/hooks/1`, uma.id);
  const id = await boss.send({
    recipientId: uma.id,
    type: 'REMINDER',
    channel: 'CHAT',
    title: 'Lunch',
    link: '/lunch',
  });
  const delivered = await eventually(async () => {
    const deliveries = await clientOf(url, uma).deliveries(id);
    return deliveries[0]?.status === 'DELIVERED' && deliveries;
  });
  expect(delivered).toMatchObject([{ channel: 'CHAT', attempts: 1 }]);
  expect(chat.received.map(({ body }) => JSON.parse(body))).toEqual([{ text: 'Lunch\nContent\n/lunch' }]);
  const headers = { authorization: `Bearer ${uma.token}` };
  const listed = await fetch(`${url}/api/v1/notifications?type=reminder`, { headers });
  expect(await listed.json()).toMatchObject({ items: [{ id, type: 'reminder', channel: 'chat' }] });
});
