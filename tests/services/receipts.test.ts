import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { InboxAddress } from '../../src/services/caller.ts';
import { NO_EPOCH, encodeCursor } from '../../src/services/cursor.ts';
import { createInProcessTopics } from '../../src/pubsub/in-process.ts';
import { ReceiptLog, type ReceiptPage } from '../../src/services/receipt-log.ts';
import { receiptTopic } from '../../src/services/receipt.ts';
import { eventually } from '../support/eventually.ts';
import { withClient } from '../support/postgres.ts';
import { Post, idsOf, sendSome, take, versionsOf } from './receipt-support.ts';
import { type Services, newAddress, numbers, openServices } from './support.ts';

const BEGINNING = encodeCursor(NO_EPOCH, 0);

let services: Services;
beforeAll(async () => {
  services = await openServices();
});
afterAll(async () => services[Symbol.asyncDispose]());

const query = (text: string, values: unknown[] = []) =>
  withClient(services.url, async (client) => (await client.query(text, values)).rows as Record<string, unknown>[]);
const unnumbered = async ({ tenantId, userId }: InboxAddress): Promise<number> =>
  (await query('select 1 from receipt where tenant_id = $1 and sender_id = $2 and version is null', [tenantId, userId]))
    .length;

describe('a sender hears', () => {
  test('of each marking, with who and when, in the order in which one notification was marked', async () => {
    await using post = new Post(services);
    const { sender, reader, ids } = await sendSome(services, 2);
    const listener = await post.listen(sender);
    await post.read(reader, ids);
    await post.unread(reader, ids[0]!);
    await post.read(reader, [ids[0]!]);
    const got = await take(listener, 4);
    expect(idsOf(got)).toEqual([...ids, ids[0], ids[0]]);
    expect(got.map(({ readAt }) => readAt !== null)).toEqual([true, true, false, true]);
    expect(new Set(got.map(({ recipientId }) => recipientId))).toEqual(new Set([reader.userId]));
    const [first] = await query('select read_at from notification where id = $1', [ids[1]]);
    expect(got[1]!.readAt).toEqual(first!['read_at']);
    expect(versionsOf(got)).toEqual([1, 2, 3, 4]);
  });

  test('nothing of what changes nothing, and nothing of what a person sent to oneself', async () => {
    await using post = new Post(services);
    const me = newAddress();
    const own = await sendSome(services, 3, { sender: me, reader: me });
    await post.read(me, own.ids);
    await post.unread(me, own.ids[0]!);
    const { ids, reader } = await sendSome(services, 1, { sender: me });
    await post.unread(reader, ids[0]!);
    await post.read(reader, ids);
    await post.read(reader, ids);
    await post.sequencer.drain();
    expect(idsOf(await take(await post.listen(me, BEGINNING), 1))).toEqual(ids);
    const rows = await query('select 1 from receipt where sender_id = $1', [me.userId]);
    expect(rows).toHaveLength(1);
  });

  test('of what was read and then deleted', async () => {
    await using post = new Post(services);
    const { sender, reader, ids } = await sendSome(services, 1);
    await post.read(reader, ids);
    await services.changes.delete(reader, ids);
    expect(idsOf(await take(await post.listen(sender, BEGINNING), 1))).toEqual(ids);
  });
});

describe('many readers at once', () => {
  test('make one order, without gaps, that every listener of every instance hears, each receipt once', async () => {
    const topics = createInProcessTopics();
    await using one = new Post(services, { topics });
    await using other = new Post(services, { topics });
    const sender = newAddress();
    const sendings = await Promise.all(numbers(1, 20).map(() => sendSome(services, 10, { sender })));
    const live = [await one.listen(sender), await other.listen(sender)];
    const reading = sendings.flatMap(({ reader, ids }, nth) =>
      ids.map((id) => (nth % 2 ? one : other).read(reader, [id])),
    );
    const [ofOne, ofOther] = await Promise.all(live.map((listener) => take(listener, 200)));
    await Promise.all(reading);
    expect(versionsOf(ofOne!)).toEqual(numbers(1, 200));
    expect(ofOther).toEqual(ofOne);
    expect(idsOf(ofOne!).toSorted()).toEqual(sendings.flatMap(({ ids }) => ids).toSorted());
    expect(await take(await other.listen(sender, BEGINNING), 200)).toEqual(ofOne);
    expect(await one.cursor(sender)).toBe(ofOne!.at(-1)!.cursor);
  });

  test('do not wait for the sender’s log, nor for each other', async () => {
    await using post = new Post(services);
    const { sender, reader, ids } = await sendSome(services, 1);
    const second = await sendSome(services, 1, { sender });
    await post.read(reader, ids);
    const listener = await post.listen(sender, BEGINNING);
    await take(listener, 1);
    await withClient(services.url, async (client) => {
      await client.query('begin');
      await client.query('select from sender_log where user_id = $1 for update', [sender.userId]);
      await post.read(second.reader, second.ids);
      await eventually(async () => (await unnumbered(sender)) === 1);
      await client.query('rollback');
    });
    expect(idsOf(await take(listener, 1))).toEqual(second.ids);
  });

  test('share statements: thousands of receipts of one sender are numbered step by step', async () => {
    await using post = new Post(services);
    const { sender, reader, ids } = await sendSome(services, 2500);
    const listener = await post.listen(sender);
    await post.read(reader, ids);
    const got = await take(listener, 2500);
    expect(idsOf(got)).toEqual(ids);
    expect(versionsOf(got)).toEqual(numbers(1, 2500));
  });
});

