import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { sendTo } from '../sockets/connect.ts';
import { type Person, person } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { type ConsolePage, PASSWORD, type Stage, isLive, openStage } from './stage.ts';

let stage: Stage;
let ada: Person;

beforeAll(async () => {
  stage = await openStage();
}, 240_000);
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
});
beforeEach(() => {
  ada = person();
});
afterEach(() => stage.clear());

/** The texts of all frames, one after the other, as the list and its detail show them. */
async function readAll({ page, log }: ConsolePage): Promise<string[]> {
  const list = log.getByRole('listbox');
  await list.focus();
  await page.keyboard.press('Home');
  const count = Number(await log.locator('.frame').first().getAttribute('aria-setsize'));
  const texts: string[] = [];
  for (let nth = 1; nth <= count; nth += 1) {
    const chosen = log.locator(`[role=option][aria-posinset="${nth}"][aria-selected=true]`);
    texts.push(
      `${await chosen.innerText()}\n${await log.getByRole('region', { name: 'Text of the frame' }).innerText()}`,
    );
    await page.keyboard.press('ArrowDown');
  }
  return texts;
}

test('no token and no password is in the log, and all the rest is', async () => {
  const opened = await stage.open();
  const { page, pane, complaints } = opened;
  const tokens: string[] = [];
  page.on('response', (response) => {
    if (!response.url().endsWith('/auth/login')) return;
    void response
      .json()
      .then((body: Record<string, string>) => tokens.push(body['access_token']!, body['refresh_token']!));
  });
  await pane('left').getByRole('button', { name: 'sam' }).click();
  await isLive(pane('left'));
  await opened.signIn('right', ada);
  await pane('left').getByRole('group', { name: 'Raw socket' }).getByRole('button', { name: 'Connect' }).click();
  await pane('left').getByText('live · 0 unread').waitFor();
  await pane('left').getByRole('button', { name: 'Send', exact: true }).click();
  await pane('left').getByText('Sent to').waitFor();
  const texts = (await readAll(opened)).join('\n');
  expect(tokens).toHaveLength(2);
  for (const secret of [...tokens, ada.token, PASSWORD, 'eyJ']) expect(texts).not.toContain(secret);
  for (const part of [
    'connection_init',
    'connection_ack',
    'subscribe inboxChanged',
    'welcome',
    'token=•••',
    '/auth/login',
  ]) {
    expect(texts).toContain(part);
  }
  expect(complaints).toEqual([]);
}, 240_000);

test('a push is measured from the press of “Send”, and an answer from what it answers', async () => {
  const opened = await stage.open();
  const { log, page } = opened;
  const left = await opened.signIn('left', ada);
  await left.getByRole('group', { name: 'Raw socket' }).getByRole('button', { name: 'Connect' }).click();
  await left.getByRole('button', { name: 'Ping' }).click();
  await left.getByRole('button', { name: 'Send', exact: true }).click();
  await left.getByText('Sent to').waitFor();
  const detailOf = async (type: string): Promise<string> => {
    await page.getByRole('searchbox', { name: 'Filter' }).fill(type);
    await log.locator('.frame').first().click();
    return log.locator('.frame-detail-head').innerText();
  };
  expect(await detailOf('next NotificationAdded')).toMatch(/ms since the press of “Send”/);
  expect(await detailOf('connection_ack')).toMatch(/ms since what it answers/);
  expect(await detailOf('pong')).toMatch(/received.*ms since what it answers/);
  await sendTo(stage.app, ada, { title: 'From elsewhere' });
  expect(await detailOf('From elsewhere')).toMatch(/s since the server created it/);
}, 240_000);

test('it can be paused, filtered, cleared and copied from', async () => {
  const opened = await stage.open({ permissions: ['clipboard-read', 'clipboard-write'] });
  const { log, page } = opened;
  const left = await opened.signIn('left', ada);
  await log.getByRole('combobox', { name: 'Line' }).selectOption('http');
  await log.getByText(/^\d+ of \d+ frames$/).waitFor();
  await log.locator('.frame').first().click();
  await log.getByRole('button', { name: 'Copy' }).click();
  await log.getByRole('button', { name: 'Copied' }).waitFor();
  expect(await page.evaluate('navigator.clipboard.readText()')).toContain('GET /console.json');
  await log.getByRole('combobox', { name: 'Line' }).selectOption('all');
  await log.getByRole('button', { name: 'Pause' }).click();
  await log.getByRole('button', { name: 'Clear' }).click();
  await left.getByRole('button', { name: 'Send', exact: true }).click();
  await log.getByText(/Paused: \d+ not kept/).waitFor();
  expect(await log.locator('.frame').count()).toBe(0);
  await log.getByRole('button', { name: 'Go on' }).click();
  await left.getByRole('button', { name: 'Send', exact: true }).click();
  await log.locator('.frame').first().waitFor();
}, 240_000);

test('it keeps the last thousand, and builds only the rows in view', async () => {
  const opened = await stage.open();
  const { log } = opened;
  const left = await opened.signIn('left', ada);
  // The log alone is to be busy.
  await left.getByRole('tab', { name: 'Scheduled' }).click();
  const sends = Array.from({ length: 1050 }, (_, nth) => sendTo(stage.app, ada, { title: `nth ${nth}` }));
  await Promise.all(sends);
  await log.getByText('1000 frames', { exact: true }).waitFor();
  expect(await log.locator('.frame').count()).toBeLessThan(40);
  // It follows its end.
  await eventually(async () => (await log.locator('.frame').last().getAttribute('aria-posinset')) === '1000');
}, 240_000);
