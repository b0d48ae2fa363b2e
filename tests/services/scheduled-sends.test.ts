import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Caller, InboxAddress } from '../../src/services/caller.ts';
import { NO_EPOCH, encodeCursor } from '../../src/services/cursor.ts';
import { CarillonError } from '../../src/errors.ts';
import type { SendItem } from '../../src/services/send-item.ts';
import { eventually } from '../support/eventually.ts';
import { withClient } from '../support/postgres.ts';
import { type Due, createDueWork } from './due-support.ts';
import { Reader } from './hub-support.ts';
import { type Services, newAddress, numbers, openServices, resultOf, sendItem } from './support.ts';

const HOUR_MS = 3_600_000;

let services: Services;
let instances: [Due, Due, Due];
let address: InboxAddress;

beforeAll(async () => {
  services = await openServices();
  const env = { MAX_SEND_BATCH: '50' };
  instances = [createDueWork(services, env), createDueWork(services, env), createDueWork(services, env)];
});
afterAll(async () => {
  for (const instance of instances) await instance[Symbol.asyncDispose]();
  await services[Symbol.asyncDispose]();
});
beforeEach(() => {
  address = newAddress();
});

const callerOf = (userId: string, roles: string[] = [], tenantId = 'acme'): Caller => ({
  tenantId,
  userId,
  roles,
  expiresAtMs: Number.POSITIVE_INFINITY,
  issuedAtMs: 0,
  sessionId: undefined,
});

const inAnHour = () => new Date(Date.now() + HOUR_MS);
const pending = (overrides: Partial<SendItem> = {}) => sendItem(address, { sendAt: inAnHour(), ...overrides });

const query = (text: string, values: unknown[] = []) =>
  withClient(services.url, async (client) => (await client.query(text, values)).rows as Record<string, unknown>[]);

/** Their time has come. */
const comeDue = (items: readonly SendItem[]) =>
  query('update scheduled_send set send_at = now() - (send_at - now()) where id = any($1)', [
    items.map(({ id }) => id),
  ]);

const listed = async (to = address) =>
  (await services.log.page(to, { filter: {}, order: 'oldest', limit: 1000 })).notifications;

describe('a send that waits', () => {
  test('is PENDING, with its id, its time and the cursor of the very beginning, and is in no inbox', async () => {
    const item = pending({
      data: { b: 1, a: [null] },
      dataJson: '{"b":1,"a":[null]}',
      expiresAt: new Date(Date.now() + 2 * HOUR_MS),
    });
    const answer = await instances[0].scheduled.add(item);
    const beginning = encodeCursor(NO_EPOCH, 0);
    const times = { sendAt: item.sendAt, expiresAt: item.expiresAt, createdAt: expect.any(Date) };
    expect(answer).toMatchObject({
      id: item.id,
      status: 'PENDING',
      cursor: beginning,
      changeCursor: beginning,
      ...times,
    });
    expect(await instances[0].scheduled.list(callerOf('sender'), 100)).toContainEqual(answer);
    await instances[0].run();
    expect(await services.log.head(address)).toMatchObject({ version: 0, totalCount: 0 });
  });

  test('is stored and told when its time has come, with the time of its coming and all that it had', async () => {
    const item = pending({ data: { b: 1, a: [null] }, dataJson: '{"b":1,"a":[null]}', link: '/x', relatedId: '7' });
    await instances[0].scheduled.add(item);
    await using reader = await Reader.open(instances[0].hub, address);
    const before = Date.now();
    await comeDue([item]);
    await instances[0].run();
    await reader.reached(1);
    expect(reader.events).toMatchObject([
      { kind: 'added', version: 1, unreadCount: 1, notification: { id: item.id, status: 'SENT' } },
    ]);
    const [stored] = await listed();
    expect(stored).toMatchObject({
      id: item.id,
      status: 'SENT',
      sendAt: null,
      link: '/x',
      relatedId: '7',
      senderId: 'sender',
    });
    expect(JSON.stringify(stored!.data)).toBe(item.dataJson);
    expect(Math.abs(stored!.createdAt.getTime() - before)).toBeLessThan(HOUR_MS / 2);
    expect(await query('select 1 from scheduled_send where id = $1', [item.id])).toEqual([]);
  });

  test('comes in the order of the times', async () => {
    const items = numbers(1, 20).map((nth) =>
      pending({ title: `${nth}`, sendAt: new Date(Date.now() + HOUR_MS - nth * 1000) }),
    );
    for (const item of items) await instances[0].scheduled.add(item);
    await query("update scheduled_send set send_at = send_at - interval '2 hours' where recipient_id = $1", [
      address.userId,
    ]);
    await instances[0].run();
    expect((await listed()).map(({ title }) => title)).toEqual(numbers(1, 20).map(String).toReversed());
  });
});

