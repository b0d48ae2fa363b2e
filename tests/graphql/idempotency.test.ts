import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { SendInput } from '../../src/web/operations/generated.ts';
import {
  DeleteNotificationDocument,
  MarkReadDocument,
  NotificationDocument,
  SendDocument,
} from '../../src/web/operations/generated.ts';
import { type TestApp, person, startApp } from '../support/app.ts';
import { ask, counts, refusalOf, run, send } from './operations.ts';

const CONFLICT = { code: 'CONFLICT', field: 'idempotencyKey' };

let app: TestApp;

beforeAll(async () => {
  app = await startApp();
});

afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

const full = (input: Partial<SendInput>): SendInput => ({ title: 'A title', content: 'Some content', ...input });

test('the same key and content answer with the first notification, and nothing new is sent', async () => {
  const me = person();
  const input = { idempotencyKey: 'order-7', data: { a: [1, { b: null }] }, link: '/x', relatedId: '7' };
  const first = await send(app, me, input);
  expect(await send(app, me, input)).toEqual(first);
  expect(await counts(app, me)).toEqual({ total: 1, unread: 1 });
});

test('twenty sends at once with one key make one notification, and all get the same answer', async () => {
  const me = person();
  const input = { idempotencyKey: randomUUID() };
  const answers = await Promise.all(Array.from({ length: 20 }, () => send(app, me, input)));
  expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
  expect(await counts(app, me)).toEqual({ total: 1, unread: 1 });
});

test('keys among other sends at once neither hold them up nor make more or less of them', async () => {
  const [me, other] = [person(), person()];
  const keys = [null, 'a', 'b', null, 'a', 'a', 'b', null, 'c', null];
  const recipients = [me, other];
  const answers = await Promise.all(
    recipients.flatMap(({ id }) =>
      keys.map(async (key) => {
        const idempotencyKey = key === null ? null : `${key}-${id}`;
        return { idempotencyKey, ...(await send(app, me, { recipientId: id, idempotencyKey })) };
      }),
    ),
  );
  for (const recipient of recipients) {
    const mine = answers.filter(({ recipientId }) => recipientId === recipient.id);
    expect(new Set(mine.map(({ id }) => id)).size).toBe(7);
    for (const key of ['a', 'b', 'c']) {
      const ids = mine.filter(({ idempotencyKey }) => idempotencyKey === `${key}-${recipient.id}`).map(({ id }) => id);
      expect(new Set(ids).size).toBe(1);
    }
    expect(await counts(app, recipient)).toEqual({ total: 7, unread: 7 });
  }
});

describe('other content under a known key is a conflict', () => {
  const original = full({ idempotencyKey: 'k', data: { a: 1, b: 2 }, link: '/a', relatedType: 't', relatedId: 'i' });
  const other = person();
  const changes: [string, Partial<SendInput>][] = [
    ['title', { title: 'Another' }],
    ['content', { content: 'Another' }],
    ['type', { type: 'ALERT' }],
    ['priority', { priority: 'HIGH' }],
    ['link', { link: '/b' }],
    ['no link', { link: null }],
    ['data', { data: { a: 1, b: 3 } }],
    ['no data', { data: null }],
    ['relatedType', { relatedType: 'u' }],
    ['relatedId', { relatedId: 'j' }],
    ['recipientId', { recipientId: other.id }],
  ];

  test.each(changes)('%s', async (_field, change) => {
    const me = person();
    const first = await run(app, me, SendDocument, { input: original });
    const second = await ask(app, me, SendDocument, { input: { ...original, ...change } });
    expect(second.data).toBeNull();
    expect(refusalOf(second)).toEqual(CONFLICT);
    expect(await counts(app, me)).toEqual({ total: 1, unread: 1 });
    expect(await run(app, me, SendDocument, { input: original })).toEqual(first);
  });

  test('also when both come at once: one of them is stored', async () => {
    const me = person();
    const answers = await Promise.all(
      ['One', 'Two'].map((title) => ask(app, me, SendDocument, { input: full({ title, idempotencyKey: 'same' }) })),
    );
    expect(answers.filter(({ errors }) => !errors)).toHaveLength(1);
    expect(refusalOf(answers.find(({ errors }) => errors) as (typeof answers)[number])).toEqual(CONFLICT);
    expect(await counts(app, me)).toEqual({ total: 1, unread: 1 });
  });
});

test('what is said by default and what is said aloud are the same content', async () => {
  const me = person();
  const first = await send(app, me, { idempotencyKey: 'k' });
  const aloud = { type: 'SYSTEM', priority: 'NORMAL', channel: 'IN_APP', recipientId: me.id, data: null } as const;
  expect(await send(app, me, { idempotencyKey: 'k', ...aloud })).toEqual(first);
});

test('senders do not share keys, not even with the same name in another tenant', async () => {
  const [one, two, recipient] = [person(), person(), person()];
  const input = { idempotencyKey: 'shared', recipientId: recipient.id };
  const first = await send(app, one, input);
  const second = await send(app, two, input);
  const elsewhere = await send(app, person({ tenantId: 'globex' }), input);
  expect(new Set([first.id, second.id, elsewhere.id]).size).toBe(3);
  expect(await counts(app, recipient)).toEqual({ total: 2, unread: 2 });
});

test('a sender learns nothing from a repetition about what the recipient did: reading', async () => {
  const [sender, recipient] = [person(), person()];
  const input = { idempotencyKey: 'k', recipientId: recipient.id };
  const first = await send(app, sender, input);
  await run(app, recipient, MarkReadDocument, { id: first.id });
  expect(await send(app, sender, input)).toEqual(first);
});

test('a sender learns nothing from a repetition about what the recipient did: deleting', async () => {
  const [sender, recipient] = [person(), person()];
  const input = { idempotencyKey: 'k', recipientId: recipient.id };
  const first = await send(app, sender, input);
  await run(app, recipient, DeleteNotificationDocument, { id: first.id });

  expect(await send(app, sender, input)).toEqual(first);
  expect(await counts(app, recipient)).toEqual({ total: 0, unread: 0 });
  expect(await run(app, recipient, NotificationDocument, { id: first.id })).toEqual({ notification: null });
});

test('a send that was refused does not use up its key', async () => {
  const me = person();
  const refused = await ask(app, me, SendDocument, { input: full({ title: '', idempotencyKey: 'k' }) });
  expect(refusalOf(refused)).toEqual({ code: 'BAD_USER_INPUT', field: 'title' });
  expect(await send(app, me, { idempotencyKey: 'k' })).toMatchObject({ title: 'A title' });
});
