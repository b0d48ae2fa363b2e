import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import {
  BatchMarkReadDocument,
  DeleteNotificationDocument,
  MarkReadDocument,
  NotificationDocument,
  NotificationsDocument,
} from '../../src/web/operations/generated.ts';
import { type Person, type TestApp, person, signToken, startApp } from '../support/app.ts';
import { type Sent, ask, badInput, counts, refusalOf, run, send } from './operations.ts';

let app: TestApp;
let owner: Person;
let theirs: Sent;

beforeAll(async () => {
  app = await startApp();
  owner = person();
  theirs = await send(app, owner, { title: 'Private' });
});

afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

/** Others: another user, one who is the same user of another tenant, one whose ids only look alike when joined. */
const strangers: [string, () => Person][] = [
  ['another user', () => person()],
  ['the same user id in another tenant', () => stranger('globex', owner.id)],
  [
    'ids that read the same when joined',
    () => stranger(`${owner.tenantId}:${owner.id.slice(0, 8)}`, owner.id.slice(9)),
  ],
];

const stranger = (tenantId: string, id: string): Person => ({
  id,
  tenantId,
  token: signToken({ user_id: id, tenant_id: tenantId }),
});

const byId: [string, TypedDocumentNode<unknown, { id: string }>][] = [
  ['notification', NotificationDocument],
  ['markRead', MarkReadDocument],
  ['delete', DeleteNotificationDocument],
];

describe.each(strangers)('for %s', (_who, make) => {
  test.each(byId)('%s answers for what exists exactly as for what does not', async (_name, document) => {
    const me = make();
    const [existing, missing, malformed] = await Promise.all(
      [theirs.id, randomUUID(), 'no UUID'].map((id) => ask(app, me, document, { id })),
    );
    expect([existing?.data, existing?.errors]).toEqual([missing?.data, missing?.errors]);
    expect([malformed?.data, malformed?.errors]).toEqual([missing?.data, missing?.errors]);
  });

  test('reading, counting and marking in batches find nothing', async () => {
    const me = make();
    const { notifications } = await run(app, me, NotificationsDocument, {});
    expect(notifications.edges).toEqual([]);
    expect(await counts(app, me)).toEqual({ total: 0, unread: 0 });
    expect(await run(app, me, BatchMarkReadDocument, { ids: [theirs.id] })).toEqual({
      batchMarkRead: { count: 0, unreadCount: 0 },
    });
  });

  test.each(['after', 'before'])('a cursor of the inbox is refused as %s', async (argument) => {
    const me = make();
    expect(refusalOf(await ask(app, me, NotificationsDocument, { [argument]: theirs.cursor }))).toEqual(
      badInput(argument),
    );
    await send(app, me);
    expect(refusalOf(await ask(app, me, NotificationsDocument, { [argument]: theirs.cursor }))).toEqual(
      badInput(argument),
    );
  });

  test('nothing of the inbox has changed after all that', async () => {
    expect(await run(app, owner, NotificationDocument, { id: theirs.id })).toEqual({ notification: theirs });
    expect(await counts(app, owner)).toEqual({ total: 1, unread: 1 });
  });
});

test.each(byId.slice(1))('%s says NOT_FOUND for what is not in the inbox', async (_name, document) => {
  for (const id of [randomUUID(), theirs.id, 'no UUID', '', 'a\0b', '\ud800', '1'.repeat(10_000)]) {
    const answer = await ask(app, person(), document, { id });
    expect(refusalOf(answer)).toEqual({ code: 'NOT_FOUND' });
    expect(answer).toMatchObject({ status: 200, data: null });
  }
});

test.each(['no UUID', '', 'a\0b', '\ud800', "' or 1=1 --", '1'.repeat(10_000)])(
  'notification is null for an id that nothing can have: %j',
  async (id) => {
    expect(await ask(app, owner, NotificationDocument, { id })).toMatchObject({
      status: 200,
      data: { notification: null },
      errors: undefined,
    });
  },
);

test('a recipient is looked for in the tenant of the sender only', async () => {
  const foreign = person({ tenantId: 'globex' });
  const sent = await send(app, foreign, { recipientId: owner.id });
  expect(sent).toMatchObject({ tenantId: 'globex', recipientId: owner.id });
  expect(await counts(app, owner)).toEqual({ total: 1, unread: 1 });
});

describe('with SEND_POLICY=privileged', () => {
  let strict: TestApp;

  beforeAll(async () => {
    strict = await startApp({ env: { SEND_POLICY: 'privileged' }, databaseUrl: app.databaseUrl });
  });

  afterAll(async () => {
    await strict[Symbol.asyncDispose]();
  });

  test('sending to others is FORBIDDEN without a role, and to oneself it is not', async () => {
    const [me, other] = [person(), person()];
    const answer = await strict.graphql(
      'mutation ($to: ID) { send(input: { recipientId: $to, title: "a", content: "b" }) { id } }',
      { token: me.token, variables: { to: other.id } },
    );
    expect(refusalOf(answer)).toEqual({ code: 'FORBIDDEN' });
    expect(await counts(strict, other)).toEqual({ total: 0, unread: 0 });
    await send(strict, me, { recipientId: me.id });
    await send(strict, me);
  });

  test.each([
    ['sender in roles', { roles: ['sender'] }],
    ['admin in metadata.roles', { metadata: { roles: ['admin'] } }],
    ['sender in scope', { scope: 'openid sender' }],
  ])('%s may send to others', async (_what, role) => {
    const { id, tenantId } = person();
    const token = signToken({ user_id: id, tenant_id: tenantId, ...role });
    await send(strict, { id, tenantId, token }, { recipientId: randomUUID() });
  });
});
