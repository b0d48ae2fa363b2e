import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Locator } from 'playwright-core';
import { sendTo } from '../sockets/connect.ts';
import { type Person, person } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { type Shown, type Stage, type View, openStage } from './stage.ts';

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
afterEach(async () => {
  stage.link.targetPort = Number(new URL(stage.app.url).port);
  stage.link.heal();
  await stage.clear();
});

const send = (title: string, more: Record<string, unknown> = {}) => sendTo(stage.app, ada, { title, ...more });
const sendMany = async (count: number) => {
  for (let nth = 1; nth <= count; nth += 1) await send(`Nr ${nth}.`);
};
/** The inbox as `ada`, with its first page. */
const show = async (view: View = {}): Promise<Shown> => {
  const shown = await stage.show(ada, { view: 'inbox', ...view });
  await shown.items.first().waitFor();
  return shown;
};
const unreadCount = async (): Promise<number> =>
  (await stage.app.graphql('{ unreadCount }', { token: ada.token })).data.unreadCount;
const item = ({ items }: Shown, title: string): Locator => items.filter({ hasText: title });
const focusedTitle = "document.activeElement.querySelector('h3')?.textContent";
/** Cuts the connection, and lets no new one through. */
const breakLink = (): void => {
  stage.link.targetPort = 9; // Nobody listens there.
  stage.link.cut();
};

describe('the keyboard', () => {
  test('moves through the feed, and stays where it is when something arrives', async () => {
    await sendMany(30);
    const { page, items, until } = await show();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    const at = async (title: string): Promise<void> => {
      await until(`${focusedTitle}?.endsWith('${title}')`);
    };
    for (let presses = 0; presses < 3 && !(await page.evaluate(focusedTitle)); presses += 1)
      await page.keyboard.press('Tab');
    await at('Nr 30.');
    await page.keyboard.press('ArrowDown');
    await at('Nr 29.');
    await send('Nr 31.');
    await items.filter({ hasText: 'Nr 31.' }).waitFor();
    await at('Nr 29.');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('ArrowUp');
    await at('Nr 31.');
    await page.keyboard.press('PageDown');
    await until(`document.activeElement.getAttribute('aria-posinset') > 4`);
    await page.keyboard.press('PageUp');
    await at('Nr 31.');
    await page.keyboard.press('End');
    await until(`document.activeElement.getAttribute('aria-posinset') >= 21`);
    await page.keyboard.press('Home');
    await at('Nr 31.');
    expect(await items.first().getAttribute('aria-setsize')).toBe('31');
  });

  test('reads with Enter, and follows a link that is safe', async () => {
    await send('Path', { link: '/?there' });
    const shown = await show({ isLinked: true });
    await item(shown, 'Path').focus();
    // The page is left before the server has heard of it.
    stage.link.hold('up');
    await shown.page.keyboard.press('Enter');
    await shown.page.waitForURL('**/?there');
    stage.link.release('up');
    await eventually(async () => (await unreadCount()) === 0);
  });

  test('hands what is selected to onSelect instead', async () => {
    await send('Chosen', { link: '/elsewhere' });
    const shown = await show({ switches: ['select'] });
    await item(shown, 'Chosen').focus();
    await shown.page.keyboard.press('Enter');
    await shown.until("seen.selected.length === 1 && !document.querySelector('[data-unread]')");
    await shown.page.getByRole('link', { name: 'Chosen' }).click();
    expect(await shown.page.evaluate('[seen.selected, location.pathname]')).toEqual([['Chosen', 'Chosen'], '/']);
  });

  test('deletes with Delete, and goes on with the next one', async () => {
    await sendMany(3);
    const shown = await show();
    await item(shown, 'Nr 2.').focus();
    await shown.page.keyboard.press('Delete');
    await item(shown, 'Nr 2.').waitFor({ state: 'detached' });
    await shown.until(`${focusedTitle}?.endsWith('Nr 1.')`);
    await shown.page.keyboard.press('Delete');
    await shown.until(`${focusedTitle}?.endsWith('Nr 3.')`);
    await shown.page.keyboard.press('Delete');
    await shown.page.getByText('All quiet').waitFor();
    expect(await shown.page.evaluate('document.activeElement.className')).toBe('carillon-inbox');
    expect(shown.complaints).toEqual([]);
  });
});

