import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { chromium } from 'playwright-core';
import { freePort } from '../../src/database/free-port.ts';
import { openWorkshop, type Workshop } from './workshop.ts';
import { ofEveryTenant } from '../support/every-tenant.ts';

const isEvent = (line: string): boolean => line.startsWith('data: ');

describe('docs/getting-started.md', () => {
  let workshop: Workshop;
  let port: number;

  beforeAll(async () => {
    // The server has to know the page's origin when it starts.
    port = await freePort();
    workshop = await openWorkshop('docs/getting-started.md', {
      env: { ALLOWED_ORIGINS: `http://localhost:${port}` },
    });
  });
  afterAll(async () => {
    await workshop[Symbol.asyncDispose]();
  });

  test('has shell lines that log in, send over both doors, and read', async () => {
    const answers = (await workshop.runShell('first-steps')).map((line) => JSON.parse(line) as unknown);
    expect(answers).toEqual([
      { data: { send: { id: expect.any(String), title: 'Lunch' } } },
      expect.objectContaining({ user_id: 'uma', sender_id: 'sam', title: 'Dinner' }),
      {
        data: {
          unreadCount: 5,
          notifications: {
            nodes: [
              { title: 'Dinner', isRead: false },
              { title: 'Lunch', isRead: false },
            ],
          },
        },
      },
    ]);
  });

  test('has a shell line whose stream begins with what is in the inbox', async () => {
    const lines = await workshop.stream('first-steps', (all) => all.filter(isEvent).length === 3);
    const titles = lines
      .filter(isEvent)
      .map((line) => JSON.parse(line.slice('data: '.length)).data.notificationAdded.title);
    expect(titles.at(0)).toBe('Welcome to Carillon');
  });

  test('has a page with a bell that counts what comes, shows it, and is at nought when it was pressed', async () => {
    const { app, directory } = workshop;
    await using resources = new AsyncDisposableStack();
    const site = spawn(process.execPath, ['page.mjs'], {
      cwd: directory,
      env: { PORT: String(port) },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    resources.defer(async () => {
      const exited = once(site, 'exit');
      site.kill();
      await exited;
    });
    const [address] = (await once(createInterface(site.stdout), 'line')) as [string];
    const browser = resources.use(
      await chromium.launch({ executablePath: process.env['CHROMIUM_PATH']!, args: ['--headless', '--no-sandbox'] }),
    );
    const page = await browser.newPage();
    await page.goto(address);
    const count = page.locator('#count');
    const notifications = ofEveryTenant(app.app.context.services.notifications);
    const caller = {
      tenantId: 'demo',
      userId: 'uma',
      roles: [],
      expiresAtMs: Infinity,
      issuedAtMs: 0,
      sessionId: undefined,
    };
    const before = await notifications.unreadCount(caller);
    await page.getByText(`🔔 ${before}`).waitFor();

    await notifications.send({ ...caller, userId: 'sam' }, { recipientId: 'uma', title: '<b>Tea</b>', content: '…' });
    await page.getByText('<b>Tea</b>', { exact: true }).waitFor();
    expect(await count.textContent()).toBe(String(before + 1));

    await page.locator('#bell').click();
    await page.getByText('🔔 0').waitFor();
    expect(await notifications.unreadCount(caller)).toBe(0);
  });
});
