import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { person } from '../support/app.ts';
import { PASSWORD, type Stage, isLive, openStage } from './stage.ts';

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
}, 240_000);
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
});
afterEach(() => stage.clear());

test('a visitor is in with both demo users at one press', async () => {
  const { page, pane, complaints } = await stage.open();
  await page.getByRole('button', { name: 'Start the demo' }).click();
  await isLive(pane('left'));
  await isLive(pane('right'));
  await pane('left').getByRole('heading', { name: 'ada' }).waitFor();
  await pane('right').getByRole('heading', { name: 'uma' }).waitFor();
  expect(complaints).toEqual([]);
}, 240_000);

test('each pane has its own user, with a name and a password or at one press', async () => {
  const { pane, complaints } = await stage.open();
  await pane('left').getByLabel('User name').fill('sam');
  await pane('left').getByLabel('Password', { exact: true }).last().fill(PASSWORD);
  await pane('left').getByLabel('Tenant').fill('demo');
  await pane('left').getByRole('button', { name: 'Log in', exact: true }).click();
  await pane('right').getByRole('button', { name: 'uma' }).click();
  await isLive(pane('left'));
  await isLive(pane('right'));
  await pane('left').getByText('demo · sender').waitFor();
  expect(complaints).toEqual([]);
}, 240_000);

test('a wrong password is told, and lets nobody in', async () => {
  const { pane } = await stage.open();
  await pane('left').getByLabel('User name').fill('ada');
  await pane('left').locator('input[type=password]').fill('wrong');
  await pane('left').getByRole('button', { name: 'Log in', exact: true }).click();
  await pane('left').getByRole('alert').waitFor();
  expect(await pane('left').locator('.desk-header').count()).toBe(0);
}, 240_000);

test('what is no token is told at its field', async () => {
  const { pane } = await stage.open();
  await pane('left').getByRole('radio', { name: 'Token' }).check();
  const field = pane('left').getByLabel('Access token');
  await field.fill('not a token');
  await pane('left').getByRole('button', { name: 'Use this token' }).click();
  await pane('left').getByText('This is not a token').waitFor();
  expect(await field.getAttribute('aria-invalid')).toBe('true');
}, 240_000);

test('a token that the server refuses ends the session, and says so', async () => {
  const { pane } = await stage.open();
  await pane('left').getByRole('radio', { name: 'Token' }).check();
  await pane('left').getByLabel('Access token').fill(`${person().token}x`);
  await pane('left').getByRole('button', { name: 'Use this token' }).click();
  await pane('left').getByText('The session has ended').waitFor();
}, 240_000);

test('nothing is kept over a reload unless the user asks for it', async () => {
  const { page, pane } = await stage.open();
  await pane('left').getByRole('checkbox', { name: 'Stay logged in' }).check();
  await pane('left').getByRole('button', { name: 'sam' }).click();
  await pane('right').getByRole('button', { name: 'uma' }).click();
  await isLive(pane('left'));
  await isLive(pane('right'));
  await page.reload();
  await isLive(pane('left'));
  await pane('right').getByRole('heading', { name: 'Log in' }).waitFor();
  expect(await page.evaluate('JSON.stringify(localStorage)')).not.toContain('eyJ');
}, 240_000);

test('logging out ends the session here and on the server', async () => {
  const { page, pane } = await stage.open();
  await pane('left').getByRole('button', { name: 'sam' }).click();
  await isLive(pane('left'));
  const told = page.waitForResponse((response) => response.url().endsWith('/api/v1/auth/logout'));
  await pane('left').getByRole('button', { name: 'Log out' }).click();
  expect((await told).status()).toBe(200);
  await pane('left').getByRole('heading', { name: 'Log in' }).waitFor();
  expect(await pane('left').getByText('The session has ended').count()).toBe(0);
}, 240_000);

test('an access token that expires is exchanged without a word', async () => {
  await using short = await openStage({ env: { ACCESS_TOKEN_TTL: '6s' } });
  const { page, pane } = await short.open();
  const refreshed = page.waitForResponse((response) => response.url().endsWith('/api/v1/auth/refresh'));
  await pane('left').getByRole('button', { name: 'sam' }).click();
  await isLive(pane('left'));
  expect((await refreshed).status()).toBe(200);
  await isLive(pane('left'));
  await pane('left').getByRole('button', { name: 'Send', exact: true }).click();
  await pane('left').getByText('Sent to yourself').waitFor();
}, 240_000);
