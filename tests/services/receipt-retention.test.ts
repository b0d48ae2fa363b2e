import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { InboxAddress } from '../../src/services/caller.ts';
import { NO_EPOCH, encodeCursor } from '../../src/services/cursor.ts';
import { Retention } from '../../src/services/retention.ts';
import { withClient } from '../support/postgres.ts';
import { createHub } from './hub-support.ts';
import { Post, idsOf, sendSome, take, versionsOf } from './receipt-support.ts';
import { type Services, numbers, openServices } from './support.ts';

const DAY_MS = 86_400_000;
const BEGINNING = encodeCursor(NO_EPOCH, 0);

let services: Services;
let post: Post;
let retention: Retention;
let resources: AsyncDisposableStack;

beforeAll(async () => {
  resources = new AsyncDisposableStack();
  services = resources.use(await openServices());
  post = resources.use(new Post(services));
  const hub = resources.use(createHub(post.topics, services));
  const { database, changes } = services;
  retention = new Retention({
    database,
    changes,
    hub,
    tombstonesMs: 30 * DAY_MS,
    notificationsMs: undefined,
    deliveriesMs: DAY_MS,
  });
});
afterAll(async () => resources.disposeAsync());

const age = (ids: readonly string[], days: number) =>
  withClient(services.url, (client) =>
    client.query("update receipt set changed_at = now() - $2 * interval '1 day' where notification_id = any($1)", [
      ids,
      days,
    ]),
  );

async function forget(): Promise<number> {
  let steps = 1;
  while (await retention.forgetReceipts()) steps += 1;
  return steps;
}

const kept = async ({ userId }: InboxAddress): Promise<number> =>
  withClient(services.url, async (client) => {
    const { rowCount } = await client.query('select 1 from receipt where sender_id = $1', [userId]);
    return rowCount ?? 0;
  });

test('old receipts are forgotten, and cursors from before them are refused; those after them go on', async () => {
  const { sender, reader, ids } = await sendSome(services, 10);
  const listener = await post.listen(sender);
  await post.read(reader, ids);
  const got = await take(listener, 10);
  await age(ids.slice(0, 6), 31);
  await age(ids.slice(6), 29);
  // The second one finds nothing.
  expect(await forget()).toBe(2);
  expect(await kept(sender)).toBe(4);
  for (const cursor of [BEGINNING, got[0]!.cursor, got[4]!.cursor]) {
    await expect(post.listen(sender, cursor)).rejects.toMatchObject({
      code: 'BAD_USER_INPUT',
      field: 'after',
      message: expect.stringContaining('sentNotifications'),
    });
  }
  expect(versionsOf(await take(await post.listen(sender, got[5]!.cursor), 4))).toEqual(numbers(7, 10));
});

test('a listener that holds everything goes on when all of it is forgotten', async () => {
  const { sender, reader, ids } = await sendSome(services, 3);
  const listener = await post.listen(sender);
  await post.read(reader, ids.slice(0, 2));
  const [, last] = await take(listener, 2);
  await age(ids, 31);
  await forget();
  expect(await kept(sender)).toBe(0);
  expect(await post.cursor(sender)).toBe(last!.cursor);
  await post.read(reader, ids.slice(2));
  expect(idsOf(await take(listener, 1))).toEqual(ids.slice(2));
});

test('receipts that have no version yet are kept, however old', async () => {
  const { sender, reader, ids } = await sendSome(services, 1);
  await services.changes.markRead(reader, ids);
  await age(ids, 400);
  await forget();
  expect(await kept(sender)).toBe(1);
  const listener = await post.listen(sender);
  await post.sequencer.sweep();
  expect(idsOf(await take(listener, 1))).toEqual(ids);
});

test('thousands are forgotten step by step, by two instances at once, while readers read', async () => {
  const sendings = await Promise.all(numbers(1, 3).map(() => sendSome(services, 500)));
  for (const { reader, ids } of sendings) await post.read(reader, ids);
  await post.sequencer.drain();
  await age(
    sendings.flatMap(({ ids }) => ids),
    31,
  );
  const more = await Promise.all(sendings.map(({ sender, reader }) => sendSome(services, 5, { sender, reader })));
  await Promise.all([forget(), forget(), ...more.map(({ reader, ids }) => post.read(reader, ids))]);
  await post.sequencer.drain();
  await forget();
  for (const { sender } of sendings) {
    expect(await kept(sender)).toBe(5);
    const after = encodeCursor((await post.cursor(sender)).slice(0, NO_EPOCH.length), 500);
    expect(versionsOf(await take(await post.listen(sender, after), 5))).toEqual(numbers(501, 505));
  }
});
