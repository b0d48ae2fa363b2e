import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Person, type TestApp, person, startApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { openGraphiql } from '../support/graphiql-driver.ts';
import { createDataDirectory, startServer } from '../process/server.ts';

let app: TestApp;
let ada: Person;

beforeAll(async () => {
  app = await startApp();
  ada = person();
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

/** Resolves when the server has begun a subscription: what is sent from then on is told. */
async function subscriptionBegins(url: string): Promise<void> {
  const begun = /^carillon_graphql_operation_duration_seconds_count\{[^}]*"subscription"[^}]*\} [1-9]/m;
  await eventually(async () => begun.test(await (await fetch(`${url}/metrics`)).text()), 15_000);
}

test('GraphiQL shows a live subscription over WebSocket, and asks no other host for anything', async () => {
  await using page = await openGraphiql(app.graphqlUrl);
  await page.setHeaders({ Authorization: `Bearer ${ada.token}` });
  await page.setQuery('subscription { notificationAdded { title content } }');
  await page.run();
  await subscriptionBegins(app.url);
  await app.rest('POST', '/api/v1/notifications', {
    token: ada.token,
    body: { title: 'Live', content: 'over WebSocket' },
  });
  const shown = await page.waitForResult((_json, text) => text.includes('Live'));
  expect(shown).toContain('over WebSocket');
  expect(page.sockets.at(-1)?.url).toBe(app.graphqlSocketUrl);
  expect(page.foreignRequests).toEqual([]);
  expect(page.consoleErrors).toEqual([]);
}, 240_000);

test('GraphiQL sends and reads with the token of its Headers editor, by its examples', async () => {
  await using page = await openGraphiql(app.graphqlUrl);
  const bob = { Authorization: `Bearer ${person().token}` };
  expect(JSON.parse(await page.headersText())).toEqual({ Authorization: 'Bearer <token>' });
  await page.openTab('Send');
  await page.setHeaders(bob);
  await page.run('Send');
  await page.waitForResult((_json, text) => text.includes('"send"'));
  await page.openTab('Inbox');
  await page.setHeaders(bob);
  await page.run('UnreadCount');
  await page.waitForResult((_json, text) => text.includes('"unreadCount": 1'));
  expect(page.foreignRequests).toEqual([]);
}, 240_000);

test('with the demo, the first visit runs a query, a mutation and a subscription with nothing pasted', async () => {
  await using data = await createDataDirectory();
  await using server = startServer({ DATA_DIR: data.path });
  const url = await server.ready;
  await using page = await openGraphiql(`${url}/graphql`);
  expect(await page.tabTitles()).toEqual([
    'Inbox',
    'MarkAllRead',
    'Send',
    'Live',
    'Sent',
    'Schedule',
    'IsOnline',
    'Contacts',
    'Stats',
  ]);
  await page.run('Inbox');
  await page.waitForResult((_json, text) => text.includes('Welcome to Carillon'));

  await page.openTab('Live');
  await page.run('Live');
  await subscriptionBegins(url);
  // A mutation in another window shows up in this one.
  await using other = await openGraphiql(`${url}/graphql`);
  await other.openTab('Send');
  await other.run('Send');
  await other.waitForResult((_json, text) => text.includes('"title": "Hello"'));
  await page.waitForResult((_json, text) => text.includes('It works.'));

  await page.openTab('Stats');
  await page.run('Stats');
  await page.waitForResult((_json, text) => text.includes('"sends"'));
  expect([...page.foreignRequests, ...page.consoleErrors]).toEqual([]);
}, 240_000);

test('every tab has the demo token, also a new one and after a reload, and the browser stores it nowhere', async () => {
  await using data = await createDataDirectory();
  await using server = startServer({ DATA_DIR: data.path });
  await using page = await openGraphiql(`${await server.ready}/graphql`);
  const tokens = new Set<string>();
  const noteToken = async (): Promise<void> => {
    const { Authorization } = JSON.parse(await page.headersText());
    expect(Authorization).toMatch(/^Bearer [\w-]+\.[\w-]+\.[\w-]+$/);
    tokens.add(Authorization.slice('Bearer '.length));
  };
  for (const title of await page.tabTitles()) {
    await page.openTab(title);
    await noteToken();
  }
  expect(tokens.size).toBe(1);
  const titles = await page.tabTitles();
  await page.page.locator('.graphiql-tab-add').click();
  await noteToken();
  await page.openTab('Send');
  // GraphiQL writes its tabs down a moment after the last change.
  await page.page.waitForFunction(() => {
    const { tabs, activeTabIndex } = JSON.parse(localStorage.getItem('graphiql:tabState') ?? '{}');
    return tabs?.[activeTabIndex]?.variables?.includes('toMyself');
  });
  await page.reload();
  expect(await page.tabTitles()).toHaveLength(titles.length + 1);
  expect(JSON.parse(await page.variablesText())).toMatchObject({ toMyself: { title: 'Hello' } });
  await noteToken();
  expect(tokens.size).toBe(2);
  await page.run('Send');
  await page.waitForResult((_json, text) => text.includes('"send"'));
  const stored = await page.page.evaluate(() => JSON.stringify([localStorage, sessionStorage]));
  for (const token of tokens) expect(stored).not.toContain(token);
}, 240_000);

test('GraphiQL says what is missing when a subscription has no token', async () => {
  await using page = await openGraphiql(app.graphqlUrl);
  await page.setQuery('subscription { notificationAdded { title } }');
  await page.run();
  expect(await page.waitForResult((_json, text) => text.includes('4403'))).toContain('Headers');
}, 240_000);
