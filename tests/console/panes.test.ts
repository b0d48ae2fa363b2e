import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { sendTo } from '../sockets/connect.ts';
import { type Person, person } from '../support/app.ts';
import { type Stage, openStage } from './stage.ts';

let stage: Stage;
let ada: Person;
let uma: Person;

beforeAll(async () => {
  stage = await openStage();
}, 240_000);
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
});
beforeEach(() => {
  ada = person();
  uma = person();
});
afterEach(() => stage.clear());

async function openBoth() {
  const opened = await stage.open();
  const left = await opened.signIn('left', ada);
  const right = await opened.signIn('right', uma);
  return { ...opened, left, right };
}

test('what one pane sends is in the other within a second, and on its bell', async () => {
  const { left, right, items, complaints } = await openBoth();
  await right.getByRole('button', { name: 'Right inbox', exact: true }).waitFor();
  await left.getByLabel('Title').fill('Lunch');
  const pressed = performance.now();
  await left.getByRole('button', { name: 'Send', exact: true }).click();
  await items('right').filter({ hasText: 'Lunch' }).waitFor();
  expect(performance.now() - pressed).toBeLessThan(1000);
  await right.getByRole('button', { name: 'Right inbox, 1 unread' }).waitFor();
  await left.getByText(`Sent to ${uma.id}`).waitFor();
  expect(complaints).toEqual([]);
}, 240_000);

test('what is read in one tab is read in another', async () => {
  await sendTo(stage.app, ada, { title: 'Shared' });
  const [first, second] = [await stage.open(), await stage.open()];
  await first.signIn('left', ada);
  const other = await second.signIn('left', ada);
  await other.getByRole('button', { name: 'Left inbox, 1 unread' }).waitFor();
  await first.items('left').first().hover();
  await first.items('left').first().getByRole('button', { name: 'Mark as read' }).click();
  await other.getByRole('button', { name: 'Left inbox', exact: true }).waitFor();
  await first.items('left').first().getByRole('button', { name: 'Mark as unread' }).click();
  await other.getByRole('button', { name: 'Left inbox, 1 unread' }).waitFor();
  await first.items('left').first().getByRole('button', { name: 'Delete' }).click();
  await second.items('left').first().waitFor({ state: 'detached' });
}, 240_000);

test('a sender sees live that it was read, and can take it back', async () => {
  const { left, right, items, complaints } = await openBoth();
  await left.getByRole('button', { name: 'Send', exact: true }).click();
  await left.getByRole('tab', { name: 'Sent' }).click();
  const row = left.locator('.row').first();
  await row.getByText('Sent', { exact: true }).waitFor();
  await items('right').first().waitFor();
  await right.getByRole('button', { name: 'Mark all as read' }).click();
  await row.getByText('Read', { exact: true }).waitFor();
  const graphql = left.getByRole('group', { name: 'GraphQL socket' });
  await graphql.getByRole('button', { name: 'Disconnect' }).click();
  await items('right').first().hover();
  await items('right').first().getByRole('button', { name: 'Mark as unread' }).click();
  await right.getByRole('button', { name: 'Right inbox, 1 unread' }).waitFor();
  expect(await row.getByText('Read', { exact: true }).isVisible()).toBe(true);
  await graphql.getByRole('button', { name: 'Connect' }).click();
  await row.getByText('Sent', { exact: true }).waitFor();
  await row.getByRole('button', { name: 'Recall' }).click();
  await row.getByText('Recalled', { exact: true }).waitFor();
  await items('right').first().waitFor({ state: 'detached' });
  expect(complaints).toEqual([]);
}, 240_000);

test('what is scheduled waits in a list of its own, and can be cancelled', async () => {
  const { left, complaints } = await openBoth();
  await left.getByText('More fields').click();
  await left.getByLabel('Send at').fill('2099-01-01T12:00');
  await left.getByRole('button', { name: 'Send', exact: true }).click();
  await left.getByText('must be at most a year ahead').waitFor();
  const soon = new Date(Date.now() + 86_400_000).toISOString().slice(0, 16);
  await left.getByLabel('Send at').fill(soon);
  await left.getByRole('button', { name: 'Send', exact: true }).click();
  await left.getByText('Scheduled.', { exact: true }).waitFor();
  await left.getByRole('tab', { name: 'Scheduled' }).click();
  await left.getByRole('button', { name: /^Cancel “Hello/ }).click();
  await left.getByText('Nothing is scheduled').waitFor();
  expect(complaints).toEqual([]);
}, 240_000);

