import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { type Stage, openStage } from './stage.ts';
import { healLink, states } from './states.ts';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** Smallest side that WCAG 2.2 allows of something to press (2.5.8), in px. */
const LEAST_PX = 24;

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
}, 240_000);
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
});
afterEach(async () => {
  healLink(stage);
  await stage.clear();
});

interface Finding {
  id: string;
  nodes: { html: string; failureSummary: string }[];
}

/** What axe finds, of all its rules; also what it takes for good practice only. */
async function violations(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  const { violations: found } = await page.evaluate<{ violations: Finding[] }>('axe.run(document)');
  return found.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`));
}

// Movement would be measured half-way.
const calm = { reducedMotion: 'reduce' } as const;

describe.each(Object.entries(states))('the state “%s”', (_name, state) => {
  test('has no violations in either theme, and everything to press is large enough', async () => {
    const { page, complaints } = await state(stage, { context: { ...calm, colorScheme: 'light' } });
    expect(await violations(page)).toEqual([]);
    await page.emulateMedia({ colorScheme: 'dark' });
    expect(await violations(page)).toEqual([]);
    for (const button of await page.locator('[class*="carillon"] button, button[class*="carillon"]').all()) {
      const { width, height } = (await button.boundingBox())!;
      expect({ text: await button.innerText(), isLarge: width >= LEAST_PX && height >= LEAST_PX }).toMatchObject({
        isLarge: true,
      });
    }
    expect(complaints).toEqual([]);
  });
});

test.each([
  ['light', 'rgb(255, 255, 255)'],
  ['dark', 'rgb(23, 24, 28)'],
] as const)('the %s theme follows the system, and gives way to what is asked for', async (scheme, background) => {
  const other = scheme === 'light' ? 'dark' : 'light';
  const colour = "getComputedStyle(document.querySelector('.carillon-inbox')).backgroundColor";
  const following = await states['empty']!(stage, { context: { colorScheme: scheme } });
  expect(await following.page.evaluate(colour)).toBe(background);
  const asked = await states['empty']!(stage, { theme: scheme, context: { colorScheme: other } });
  expect(await asked.page.evaluate(colour)).toBe(background);
  await asked.page.evaluate("document.body.style.setProperty('--carillon-background', 'rgb(1, 2, 3)')");
  expect(await asked.page.evaluate(colour)).toBe('rgb(1, 2, 3)');
});

test('the focus is seen, also where the system has its own colours', async () => {
  const outline = 'getComputedStyle(document.activeElement).outlineStyle';
  const { page } = await states['keyboard']!(stage, { context: { ...calm, forcedColors: 'active' } });
  expect(await page.evaluate(outline)).toBe('solid');
  await page.keyboard.press('Tab');
  expect(await page.evaluate(outline)).toBe('solid');
});

test('nothing moves for those who asked for that', async () => {
  const { page } = await states['loading']!(stage, { context: calm });
  expect(await page.evaluate('document.getAnimations().length')).toBe(0);
});