describe('what is shown', () => {
  test('is the same in every tab', async () => {
    await sendMany(2);
    const [one, other] = [await show(), await show()];
    await item(one, 'Nr 2.').hover();
    await item(one, 'Nr 2.').getByRole('button', { name: 'Mark as read' }).click();
    await other.page.locator('[data-unread]').filter({ hasText: 'Nr 2.' }).waitFor({ state: 'detached' });
    await item(other, 'Nr 2.').hover();
    await item(other, 'Nr 2.').getByRole('button', { name: 'Mark as unread' }).click();
    await one.page.locator('[data-unread]').filter({ hasText: 'Nr 2.' }).waitFor();
    await other.page.getByRole('button', { name: 'Mark all as read' }).click();
    await one.page.locator('[data-unread]').first().waitFor({ state: 'detached' });
    expect(await unreadCount()).toBe(0);
  });

  test('is text, whatever it looks like', async () => {
    await send('<img src=x onerror="alert(1)"> & <b>bold</b>', { content: '<script>alert(2)</script>' });
    const { items, complaints } = await show();
    expect(await items.getByRole('heading').innerText()).toContain('<img src=x onerror="alert(1)"> & <b>bold</b>');
    expect(await items.locator('p').innerText()).toBe('<script>alert(2)</script>');
    expect(await items.locator('img, b, script').count()).toBe(0);
    expect(complaints).toEqual([]);
  });

  test('links to other sites in a tab of its own, which learns nothing of this page', async () => {
    await send('Out', { link: 'https://example.com/a' });
    const { page } = await show();
    const link = page.getByRole('link', { name: 'Out' });
    expect([await link.getAttribute('rel'), await link.getAttribute('target')]).toEqual([
      'noopener noreferrer',
      '_blank',
    ]);
    await page.context().route('https://example.com/**', (route) => route.fulfill({ body: 'there' }));
    const opened = page.context().waitForEvent('page');
    await link.click();
    expect(await (await opened).evaluate('window.opener')).toBeNull();
  });

  test('is cut when it is long, and can be seen in full', async () => {
    await send('Long', { content: 'word '.repeat(400) });
    await send('Short');
    const shown = await show();
    const height = async (): Promise<number> => (await item(shown, 'Long').boundingBox())!.height;
    const before = await height();
    await item(shown, 'Long').getByRole('button', { name: 'Show all' }).click();
    await item(shown, 'Long').getByRole('button', { name: 'Show less', expanded: true }).waitFor();
    expect(await height()).toBeGreaterThan(before * 2);
    // Out of the page and back in.
    await sendMany(40);
    await item(shown, 'Nr 40.').focus();
    await item(shown, 'Long').waitFor({ state: 'detached' });
    await shown.page.keyboard.press('End');
    await item(shown, 'Long').getByRole('button', { name: 'Show less' }).click();
    expect(await height()).toBe(before);
    expect(await shown.page.evaluate('document.activeElement.textContent')).toBe('Show all');
    expect(await item(shown, 'Short').getByRole('button', { name: 'Show all' }).count()).toBe(0);
    expect(await unreadCount()).toBe(42);
  });

  test('says in words what colours and dots say', async () => {
    await send('Fire', { priority: 'urgent' });
    const { page } = await show();
    await page.getByRole('article', { name: /Unread: Urgent: Fire/ }).waitFor();
    const time = page.locator('time');
    expect(Date.parse((await time.getAttribute('datetime'))!)).toBeGreaterThan(Date.now() - 60_000);
    expect(await time.getAttribute('title')).toContain(String(new Date().getFullYear()));
  });

  test('can be another thing for each notification', async () => {
    await send('mine');
    const { page } = await show({ view: 'custom' });
    await page.getByRole('article', { name: 'mine' }).getByText('MINE').waitFor();
  });
});

