import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { sendTo } from '../sockets/connect.ts';
import { person } from '../support/app.ts';
import { type Stage, openStage } from './stage.ts';

interface Violation {
  id: string;
  nodes: { html: string; failureSummary: string }[];
}

let stage: Stage;
let axe: string;

beforeAll(async () => {
  stage = await openStage();
  axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
}, 240_000);
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
});
afterEach(() => stage.clear());

async function violations(page: Page): Promise<string[]> {
  // What fades in has less contrast for a moment.
  await page.evaluate('Promise.all(document.getAnimations().map(({ finished }) => finished))');
  await page.evaluate(axe);
  const found = await page.evaluate<Violation[]>('axe.run().then(({ violations }) => violations)');
  return found.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html}\n${node.failureSummary}`));
}

const isWider = 'document.documentElement.scrollWidth > document.documentElement.clientWidth';

describe.each(['light', 'dark'] as const)('in the %s theme', (theme) => {
  test.each(['en', 'zh'] as const)(
    'axe finds nothing wrong on any view in %s',
    async (locale) => {
      const { page, pane, complaints } = await stage.open({ preferences: { theme, locale } });
      const zh = locale === 'zh';
      expect(await violations(page)).toEqual([]);
      await page.locator('.intro .primary').click();
      await pane('left').locator('.mark.live').waitFor();
      await pane('right').locator('.mark.live').waitFor();
      await pane('left').locator('.send .primary').click();
      await pane('right').locator('.panel .carillon-item').first().waitFor();
      await pane('left').locator('.more summary').click();
      await pane('left')
        .getByLabel(zh ? '数据（JSON）' : 'Data (JSON)')
        .fill('{');
      await pane('left').locator('.fault').waitFor();
      await page.locator('.frame').last().click();
      expect(await violations(page)).toEqual([]);
      await pane('left').getByRole('tab').nth(1).click();
      await pane('left').locator('.row').first().waitFor();
      await pane('right').getByRole('tab').nth(2).click();
      await pane('right').locator('.panel .empty').waitFor();
      await pane('right').locator('.carillon-bell-button').click();
      await page.getByRole('dialog').waitFor();
      expect(await violations(page)).toEqual([]);
      await page.keyboard.press('Escape');
      await page.locator('.views button').nth(1).click();
      await page.locator('.charts canvas').first().waitFor();
      await page.locator('.admin summary').click();
      expect(await violations(page)).toEqual([]);
      expect(complaints).toEqual([]);
    },
    90_000,
  );
});

test.each([360, 768, 1920])(
  'nothing is cut off at a width of %i px',
  async (width) => {
    const { page, pane } = await stage.open({ viewport: { width, height: 800 } });
    expect(await page.evaluate(isWider)).toBe(false);
    await page.locator('.intro .primary').click();
    await pane('left').locator('.mark.live').waitFor();
    await pane('left').locator('.more summary').click();
    await page.locator('.frame').last().click();
    expect(await page.evaluate(isWider)).toBe(false);
    await page.locator('.views button').nth(1).click();
    await page.locator('.charts canvas').first().waitFor();
    expect(await page.evaluate(isWider)).toBe(false);
  },
  60_000,
);

test('language and theme are remembered', async () => {
  const { page } = await stage.open({ preferences: { theme: 'auto', locale: 'en' } });
  await page.getByRole('radio', { name: '中文' }).check();
  await page.getByRole('radio', { name: '深色' }).check();
  await page.reload();
  await page.getByRole('heading', { name: '每个用户一个有序收件箱，所有设备实时同步' }).waitFor();
  expect(await page.evaluate('document.documentElement.lang')).toBe('zh-CN');
  expect(await page.evaluate('getComputedStyle(document.documentElement).colorScheme')).toBe('dark');
}, 240_000);

test('everything can be done with the keyboard alone', async () => {
  const ada = person();
  await sendTo(stage.app, ada, { title: 'First' });
  const { page, pane, items, signIn, log } = await stage.open();
  const left = await signIn('left', ada);
  await items('left').first().waitFor();
  await page.evaluate('document.body.tabIndex = -1, document.body.focus(), document.body.removeAttribute("tabindex")');
  const focused = 'document.activeElement.textContent';

  /** Presses Tab until the focus is on what matches; fails where it never comes. */
  const tabTo = async (selector: string): Promise<void> => {
    for (let presses = 0; presses < 80; presses += 1) {
      await page.keyboard.press('Tab');
      if (await page.evaluate(`document.activeElement.matches(${JSON.stringify(selector)})`)) return;
    }
    throw new Error(`The Tab key never comes to ${selector}; it is on ${String(await page.evaluate(focused))}`);
  };
  await page.keyboard.press('Tab');
  expect(await page.evaluate(focused)).toBe('Skip to the content');
  await page.keyboard.press('Enter');
  await tabTo('.line-actions button');
  await tabTo('.line-actions button');
  await page.keyboard.press('Enter');
  await left.getByText('live · 1 unread').waitFor();
  await tabTo('.send input[type=text], .send .field input');
  await page.keyboard.press('Control+A');
  await page.keyboard.type('By hand');
  await page.keyboard.press('Enter');
  await items('left').filter({ hasText: 'By hand' }).waitFor();
  await tabTo('[role=tab]');
  await page.keyboard.press('ArrowRight');
  await left.locator('.row').first().waitFor();
  await tabTo('.row button');
  await page.keyboard.press('Enter');
  await left.getByText('Recalled').waitFor();
  await tabTo('.frames');
  await page.keyboard.press('End');
  await page.keyboard.press('ArrowUp');
  await log.getByRole('region', { name: 'Text of the frame' }).waitFor();
  expect(await pane('right').getByRole('heading', { name: 'Log in' }).count()).toBe(1);
}, 240_000);
