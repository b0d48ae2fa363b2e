import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { sendTo } from '../sockets/connect.ts';
import { person } from '../support/app.ts';
import { type Stage, openStage } from './stage.ts';

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
}, 240_000);
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
});
afterEach(() => stage.clear());

test('the hooks tell the inbox as it is, and change it', async () => {
  const ada = person();
  await sendTo(stage.app, ada, { title: 'one' });
  const { page, complaints } = await stage.show(ada, { view: 'hooks', switches: ['strict'] });
  const says = (text: string) => page.getByText(text, { exact: true }).waitFor();
  await says('live: 1 of 1; one');
  await page.evaluate("seen.inbox.send({ title: 'two', content: 'C' })");
  await says('live: 2 of 2; two, one');
  await page.evaluate('seen.inbox.markRead(seen.inbox.items[0].id)');
  await says('live: 1 of 2; two, one');
  await page.evaluate('seen.inbox.markUnread(seen.inbox.items[0].id)');
  await says('live: 2 of 2; two, one');
  await page.evaluate('seen.inbox.markAllRead()');
  await says('live: 0 of 2; two, one');
  await page.evaluate('seen.inbox.delete(seen.inbox.items[1].id)');
  await says('live: 0 of 1; two');
  await page.evaluate('seen.inbox.disconnect()');
  await says('idle: 0 of 1; two');
  await page.evaluate('seen.inbox.connect()');
  await says('live: 0 of 1; two');
  expect(await page.evaluate('seen.actionsChanged')).toBe(0);
  await expect(page.evaluate("seen.inbox.markRead('no such one')")).rejects.toThrow('CarillonError');
  expect(complaints).toEqual([]);
});
