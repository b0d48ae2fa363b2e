import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { sendTo } from '../sockets/connect.ts';
import { type Person, person } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { type Stage, openStage } from './stage.ts';

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

const send = (title: string) => sendTo(stage.app, ada, { title });
const focused = 'document.activeElement.className';

describe('the bell', () => {
  test('shows how many are unread, and rings as it happens', async () => {
    const { page, bell, complaints } = await stage.show(ada);
    await page.getByRole('button', { name: 'Notifications', exact: true }).waitFor();
    expect(await bell.innerText()).toBe('');
    await eventually(() => stage.app.app.context.hub.feedCount === 1);
    await send('first');
    await page.getByRole('button', { name: 'Notifications, 1 unread' }).waitFor();
    const told = (text: string) => page.getByRole('status').filter({ hasText: text }).waitFor({ state: 'attached' });
    await told('New notification: first');
    const { id } = await send('second');
    await page.getByRole('button', { name: 'Notifications, 2 unread' }).waitFor();
    expect(await bell.innerText()).toBe('2');
    await told('New notification: second');
    await stage.app.rest('PUT', `/api/v1/notifications/${id}/read`, { token: ada.token, body: {} });
    await page.getByRole('button', { name: 'Notifications, 1 unread' }).waitFor();
    expect(complaints).toEqual([]);
  });

  test('opens the inbox, with the focus on the newest, and closes with Escape', async () => {
    await send('hello');
    const { page, bell, items } = await stage.show(ada);
    await page.getByRole('button', { name: 'Notifications, 1 unread' }).waitFor();
    expect(await bell.getAttribute('aria-haspopup')).toBe('dialog');
    expect(await bell.getAttribute('aria-expanded')).toBe('false');
    await bell.focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog', { name: 'Notifications' }).waitFor();
    expect(await bell.getAttribute('aria-expanded')).toBe('true');
    await items.first().waitFor();
    expect(await page.evaluate(focused)).toBe('carillon-item');
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect(await page.evaluate(focused)).toBe('carillon-bell-button');
  });

  test('closes with a click elsewhere, and when the Tab key leaves it', async () => {
    await send('hello');
    const { page, bell } = await stage.show(ada);
    const dialog = page.getByRole('dialog');
    await bell.click();
    await dialog.waitFor();
    await page.mouse.click(20, 700);
    await dialog.waitFor({ state: 'detached' });
    await bell.click();
    await dialog.waitFor();
    for (let presses = 0; presses < 9 && (await dialog.count()) > 0; presses += 1) await page.keyboard.press('Tab');
    await dialog.waitFor({ state: 'detached' });
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Elsewhere');
  });

  test('keeps the popover inside the window, at the end it is told', async () => {
    const { page } = await stage.show(ada, { view: 'rename', context: { viewport: { width: 360, height: 640 } } });
    await page.getByRole('button', { name: 'Post' }).click();
    const box = await page.getByRole('dialog', { name: 'Post' }).boundingBox();
    expect(box!.x).toBeGreaterThanOrEqual(8);
    expect(box!.x + box!.width).toBeLessThanOrEqual(352);
    expect(box!.y + box!.height).toBeLessThanOrEqual(632);
  });

  test('speaks Chinese, in the browser’s language unless told otherwise', async () => {
    await send('你好');
    const told = await stage.show(ada, { locale: 'zh' });
    await told.page.getByRole('button', { name: '通知，1 条未读' }).click();
    await told.page.getByRole('button', { name: '全部标为已读' }).waitFor();
    const { page } = await stage.show(ada, { context: { locale: 'zh-CN' } });
    await page.getByRole('button', { name: '通知，1 条未读' }).waitFor();
    expect(await page.locator('.carillon-bell').getAttribute('lang')).toBe('zh-CN');
  });

  test('takes texts of one’s own', async () => {
    const { page } = await stage.show(ada, { switches: ['words'] });
    await page.getByRole('button', { name: 'What is new' }).click();
    await page.getByRole('heading', { name: 'What is new' }).waitFor();
  });
});

describe('the provider', () => {
  test('holds one connection under StrictMode, whatever the identity of the token callback', async () => {
    const { page, complaints } = await stage.show(ada, { switches: ['strict'] });
    await send('hello');
    await page.getByRole('button', { name: 'Notifications, 1 unread' }).waitFor();
    await eventually(() => stage.app.app.context.hub.feedCount === 1);
    const asked = await page.evaluate('seen.tokensAsked');
    for (let nth = 1; nth <= 3; nth += 1) {
      await page.evaluate('seen.renderAgain()');
      await page.locator(`[data-renders="${nth}"]`).waitFor();
    }
    await send('again');
    await page.getByRole('button', { name: 'Notifications, 2 unread' }).waitFor();
    expect(await page.evaluate('seen.tokensAsked')).toBe(asked);
    expect(complaints).toEqual([]);
  });

  test('takes an inbox that was made elsewhere', async () => {
    await send('hello');
    const { page, complaints } = await stage.show(ada, { switches: ['strict', 'handed'] });
    await page.getByRole('button', { name: 'Notifications, 1 unread' }).waitFor();
    expect(complaints).toEqual([]);
  });

  test('shows another inbox when the text of the token changes', async () => {
    await send('hello');
    const { page } = await stage.show(ada, { switches: ['text'] });
    await page.getByRole('button', { name: 'Notifications, 1 unread' }).waitFor();
    await page.evaluate(`seen.token = ${JSON.stringify(person().token)}; seen.renderAgain()`);
    await page.getByRole('button', { name: 'Notifications', exact: true }).waitFor();
    await eventually(() => stage.app.app.context.hub.feedCount === 1);
  });

  test('ends the connection when it is unmounted', async () => {
    const { page } = await stage.show(ada);
    await send('hello');
    await page.getByRole('button', { name: 'Notifications, 1 unread' }).waitFor();
    await page.evaluate('seen.unmount()');
    await eventually(() => stage.app.app.context.hub.feedCount === 0);
  });
});
