import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { openWorkshop, type Workshop } from './workshop.ts';

describe('docs/legacy.md', () => {
  let workshop: Workshop;

  beforeAll(async () => {
    workshop = await openWorkshop('docs/legacy.md');
  });
  afterAll(async () => {
    await workshop[Symbol.asyncDispose]();
  });

  test('has a program for the raw socket that resumes after a lost connection, and prints what the page says', async () => {
    expect(await workshop.runFile('socket.mjs')).toBe(workshop.output('socket.mjs'));
  });

  test('has shell lines that send once with one key, list, count and mark as read', async () => {
    const answers = (await workshop.runShell('rest')).map((line) => JSON.parse(line) as Record<string, unknown>);
    const order = { user_id: 'uma', sender_id: 'sam', type: 'task', title: 'Order 7', data: { order: 7 } };
    const [sent, again, list, count, marked, missing] = answers;
    expect(sent).toMatchObject(order);
    expect(again).toEqual(sent);
    expect(list).toEqual({ items: [sent], total: count?.['count'], page: 1, page_size: 1 });
    expect(marked).toEqual({ count: 1, success: true });
    expect(missing).toEqual({ code: 404, reason: 'NOT_FOUND', message: 'No such notification.', metadata: {} });
    expect(answers).toHaveLength(6);
  });

  test('shows a notification with the keys and the values that the server answers with', async () => {
    const shown = JSON.parse(workshop.output('notification')) as Record<string, unknown>;
    const sent = JSON.parse((await workshop.runShell('rest'))[0]!) as Record<string, unknown>;
    expect(Object.keys(sent)).toEqual(Object.keys(shown));
    const { id: _id, created_at: _at, ...values } = shown;
    // A repetition is answered with the notification as it was sent, whatever has become of it.
    expect(sent).toMatchObject(values);
  });
});