describe('receipts that a crash left without a version', () => {
  test('are found and numbered by any instance, after those that it has itself', async () => {
    await using post = new Post(services);
    const { sender, reader, ids } = await sendSome(services, 3);
    const listener = await post.listen(sender);
    await services.changes.markRead(reader, [ids[0]!]);
    await services.changes.markRead(reader, [ids[1]!]);
    expect(await unnumbered(sender)).toBe(2);
    await post.sequencer.sweep();
    expect(await unnumbered(sender)).toBe(0);
    await post.read(reader, [ids[2]!]);
    expect(idsOf(await take(listener, 3))).toEqual(ids);
  });

  test('are looked for again and again', async () => {
    await using post = new Post(services, { sweepIntervalMs: 10 });
    const { sender, reader, ids } = await sendSome(services, 1);
    const listener = await post.listen(sender);
    await services.changes.markRead(reader, ids);
    expect(idsOf(await take(listener, 1))).toEqual(ids);
  });

  test('are numbered once when two instances find them', async () => {
    await using one = new Post(services);
    await using other = new Post(services);
    const sendings = await Promise.all(numbers(1, 30).map(() => sendSome(services, 5)));
    for (const { reader, ids } of sendings) await services.changes.markRead(reader, ids);
    await Promise.all([one.sequencer.sweep(), other.sequencer.sweep(), one.sequencer.sweep()]);
    for (const { sender } of sendings) {
      expect(versionsOf(await take(await one.listen(sender, BEGINNING), 5))).toEqual(numbers(1, 5));
      expect(await unnumbered(sender)).toBe(0);
    }
  });
});

describe('a cursor', () => {
  test('continues where it stands, again and again, while readers read', async () => {
    await using post = new Post(services);
    const { sender, reader, ids } = await sendSome(services, 60);
    let after = await post.cursor(sender);
    expect(after).toBe(BEGINNING);
    const reading = Promise.all(ids.map((id) => post.read(reader, [id])));
    const seen: number[] = [];
    while (seen.length < ids.length) {
      const listener = await post.listen(sender, after);
      const got = await take(listener, Math.min(7, ids.length - seen.length));
      await listener.return();
      seen.push(...versionsOf(got));
      after = got.at(-1)!.cursor;
    }
    await reading;
    expect(seen).toEqual(numbers(1, 60));
    expect(post.receipts.listenerCount).toBe(0);
  });

  test('of somebody else, of the same user in another tenant, of the future, or garbled is refused', async () => {
    await using post = new Post(services);
    const { sender, reader, ids } = await sendSome(services, 1);
    const theirs = await sendSome(services, 1);
    await post.read(reader, ids);
    await post.read(theirs.reader, theirs.ids);
    await post.sequencer.drain();
    const own = await post.cursor(sender);
    const strange = [await post.cursor(theirs.sender), encodeCursor(own.slice(0, NO_EPOCH.length), 2), 'x', ''];
    for (const cursor of strange) {
      await expect(post.listen(sender, cursor)).rejects.toMatchObject({ code: 'BAD_USER_INPUT', field: 'after' });
    }
    await expect(post.listen({ ...sender, tenantId: 'other' }, own)).rejects.toMatchObject({ field: 'after' });
    expect(post.receipts.listenerCount).toBe(0);
  });
});

test('the same user of another tenant hears nothing', async () => {
  await using post = new Post(services);
  const sender = newAddress();
  const namesake = { ...sender, tenantId: 'other' };
  const mine = await sendSome(services, 1, { sender });
  const theirs = await sendSome(services, 1, { sender: namesake, reader: { ...mine.reader, tenantId: 'other' } });
  const [here, there] = [await post.listen(sender), await post.listen(namesake)];
  await post.read(mine.reader, mine.ids);
  await post.read(theirs.reader, theirs.ids);
  expect(idsOf(await take(here, 1))).toEqual(mine.ids);
  expect(idsOf(await take(there, 1))).toEqual(theirs.ids);
});

