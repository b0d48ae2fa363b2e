import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Person, type TestApp, person, startApp } from '../support/app.ts';
import { openGraphiql } from '../support/graphiql-driver.ts';

let app: TestApp;
let ada: Person;

beforeAll(async () => {
  app = await startApp();
  ada = person();
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

test('GraphiQL shows a live subscription over WebSocket, and asks no other host for anything', async () => {
  await using page = await openGraphiql(app.graphqlUrl);
  await page.setHeaders({ Authorization: `Bearer ${ada.token}` });
  await page.setQuery('subscription { notificationAdded { title content } }');
  await page.run();
  // The subscription is attached once its feed stands; what is sent from then on must be shown.
  await page.waitFor(() => app.app.context.hub.feedCount === 1);
  await app.rest('POST', '/api/v1/notifications', {
    token: ada.token,
    body: { title: 'Live', content: 'over WebSocket' },
  });
  const shown = await page.waitForResult((_json, text) => text.includes('Live'));
  expect(shown).toContain('over WebSocket');
  expect(page.sockets.at(-1)?.url).toBe(app.graphqlSocketUrl);
  expect(page.foreignRequests).toEqual([]);
  expect(page.consoleErrors).toEqual([]);
}, 60_000);

test('GraphiQL sends and reads with the token of its Headers editor', async () => {
  await using page = await openGraphiql(app.graphqlUrl);
  const bob = person();
  await page.setHeaders({ Authorization: `Bearer ${bob.token}` });
  await page.run('Hello');
  await page.waitForResult((_json, text) => text.includes('"send"'));
  await page.run('Inbox');
  await page.waitForResult((_json, text) => text.includes('"unreadCount": 1'));
  expect(page.foreignRequests).toEqual([]);
}, 60_000);

test('GraphiQL says what is missing when a subscription has no token', async () => {
  await using page = await openGraphiql(app.graphqlUrl);
  await page.setQuery('subscription { notificationAdded { title } }');
  await page.run();
  expect(await page.waitForResult((_json, text) => text.includes('4403'))).toContain('Headers');
}, 60_000);