test('what is wrong is shown at its field', async () => {
  const { left } = await openBoth();
  const send = () => left.getByRole('button', { name: 'Send', exact: true }).click();
  const noteOf = async (label: string): Promise<string> => {
    const field = left.getByLabel(label).and(left.locator('[aria-invalid=true]'));
    return left.locator(`[id="${await field.getAttribute('aria-describedby')}"]`).innerText();
  };
  await left.getByLabel('Title').fill('');
  await send();
  expect(await noteOf('Title')).toMatch(/title/i);
  await left.getByLabel('Title').fill('Fine');
  await left.getByText('More fields').click();
  await left.getByLabel('Link').fill('javascript:alert(1)');
  await send();
  expect(await noteOf('Link')).toMatch(/link/i);
  await left.getByLabel('Link').fill('');
  await left.getByLabel('Data (JSON)').fill('{"a":');
  expect(await noteOf('Data (JSON)')).toBe('This is not JSON.');
}, 240_000);

test('a key that was used for something else is told at the key, though its field was closed', async () => {
  const { left } = await openBoth();
  await left.getByText('More fields').click();
  await left.getByLabel('Idempotency key').fill('once');
  await left.getByRole('button', { name: 'Send', exact: true }).click();
  await left.getByText('Sent to').waitFor();
  await left.getByText('More fields').click();
  await left.getByLabel('Title').fill('Another');
  await left.getByRole('button', { name: 'Send', exact: true }).click();
  await left.getByLabel('Idempotency key').and(left.locator('[aria-invalid=true]')).waitFor();
}, 240_000);

test('every field arrives', async () => {
  const { left } = await openBoth();
  await left.getByText('More fields').click();
  await left.getByLabel('Type', { exact: true }).selectOption('ALERT');
  await left.getByLabel('Priority').selectOption('URGENT');
  await left.getByLabel('Link').fill('/orders/7');
  await left.getByLabel('Related type').fill('order');
  await left.getByLabel('Related id').fill('7');
  await left.getByLabel('Data (JSON)').fill('{"order":7}');
  await left.getByLabel('Expires at').fill(new Date(Date.now() + 86_400_000).toISOString().slice(0, 16));
  await left.getByRole('button', { name: 'Send', exact: true }).click();
  await left.getByText('Sent to').waitFor();
  const { data } = await stage.app.graphql(
    '{ notifications { nodes { type priority link relatedType relatedId data expiresAt senderId } } }',
    { token: uma.token },
  );
  expect(data.notifications.nodes).toEqual([
    {
      type: 'ALERT',
      priority: 'URGENT',
      link: '/orders/7',
      relatedType: 'order',
      relatedId: '7',
      data: { order: 7 },
      expiresAt: expect.any(String),
      senderId: ada.id,
    },
  ]);
}, 240_000);

test('both sockets of a pane are ended and opened on request', async () => {
  const { left } = await openBoth();
  const raw = left.getByRole('group', { name: 'Raw socket' });
  await raw.getByText('not connected').waitFor();
  await raw.getByRole('button', { name: 'Connect' }).click();
  await raw.getByText('live · 0 unread').waitFor();
  const graphql = left.getByRole('group', { name: 'GraphQL socket' });
  await graphql.getByRole('button', { name: 'Disconnect' }).click();
  await graphql.getByText('not connected').waitFor();
  await sendTo(stage.app, ada, { title: 'Meanwhile' });
  await raw.getByText('live · 1 unread').waitFor();
  await graphql.getByRole('button', { name: 'Connect' }).click();
  await left.getByRole('button', { name: 'Left inbox, 1 unread' }).waitFor();
  await raw.getByRole('button', { name: 'Disconnect' }).click();
  await raw.getByText('not connected').waitFor();
}, 240_000);