describe('a change that fails', () => {
  test('is shown at once, taken back with a message, and can be tried again', async () => {
    await sendMany(2);
    const shown = await show({ isLinked: true });
    const { page } = shown;
    stage.link.hold('up');
    await item(shown, 'Nr 2.').hover();
    await item(shown, 'Nr 2.').getByRole('button', { name: 'Delete' }).click();
    await item(shown, 'Nr 2.').waitFor({ state: 'detached' });
    stage.link.heal();
    breakLink();
    const alert = page
      .getByRole('alert')
      .filter({ hasText: '“Nr 2.” could not be deleted. The server cannot be reached.' });
    await alert.waitFor();
    await item(shown, 'Nr 2.').waitFor();
    stage.link.targetPort = Number(new URL(stage.app.url).port);
    await alert.getByRole('button', { name: 'Try again' }).click();
    await item(shown, 'Nr 2.').waitFor({ state: 'detached' });
    await page.locator('.carillon-toast').waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Try now' }).waitFor({ state: 'detached' });
    expect(await unreadCount()).toBe(1);
  });

  test('is told together with others, and can be dismissed', async () => {
    await sendMany(3);
    const shown = await show({ isLinked: true });
    breakLink();
    for (const title of ['Nr 3.', 'Nr 2.']) {
      await item(shown, title).hover();
      await item(shown, title).getByRole('button', { name: 'Mark as read' }).click();
    }
    await shown.page.getByText('2 changes could not be saved.').waitFor();
    await shown.page.getByRole('button', { name: 'Dismiss' }).click();
    await shown.page.locator('.carillon-toast').waitFor({ state: 'detached' });
    expect(await shown.page.locator('[data-unread]').count()).toBe(3);
  });
});

describe('a lost connection', () => {
  test('is told with the next attempt, and made good', async () => {
    await send('before');
    const shown = await show({ isLinked: true });
    const { page } = shown;
    breakLink();
    await page.getByText(/^Offline\. Next attempt in \d+ s$/).waitFor();
    await send('meanwhile');
    stage.link.targetPort = Number(new URL(stage.app.url).port);
    // At once: a mouse waits until the banner moves no more, and by then it may have come back by itself.
    await page.getByRole('button', { name: 'Try now' }).dispatchEvent('click');
    await item(shown, 'meanwhile').waitFor();
    await page.locator('.carillon-banner').waitFor({ state: 'detached' });
    await page.getByRole('status').filter({ hasText: 'Connected again' }).waitFor({ state: 'attached' });
    expect(shown.complaints).toEqual([]);
  });

  test('by a token that is not accepted is told as such', async () => {
    ada = { ...ada, token: 'stale' };
    const { page } = await stage.show(ada, { view: 'inbox' });
    await page.getByText(/^The sign-in is not accepted\. Next attempt in \d+ s$/).waitFor();
  });
});

describe('what arrives while somebody reads further down', () => {
  const scrollDown = async ({ page, items, until }: Shown): Promise<void> => {
    await items.nth(3).hover();
    await page.mouse.wheel(0, 600);
    await until("document.querySelector('.carillon-scroller').scrollTop > 500");
  };

  test('is held back until its pill is pressed, so that nothing moves', async () => {
    await sendMany(30);
    const shown = await show();
    const { page, until } = shown;
    await scrollDown(shown);
    const target = item(shown, 'Nr 20.');
    const before = await target.boundingBox();
    await send('late 1');
    await page.getByRole('button', { name: '1 new' }).waitFor();
    await send('late 2');
    const pill = page.getByRole('button', { name: '2 new' });
    await pill.waitFor();
    expect(await target.boundingBox()).toEqual(before);
    expect(await target.getAttribute('aria-posinset')).toBe('13');
    await pill.click();
    await until(`${focusedTitle}?.endsWith('late 2')`);
    await pill.waitFor({ state: 'detached' });
    expect(await page.locator('.carillon-scroller').evaluate(({ scrollTop }) => scrollTop)).toBe(0);
  });

  test('moves nothing when something above is deleted elsewhere', async () => {
    await sendMany(30);
    const { id } = await send('doomed');
    const shown = await show();
    await scrollDown(shown);
    const target = item(shown, 'Nr 20.');
    const before = await target.boundingBox();
    await stage.app.rest('DELETE', `/api/v1/notifications/${String(id)}`, { token: ada.token });
    await shown.until("document.querySelector('article').getAttribute('aria-setsize') === '30'");
    expect(await target.boundingBox()).toEqual(before);
  });

  test('is shown when the list is scrolled back to the top', async () => {
    await sendMany(30);
    const shown = await show();
    await scrollDown(shown);
    await send('late');
    await shown.page.getByRole('button', { name: '1 new' }).waitFor();
    await shown.page.mouse.wheel(0, -2000);
    await item(shown, 'late').waitFor();
    expect(await shown.page.locator('.carillon-pill').count()).toBe(0);
  });
});
