import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { root } from './markdown.ts';
import { openWorkshop, type Workshop } from './workshop.ts';
import { ofEveryTenant } from '../support/every-tenant.ts';

describe('docs/graphql.md', () => {
  let workshop: Workshop;

  beforeAll(async () => {
    workshop = await openWorkshop('docs/graphql.md');
  });
  afterAll(async () => {
    await workshop[Symbol.asyncDispose]();
  });

  test.each(['apollo.mjs', 'urql.mjs', 'graphql-ws.mjs'])(
    'has a program %s that reads, follows, resumes, sends once and marks, and prints what the page says',
    async (name) => {
      expect(await workshop.runFile(name)).toBe(workshop.output('*.mjs'));
    },
  );

  test('has operations that the Relay compiler takes, and a program that does the same with them', async () => {
    await workshop.run(join(root, 'node_modules/.bin/relay-compiler'), []);
    expect(await workshop.runFile('relay.mjs')).toBe(workshop.output('*.mjs'));
  });

  test.each(['apollo.mjs', 'urql.mjs', 'relay.mjs', 'graphql-ws.mjs'])(
    'has a program %s that reads anew after a reset, and goes on from there',
    async (name) => {
      const { app, directory } = workshop;
      const ending = 'await load();\nfollow();\n';
      const [program = '', shown] = (await readFile(join(directory, name), 'utf8')).split(ending);
      expect(shown).toMatch(/^await send\('Sent while connected'/);
      // It begins with a cursor of another inbox, and leaves the first send to this test.
      await writeFile(
        join(directory, `reset-${name}`),
        `${program}await load();\ncursor = 'another-one5';\nfollow();\n`,
      );
      const child = spawn(process.execPath, [`reset-${name}`], {
        cwd: directory,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const exited = once(child, 'exit');
      const lines: string[] = [];
      for await (const line of createInterface(child.stdout)) {
        if (lines.push(line) !== 2) continue;
        const uma = {
          tenantId: 'demo',
          userId: 'uma',
          roles: [],
          expiresAtMs: Infinity,
          issuedAtMs: 0,
          sessionId: undefined,
        };
        const notifications = ofEveryTenant(app.app.context.services.notifications);
        await notifications.send(uma, { title: 'Sent while connected', content: 'c' });
      }
      expect(await exited).toEqual([0, null]);
      const told = workshop.output('*.mjs').trim().split('\n');
      expect(lines).toEqual([told[0], ...told]);
    },
  );

  test('has shell lines that log in, read, send once with one key, and mark all as read', async () => {
    const answers = (await workshop.runShell('curl')).map((line) => JSON.parse(line) as unknown);
    const cursor = expect.stringMatching(/^[\w-]{12,}$/);
    const send = { id: expect.any(String), title: 'Lunch' };
    expect(answers).toMatchObject([
      { data: { inboxState: { cursor, unreadCount: 3 }, notifications: { cursor, nodes: [{}, {}] } } },
      { data: { send } },
      { data: { send } },
      { data: { markAllRead: { count: 4, unreadCount: 0, cursor } } },
    ]);
    expect(answers[2]).toEqual(answers[1]);
  });

  test('has a shell line whose stream begins with what is in the inbox', async () => {
    const events = (lines: readonly string[]) => lines.filter((line) => line.startsWith('data: '));
    const lines = await workshop.stream('curl', (all) => events(all).length === 3);
    expect(lines).toContain('event: next');
    const titles = events(lines).map((line) => JSON.parse(line.slice(6)).data.inboxChanged.notification.title);
    expect(titles).toEqual([
      'Welcome to Carillon',
      'Send your first notification',
      'Purchase order 4711 waits for you',
    ]);
  });
});