/** A log whose reads are counted, and fail as often as a test wants. */
class ControlledLog extends ReceiptLog {
  reads = 0;
  failures = 0;

  override async after(...asked: Parameters<ReceiptLog['after']>): Promise<ReceiptPage> {
    this.reads += 1;
    if (this.failures > 0) {
      this.failures -= 1;
      throw Object.assign(new Error('Connection terminated unexpectedly'), { code: '57P01' });
    }
    return super.after(...asked);
  }
}

describe('a listener', () => {
  test('reads no further than its reader, and then goes on page by page', async () => {
    const log = new ControlledLog(services.database, { pageSize: 10 });
    await using post = new Post(services, { log });
    const { sender, reader, ids } = await sendSome(services, 95);
    const listener = await post.listen(sender);
    const first = take(listener, 1);
    await post.read(reader, ids);
    expect(versionsOf(await first)).toEqual([1]);
    await post.sequencer.drain();
    const readBy = log.reads;
    expect(readBy).toBeLessThanOrEqual(2);
    expect(idsOf(await take(listener, 94))).toEqual(ids.slice(1));
    expect(log.reads).toBeGreaterThanOrEqual(10);
  });

  test('outlasts a database that is away, and loses nothing', async () => {
    const log = new ControlledLog(services.database);
    await using post = new Post(services, { log });
    const { sender, reader, ids } = await sendSome(services, 2);
    const listener = await post.listen(sender);
    log.failures = 2;
    const both = take(listener, 2);
    for (const id of ids) await post.read(reader, [id]);
    expect(idsOf(await both)).toEqual(ids);
    expect(log.failures).toBe(0);
  });

  test('catches up by a sweep, and when topics are restored, with what no doorbell told', async () => {
    let restored = () => {};
    const quiet = {
      ...createInProcessTopics(),
      publish() {},
      onRestored(callback: () => void) {
        restored = callback;
      },
    };
    await using post = new Post(services, { topics: quiet });
    const { sender, reader, ids } = await sendSome(services, 2);
    const listener = await post.listen(sender);
    for (const [index, heal] of [() => post.receipts.sweep(), () => restored()].entries()) {
      const next = take(listener, 1);
      await post.read(reader, [ids[index]!]);
      await post.sequencer.drain();
      heal();
      expect(idsOf(await next)).toEqual([ids[index]]);
    }
  });

  test('is not misled by what is no doorbell', async () => {
    await using post = new Post(services);
    const { sender, reader, ids } = await sendSome(services, 1);
    const listener = await post.listen(sender);
    const epoch = 'a'.repeat(NO_EPOCH.length);
    for (const message of [
      null,
      'x',
      5,
      [],
      {},
      { epoch, version: 'x' },
      { epoch, version: 1e300 },
      { epoch, version: 9 },
    ]) {
      post.topics.publish(receiptTopic(sender), message);
    }
    const next = take(listener, 1);
    await post.read(reader, ids);
    expect(idsOf(await next)).toEqual(ids);
  });

  test('ends when the log began anew, and says what to do', async () => {
    await using post = new Post(services);
    const { sender, reader, ids } = await sendSome(services, 2);
    await post.read(reader, [ids[0]!]);
    const listener = await post.listen(sender, BEGINNING);
    await take(listener, 1);
    const end = take(listener, 1);
    await query('delete from sender_log where user_id = $1', [sender.userId]);
    await query('delete from receipt where sender_id = $1', [sender.userId]);
    await post.read(reader, [ids[1]!]);
    await expect(end).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('sentNotifications'),
    });
    expect(post.receipts.listenerCount).toBe(0);
  });

  test('ends when its owner ends it, and when the server shuts down; nobody can begin afterwards', async () => {
    const post = new Post(services);
    const sender = newAddress();
    const [one, other] = [await post.listen(sender), await post.listen(sender)];
    const [ofOne, ofOther] = [one.next(), other.next()];
    await one.return();
    expect(await ofOne).toEqual({ done: true, value: undefined });
    expect(post.receipts.listenerCount).toBe(1);
    const ended = expect(ofOther).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await post[Symbol.asyncDispose]();
    await ended;
    expect(await other.next()).toEqual({ done: true, value: undefined });
    expect(post.receipts.listenerCount).toBe(0);
    await expect(post.listen(sender)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});
