import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { sendTo } from '../sockets/connect.ts';
import { type Person, person } from '../support/app.ts';
import { type Stage, openStage } from './stage.ts';

let stage: Stage;
let admin: Person;
let uma: Person;

beforeAll(async () => {
  stage = await openStage();
}, 240_000);
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
});
beforeEach(() => {
  const tenantId = randomUUID();
  admin = person({ tenantId, roles: ['admin'] });
  uma = person({ tenantId });
});
afterEach(() => stage.clear());

test('only an admin has statistics', async () => {
  const opened = await stage.open();
  await opened.signIn('right', uma);
  expect(await opened.page.getByRole('button', { name: 'Statistics' }).count()).toBe(0);
  await opened.signIn('left', admin);
  await opened.page.getByRole('button', { name: 'Statistics' }).waitFor();
}, 240_000);

test('statistics follow what happens, and both inboxes stay connected meanwhile', async () => {
  const { page, signIn, pane, complaints } = await stage.open();
  await signIn('left', admin);
  await signIn('right', uma);
  await page.getByRole('button', { name: 'Statistics' }).click();
  const figure = (name: string) => page.locator('.figure').filter({ hasText: name }).locator('dd');
  await figure('Online users').getByText('2', { exact: true }).waitFor();
  await figure('Sent today').getByText('0', { exact: true }).waitFor();
  await sendTo(stage.app, uma, { title: 'Counted', type: 'alert' });
  await figure('Sent today').getByText('1', { exact: true }).waitFor();
  await page.getByRole('row', { name: 'Alert 1' }).waitFor();
  await page.getByRole('row', { name: 'Inbox 1' }).waitFor();
  await page.locator('.charts canvas').nth(2).waitFor();
  await page.getByText('As a table').click();
  await page.getByRole('columnheader', { name: 'Connections' }).waitFor();
  // Also of moments in which nothing happened.
  await page.locator('.table-box tbody tr').nth(3).waitFor();
  await page.locator('.online li').nth(1).waitFor();
  await page.getByLabel('User id').fill(uma.id);
  await page.getByRole('button', { name: 'Look' }).click();
  await page.getByText(`${uma.id} is online, with 1 connection.`).waitFor();
  await page.getByLabel('User id').fill('nobody');
  await page.getByRole('button', { name: 'Look' }).click();
  await page.getByText('nobody is offline, and was never seen.').waitFor();
  await page.getByRole('button', { name: 'Inboxes' }).click();
  await pane('right').getByRole('button', { name: 'Right inbox, 1 unread' }).waitFor();
  expect(complaints).toEqual([]);
}, 240_000);
