import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { Browser } from 'playwright-core';
import { type ServerProcess, startServer } from '../process/server.ts';
import { type Person, TEST_SECRET, person } from '../support/app.ts';
import { type TestDatabase, createTestDatabase } from '../support/postgres.ts';
import { launch, openConsole } from './stage.ts';

let database: TestDatabase;
let server: ServerProcess;
let serverUrl: string | undefined;
let browser: Browser;

const start = async (): Promise<void> => {
  // Where it was before, if it was.
  const port = serverUrl === undefined ? '0' : new URL(serverUrl).port;
  server = startServer({ DATABASE_URL: database.url, JWT_SECRET: TEST_SECRET, PORT: port });
  serverUrl = await server.ready;
};

beforeAll(async () => {
  database = await createTestDatabase();
  await start();
  browser = await launch();
}, 240_000);
afterAll(async () => {
  await browser.close();
  await server[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
});

async function send({ id, token }: Person, title: string): Promise<void> {
  const answer = await fetch(`${serverUrl}/api/v1/notifications`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ user_id: id, type: 'message', title, content: 'Content' }),
  });
  expect(answer.status).toBe(200);
}

test('a server that is killed is seen to be gone, and everything sent meanwhile comes with its return', async () => {
  const ada = person();
  const { page, pane, items, signIn } = await openConsole(browser, serverUrl!);
  await send(ada, 'before');
  const left = await signIn('left', ada);
  await items('left').filter({ hasText: 'before' }).waitFor();
  const graphql = left.getByRole('group', { name: 'GraphQL socket' });
  const raw = left.getByRole('group', { name: 'Raw socket' });
  await raw.getByRole('button', { name: 'Connect' }).click();
  await raw.getByText('live · 1 unread').waitFor();

  server.child.kill('SIGKILL');
  await server.exited;
  await graphql.getByText('lost').waitFor();
  await raw.getByText('lost').waitFor();
  await graphql.getByText(/again in \d+ s/).waitFor();
  await items('left').filter({ hasText: 'before' }).waitFor();

  await start();
  for (const title of ['one', 'two', 'three']) await send(ada, title);
  for (const line of [graphql, raw]) {
    await line.getByText('live', { exact: true }).waitFor();
    await line.getByText('resumed').waitFor();
  }
  await raw.getByText('4 unread').waitFor();
  await left.getByRole('button', { name: 'Left inbox, 4 unread' }).waitFor();
  const titles = await items('left').locator('.carillon-item-title').allInnerTexts();
  expect(titles.map((title) => title.replace(/^Unread:\s*/, ''))).toEqual(['three', 'two', 'one', 'before']);

  // The raw socket told the cursor that it came back with.
  await page.getByRole('combobox', { name: 'Line' }).selectOption('legacy');
  await page.getByRole('searchbox', { name: 'Filter' }).fill('since=');
  await page.locator('.frame').first().waitFor();
  expect(await pane('right').getByRole('heading', { name: 'Log in' }).isVisible()).toBe(true);
}, 240_000);