test('hundreds that are due are sent by three instances at once, each exactly once', async () => {
  const addresses = numbers(1, 10).map(newAddress);
  const items = numbers(1, 700).map((nth) => sendItem(addresses[nth % 10]!, { sendAt: inAnHour() }));
  await Promise.all(items.map((item) => instances[0].scheduled.add(item)));
  await comeDue(items);
  await Promise.all(instances.map((instance) => instance.run()));
  await instances[0].run();
  const stored = (await Promise.all(addresses.map(listed))).flat();
  expect(stored.map(({ id }) => id).toSorted()).toEqual(items.map(({ id }) => id).toSorted());
  for (const head of (await services.log.heads(addresses)).values()) {
    expect(head).toMatchObject({ version: 70, totalCount: 70, unreadCount: 70 });
  }
});

test('an instance that dies between taking it from the schedule and storing it leaves it to the next one', async () => {
  await services.store([sendItem(address)]);
  const item = pending();
  await instances[0].scheduled.add(item);
  await comeDue([item]);
  await withClient(services.url, async (holder) => {
    await holder.query('begin');
    await holder.query('select 1 from inbox where user_id = $1 for update', [address.userId]);
    const dying = instances[0].run();
    const waiting = `select pid from pg_stat_activity
      where datname = current_database() and application_name = 'carillon' and wait_event_type = 'Lock'`;
    const [backend] = await eventually(async () => {
      const rows = await query(waiting);
      return rows.length > 0 ? rows : undefined;
    });
    // Another instance passes over what this one has in hand.
    await instances[1].run();
    const failed = expect(dying).rejects.toThrow();
    await query('select pg_terminate_backend($1)', [backend!['pid']]);
    await failed;
    await holder.query('rollback');
  });
  expect((await listed()).map(({ id }) => id)).not.toContain(item.id);
  await Promise.all([instances[1].run(), instances[2].run()]);
  expect((await listed()).filter(({ id }) => id === item.id)).toHaveLength(1);
  expect(await services.log.head(address)).toMatchObject({ version: 2, totalCount: 2, unreadCount: 2 });
});

describe('cancelling', () => {
  test('is for the sender and for admins of the tenant; to anybody else it is missing', async () => {
    const [mine, another] = [pending(), pending()];
    const { scheduled } = instances[0];
    for (const item of [mine, another]) await scheduled.add(item);
    const missing = { code: 'NOT_FOUND' };
    for (const stranger of [
      callerOf(address.userId),
      callerOf('sender', ['admin'], 'globex'),
      callerOf('x', ['sender']),
    ]) {
      await expect(scheduled.cancel(stranger, mine.id)).rejects.toMatchObject(missing);
    }
    expect(await scheduled.cancel(callerOf('sender'), mine.id.toUpperCase())).toEqual({ id: mine.id });
    expect(await scheduled.cancel(callerOf('boss', ['admin']), another.id)).toEqual({ id: another.id });
    for (const id of [mine.id, 'no id', newAddress().userId]) {
      await expect(scheduled.cancel(callerOf('sender'), id)).rejects.toMatchObject(missing);
    }
    await comeDue([mine, another]);
    await instances[0].run();
    expect(await listed()).toEqual([]);
  });

  test('at the very moment of the sending has one outcome: it is cancelled or sent', async () => {
    const items = numbers(1, 60).map(() => pending());
    await Promise.all(items.map((item) => instances[0].scheduled.add(item)));
    await comeDue(items);
    const [cancelled] = await Promise.all([
      Promise.all(
        items.map(({ id }) =>
          instances[1].scheduled
            .cancel(callerOf('sender'), id)
            .then(() => id)
            .catch((error: unknown) => {
              if (error instanceof CarillonError && error.code === 'NOT_FOUND') return undefined;
              throw error;
            }),
        ),
      ),
      instances[0].run(),
      instances[2].run(),
    ]);
    await instances[0].run();
    const sent = (await listed()).map(({ id }) => id);
    const ids = [...sent, ...cancelled.filter((id) => id !== undefined)];
    expect(ids.toSorted()).toEqual(items.map(({ id }) => id).toSorted());
  });
});

