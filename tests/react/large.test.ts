import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { fillInboxes } from '../../bench/fill-inboxes.ts';
import { sendTo } from '../sockets/connect.ts';
import { person } from '../support/app.ts';
import { withClient } from '../support/postgres.ts';
import { type Stage, openStage } from './stage.ts';

const ROWS = 10_000;
/** Far more than are in sight, far fewer than there are. */
const MOST_NODES = 60;

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
}, 240_000);
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
});

/** As fast as a wheel that is let go. */
const SCREENS = 3;

/**
 * In the page: scrolls so many screens further each frame, until the end is in sight. Answers with the most articles that
 * there were at once, the last place that was seen, and the frames in which part of the list was bare or out of order.
 */
const SCROLL = `new Promise((resolve) => {
  const scroller = document.querySelector('.carillon-scroller');
  let most = 0, bare = 0, last = 0;
  const step = () => {
    const frame = scroller.getBoundingClientRect();
    const rows = [...scroller.querySelectorAll('article')];
    most = Math.max(most, rows.length);
    const boxes = rows
      .map((row) => ({ place: Number(row.getAttribute('aria-posinset')), box: row.getBoundingClientRect() }))
      .filter(({ box }) => box.bottom > frame.top && box.top < frame.bottom)
      .sort((one, other) => one.box.top - other.box.top);
    last = Math.max(last, ...boxes.map(({ place }) => place));
    if (boxes.some(({ place }, nth) => place !== boxes[0].place + nth)) bare += 1;
    const end = scroller.querySelector('.carillon-end').getBoundingClientRect();
    let covered = frame.top;
    for (const { box } of boxes) if (box.top <= covered + 1) covered = Math.max(covered, box.bottom);
    if (covered + 1 < Math.min(frame.bottom, end.top)) bare += 1;
    if (last === ${ROWS} && end.top < frame.bottom) return resolve({ most, bare, last });
    scroller.scrollTop += ${SCREENS} * frame.height;
    // After the paint: what is looked at is what a person has seen.
    requestAnimationFrame(() => setTimeout(step));
  };
  step();
})`;

test('ten thousand notifications are scrolled through without a hole, with few of them in the page', async () => {
  const ada = person();
  await withClient(stage.app.databaseUrl, (client) =>
    fillInboxes(client, { tenantId: ada.tenantId, userIds: [ada.id], rowsEach: ROWS }),
  );
  const { page, items, complaints } = await stage.show(ada, { view: 'inbox' });
  await items.first().waitFor();
  const result = await page.evaluate<{ most: number; bare: number; last: number }>(SCROLL);
  expect(result).toMatchObject({ bare: 0, last: ROWS });
  expect(result.most).toBeLessThan(MOST_NODES);
  await page.getByText('No older notifications').waitFor();

  // Live all the same: to the top with Home, to what is new with the pill.
  await sendTo(stage.app, ada, { title: 'the newest' });
  await page.getByRole('button', { name: '1 new' }).click();
  await items.filter({ hasText: 'the newest' }).waitFor();
  await page.keyboard.press('End');
  await page.locator(`article[aria-posinset="${ROWS + 1}"]:focus`).waitFor();
  expect(await items.count()).toBeLessThan(MOST_NODES);
  expect(complaints).toEqual([]);
}, 240_000);
