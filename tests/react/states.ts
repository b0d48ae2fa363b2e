import { withClient } from '../support/postgres.ts';
import { type Person, person } from '../support/app.ts';
import { sendTo } from '../sockets/connect.ts';
import type { Shown, Stage, View } from './stage.ts';

/** Puts a page into one of the states that an inbox has. */
export type State = (stage: Stage, look: View) => Promise<Shown>;

const LONG =
  'The nightly export stopped at 02:14 because the disk of the reporting host was full. What was written until then is ' +
  'kept.\n\nFree at least 20 GB and start it again from the console; it goes on where it stopped. Nobody has to send ' +
  'anything anew. The dashboards show the figures of yesterday until it is through.';

const MINUTE_S = 60;
const HOUR_S = 3600;
const DAY_S = 86_400;

/** Oldest first. */
const LETTERS = [
  {
    age: 40 * DAY_S,
    type: 'system',
    title: 'Your plan was renewed',
    content: 'The invoice is in the billing section.',
    isRead: true,
  },
  {
    age: 3 * DAY_S,
    type: 'task',
    title: 'Rotate the signing keys',
    content: 'Due at the end of the month. The runbook has every step.',
    priority: 'low',
    isRead: true,
  },
  {
    age: DAY_S,
    type: 'message',
    title: 'Mira mentioned you in “Release notes”',
    content: 'Could you look over the part about cursors before we publish?',
    link: '/notes/12',
    isRead: true,
  },
  { age: 7 * HOUR_S, type: 'alert', title: 'Export stopped', content: LONG, priority: 'high' },
  {
    age: 2 * HOUR_S,
    type: 'message',
    title: 'Jonas replied',
    content: 'Looks good to me. Shall we ship it on Thursday, after the freeze?',
    link: '/threads/7',
  },
  {
    age: 24 * MINUTE_S,
    type: 'approval',
    title: 'Approve the budget for Q3',
    content: 'Sana asks for 12 seats more in the design team.',
    link: 'https://example.com/budgets/3',
    priority: 'high',
  },
  {
    age: 6 * MINUTE_S,
    type: 'task',
    title: 'Review the draft of the security policy',
    content: 'Two comments are open. It goes to the board on Friday.',
    link: '/tasks/31',
  },
  {
    age: 40,
    type: 'alert',
    title: 'Error rate above 5 % in eu-west',
    content: 'Checkout answers slowly since 14:02. On call: Priya.',
    priority: 'urgent',
  },
];

/** Somebody with an inbox as people have it. */
export async function busyPerson({ app }: Stage): Promise<Person> {
  const ada = person();
  for (const { age, isRead, ...letter } of LETTERS) {
    const { id } = await sendTo(app, ada, letter);
    if (isRead) await app.rest('PUT', `/api/v1/notifications/${String(id)}/read`, { token: ada.token, body: {} });
    await withClient(app.databaseUrl, (client) =>
      client.query('update notification set created_at = now() - make_interval(secs => $2) where id = $1', [id, age]),
    );
  }
  return ada;
}

/** All of them, by name. */
export const states: Record<string, State> = {
  async closed(stage, look) {
    const shown = await stage.show(await busyPerson(stage), look);
    await shown.page.locator('.carillon-badge').waitFor();
    return shown;
  },
  async open(stage, look) {
    const shown = await states['closed']!(stage, look);
    await shown.bell.click();
    await shown.items.last().waitFor();
    return shown;
  },
  async filled(stage, look) {
    const shown = await stage.show(await busyPerson(stage), { ...look, view: 'inbox' });
    await shown.items.last().waitFor();
    return shown;
  },
  async expanded(stage, look) {
    const shown = await states['filled']!(stage, look);
    await shown.page.locator('.carillon-link-button').click();
    await shown.page.locator('[data-expanded]').waitFor();
    return shown;
  },
  async keyboard(stage, look) {
    const shown = await states['filled']!(stage, look);
    await shown.page.locator('.carillon-inbox').focus();
    for (let nth = 1; nth <= 3; nth += 1) await shown.page.keyboard.press('ArrowDown');
    await shown.page.locator('.carillon-item[tabindex="0"][aria-posinset="3"]').waitFor();
    return shown;
  },
  async empty(stage, look) {
    const shown = await stage.show(person(), { ...look, view: 'inbox' });
    await shown.page.locator('.carillon-empty').waitFor();
    return shown;
  },
  async loading(stage, look) {
    stage.link.hold('up');
    const shown = await stage.show(person(), { ...look, view: 'inbox', isLinked: true });
    await shown.page.locator('.carillon-skeleton').waitFor();
    return shown;
  },
  async offline(stage, look) {
    const shown = await stage.show(await busyPerson(stage), { ...look, view: 'inbox', isLinked: true });
    await shown.items.last().waitFor();
    await keepOffline(stage, shown);
    return shown;
  },
  async failed(stage, look) {
    const shown = await states['offline']!(stage, look);
    await shown.items.first().hover();
    await shown.items
      .first()
      .getByRole('button', { name: /Delete|删除/ })
      .click();
    await shown.page.locator('.carillon-toast').waitFor();
    return shown;
  },
  async pill(stage, look) {
    const ada = await busyPerson(stage);
    for (let nth = 1; nth <= 8; nth += 1)
      await sendTo(stage.app, ada, { title: `Build ${nth} passed`, content: 'All checks are green.' });
    const shown = await stage.show(ada, { ...look, view: 'inbox' });
    await shown.items.first().waitFor();
    await shown.items.nth(4).hover();
    await shown.page.mouse.wheel(0, 400);
    await shown.until("document.querySelector('.carillon-scroller').scrollTop > 300");
    for (let nth = 1; nth <= 3; nth += 1) await sendTo(stage.app, ada, { title: `Deploy ${nth}` });
    await shown.page.getByRole('button', { name: /^3 / }).waitFor();
    return shown;
  },
};

/** Ends the connection, and lets no new one through, until the page has been told. */
async function keepOffline({ link }: Stage, { page }: Shown): Promise<void> {
  link.targetPort = 9; // Nobody listens there.
  link.cut();
  await page.getByText(/Next attempt in \d+ s|\d+ 秒后重试/).waitFor();
}

/** Undoes what a state did to the link. */
export function healLink({ app, link }: Stage): void {
  link.targetPort = Number(new URL(app.url).port);
  link.heal();
}