describe('an idempotency key', () => {
  const again = (item: SendItem, overrides: Partial<SendItem> = {}) => ({
    ...item,
    id: sendItem(address).id,
    ...overrides,
  });

  test('holds from the moment of the scheduling: repetitions answer with the same one, until and after it is sent', async () => {
    const { scheduled } = instances[0];
    const item = pending({ idempotencyKey: `key of ${address.userId}` });
    const [first, ...others] = await Promise.all(numbers(1, 10).map(() => scheduled.add(again(item))));
    for (const other of others) expect(other).toEqual(first);
    expect(await instances[1].scheduled.add(again(item))).toEqual(first);
    await query("update scheduled_send set send_at = now() - interval '1 second' where id = $1", [first!.id]);
    await instances[0].run();
    const [stored] = await listed();
    expect(stored).toMatchObject({ id: first!.id, status: 'SENT' });
    expect(await scheduled.add(again(item))).toEqual(stored);
    expect(await listed()).toHaveLength(1);
  });

  test('is in conflict with other content, another time, and a send at once', async () => {
    const { scheduled } = instances[0];
    const item = pending({ idempotencyKey: `conflict of ${address.userId}` });
    await scheduled.add(item);
    const conflict = { code: 'CONFLICT', field: 'idempotencyKey' };
    const later = new Date(item.sendAt!.getTime() + 1);
    for (const change of [{ title: 'Another' }, { sendAt: later }, { expiresAt: later }]) {
      await expect(scheduled.add(again(item, change))).rejects.toMatchObject(conflict);
    }
    expect(await services.write([again(item, { sendAt: null })])).toMatchObject([conflict]);
  });

  test('of what was cancelled sends nothing new, and answers that it was taken back', async () => {
    const { scheduled } = instances[0];
    const item = pending({ idempotencyKey: `cancelled of ${address.userId}` });
    await scheduled.add(item);
    await scheduled.cancel(callerOf('sender'), item.id);
    expect(await scheduled.add(again(item))).toMatchObject({ id: item.id, status: 'RECALLED', sendAt: null });
    expect(await query('select 1 from scheduled_send where id = $1', [item.id])).toEqual([]);
  });

  test('of what was recalled answers with it as RECALLED, and sends nothing', async () => {
    const item = sendItem(address, { idempotencyKey: `recalled of ${address.userId}` });
    const first = resultOf((await services.write([item]))[0]).notification;
    await services.departures.recall([item.id], { tenantId: 'acme', senderId: 'sender', windowMs: HOUR_MS });
    const repeated = resultOf((await services.write([again(item)]))[0]);
    expect(repeated).toEqual({ notification: { ...first, status: 'RECALLED' } });
    expect(await services.log.head(address)).toMatchObject({ version: 2, totalCount: 0 });
  });
});

test('the list is the sender’s own, soonest first, as many as are asked for', async () => {
  const me = callerOf(`lister ${address.userId}`);
  const { scheduled } = instances[0];
  const times = [3, 1, 2].map((hours) => new Date(Date.now() + hours * HOUR_MS));
  for (const sendAt of times) await scheduled.add(pending({ senderId: me.userId, sendAt }));
  await scheduled.add(pending({ senderId: 'somebody else' }));
  await scheduled.add(pending({ senderId: me.userId, tenantId: 'globex' }));
  const inOrder = times.toSorted((a, b) => a.getTime() - b.getTime());
  expect((await scheduled.list(me, undefined)).map(({ sendAt }) => sendAt)).toEqual(inOrder);
  expect((await scheduled.list(me, 2)).map(({ sendAt }) => sendAt)).toEqual(inOrder.slice(0, 2));
  for (const first of [0, -1, 101]) {
    await expect(scheduled.list(me, first)).rejects.toMatchObject({ code: 'BAD_USER_INPUT', field: 'first' });
  }
});
