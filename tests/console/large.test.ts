import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { fillInboxes } from '../../bench/fill-inboxes.ts';
import { person } from '../support/app.ts';
import { withClient } from '../support/postgres.ts';
import { type Stage, openStage } from './stage.ts';

const ITEMS = 10_000;

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
}, 240_000);
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
});

test('an inbox of 10,000 is scrolled to its end, with no more than a few rows on the page', async () => {
  const ada = person();
  await withClient(stage.app.databaseUrl, (client) =>
    fillInboxes(client, { tenantId: ada.tenantId, userIds: [ada.id], rowsEach: ITEMS }),
  );
  const opened = await stage.open();
  const left = await opened.signIn('left', ada);
  await opened.items('left').first().waitFor();
  await opened.page.evaluate(`new Promise((resolve) => {
    const box = document.querySelector('.panel .carillon-scroller');
    const step = () => {
      if (box.querySelector('[aria-posinset="${ITEMS}"]')) return resolve();
      box.scrollTop = box.scrollHeight;
      requestAnimationFrame(step);
    };
    step();
  })`);
  const last = left.locator(`.panel [aria-posinset="${ITEMS}"]`);
  await last.scrollIntoViewIfNeeded();
  expect(await last.isVisible()).toBe(true);
  expect(await opened.items('left').count()).toBeLessThan(60);
  expect(opened.complaints).toEqual([]);
}, 240_000);
