import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { fillInboxes } from '../../bench/fill-inboxes.ts';
import { decodeCursor, encodeCursor } from '../../src/services/cursor.ts';
import { NotificationsDocument } from '../../src/web/operations/generated.ts';
import type { Connection } from '../graphql/connection.ts';
import { type Sent, counts, run, send, sendMany } from '../graphql/operations.ts';
import { type Person, type TestApp, person, startApp } from '../support/app.ts';
import { databaseUrl, withClient } from '../support/postgres.ts';
import { connectGraphQL } from '../sockets/connect.ts';
import { runScript } from '../support/script.ts';

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

let app: TestApp;

beforeAll(async () => {
  app = await startApp();
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

const fill = ({ tenantId, id }: Person, rows: number) =>
  runScript('bench/fill.ts', ['--tenant', tenantId, '--user', id, '--rows', String(rows)], {
    DATABASE_URL: app.databaseUrl,
  });

/** Everything in an inbox, page by page, newest first. */
async function readAll(who: Person, filter = {}) {
  const nodes: Sent[] = [];
  for (let after: string | null = null; ; ) {
    const page: Connection = (await run(app, who, NotificationsDocument, { first: 100, after, filter })).notifications;
    nodes.push(...page.edges.map(({ node }) => node));
    if (!page.pageInfo.hasNextPage) return nodes;
    after = page.pageInfo.endCursor;
  }
}

const versionOf = (cursor: string): number => decodeCursor(cursor, 'cursor').version;
const downFrom = (most: number): number[] => Array.from({ length: most }, (_, index) => most - index);
const ask = (who: Person, query: string, variables = {}) => app.graphql(query, { token: who.token, variables });

describe('an inbox that was filled', () => {
  const reader = person();

  beforeAll(async () => {
    const { code, stdout, stderr } = await fill(reader, 1000);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(
      /^added 1000 notifications to \S+ of acme in [\d.]+ s: 1000 in all, 500 unread, version 1000\n$/,
    );
  });

  test('is counted, and read through from page to page, each notification once and in order', async () => {
    expect(await counts(app, reader)).toEqual({ total: 1000, unread: 500 });
    const all = await readAll(reader);
    expect(all.map(({ cursor }) => versionOf(cursor))).toEqual(downFrom(1000));
    expect(new Set(all.map(({ id }) => id)).size).toBe(1000);
    const moments = all.map(({ createdAt }) => Date.parse(createdAt));
    expect(moments).toEqual(moments.toSorted((one, other) => other - one));
    for (const { id, isRead, status, readAt, createdAt } of all) {
      expect(id).toMatch(UUID_V7);
      expect(Number.parseInt(id.slice(0, 13).replace('-', ''), 16)).toBe(Date.parse(createdAt));
      expect({ status, isDated: readAt !== null }).toEqual({ status: isRead ? 'READ' : 'SENT', isDated: isRead });
    }
    expect(await readAll(reader, { unread: true })).toEqual(all.filter(({ isRead }) => !isRead));
  });

  test('can be followed from any of its cursors into what is sent next', async () => {
    const { cursor } = (await ask(reader, '{ inboxState { cursor } }')).data.inboxState;
    const { epoch } = decodeCursor(cursor, 'cursor');
    await using device = await connectGraphQL(app, reader);
    const query = `subscription ($after: String) { inboxChanged(after: $after) {
      __typename ... on NotificationAdded { cursor previousCursor unreadCount notification { isRead } }
    } }`;
    const variables = { after: encodeCursor(epoch, 996) };
    device.send({ id: 'live', type: 'subscribe', payload: { query, variables } });
    const told = (await device.take(4)).map(({ payload }) => payload.data.inboxChanged);
    const { cursor: sentAt } = await send(app, reader);
    expect(sentAt).toBe(encodeCursor(epoch, 1001));
    told.push((await device.next())['payload'].data.inboxChanged);
    expect(told).toEqual(
      [997, 998, 999, 1000, 1001].map((version) => ({
        __typename: 'NotificationAdded',
        cursor: encodeCursor(epoch, version),
        previousCursor: encodeCursor(epoch, version - 1),
        unreadCount: version <= 1000 ? 500 : 501,
        notification: { isRead: version <= 1000 && version % 2 === 1 },
      })),
    );
  });

  test('is changed as any other', async () => {
    const before = await counts(app, reader);
    const [unread] = await readAll(reader, { unread: true });
    const [read] = await readAll(reader, { unread: false });
    await ask(reader, 'mutation ($id: ID!) { markRead(id: $id) { id } }', { id: unread!.id });
    await ask(reader, 'mutation ($id: ID!) { markRead(id: $id) { id } }', { id: read!.id });
    expect(await counts(app, reader)).toEqual({ total: before.total, unread: before.unread - 1 });
    await ask(reader, 'mutation ($id: ID!) { markUnread(id: $id) { id } }', { id: read!.id });
    await ask(reader, 'mutation ($id: ID!) { delete(id: $id) { id } }', { id: unread!.id });
    expect(await counts(app, reader)).toEqual({ total: before.total - 1, unread: before.unread });
    const { data } = await ask(reader, 'mutation { markAllRead { count unreadCount } }');
    expect(data.markAllRead).toEqual({ count: before.unread, unreadCount: 0 });
  });
});

test('what is filled in comes after what was there', async () => {
  const reader = person();
  const [first] = await sendMany(app, reader, 3);
  await ask(reader, 'mutation ($id: ID!) { markRead(id: $id) { id } }', { id: first!.id });
  expect(await fill(reader, 41)).toMatchObject({ code: 0, stdout: expect.stringContaining('44 in all, 22 unread') });
  expect(await counts(app, reader)).toEqual({ total: 44, unread: 22 });
  const all = await readAll(reader);
  expect(all.map(({ cursor }) => versionOf(cursor))).toEqual([...downFrom(45).slice(0, 41), 3, 2, 1]);
  expect(versionOf((await send(app, reader)).cursor)).toBe(46);
});

test('many rows of many inboxes go in step by step, and every counter is right', async () => {
  const cases = [
    { userIds: ['lea'], rowsEach: 20_003 },
    { userIds: Array.from({ length: 45 }, (_, index) => `user ${index}`), rowsEach: 700 },
    { userIds: ['lea', 'user 7'], rowsEach: 1 },
  ];
  await withClient(app.databaseUrl, async (client) => {
    for (const one of cases) await fillInboxes(client, { tenantId: 'steps', ...one });
    const { rows } = await client.query(`
      select count(*)::int as inboxes, bool_and(version = rows and total = rows and unread = unread_rows
        and newest = rows and positions = rows) as right, sum(rows)::int as total, count(distinct epoch)::int as epochs
      from inbox join (
        select inbox_id, count(*) as rows, count(*) filter (where read_at is null) as unread_rows, max(seq) as newest,
          count(distinct seq) as positions
        from notification group by inbox_id
      ) as found on inbox_id = id where tenant_id = 'steps'`);
    expect(rows).toEqual([{ inboxes: 46, right: true, total: 20_003 + 45 * 700 + 2, epochs: 46 }]);
  });
});

describe('the fill command', () => {
  test('brings an empty database to the newest schema', async () => {
    const admin = process.env['TEST_POSTGRES_ADMIN_URL']!;
    const name = `carillon_fill_${randomBytes(6).toString('hex')}`;
    await withClient(admin, (client) => client.query(`create database ${name}`));
    try {
      const env = { DATABASE_URL: databaseUrl(admin, name) };
      expect(await runScript('bench/fill.ts', ['--tenant', 'acme', '--user', 'uma', '--rows', '2'], env)).toMatchObject(
        {
          code: 0,
          stdout: expect.stringContaining('2 in all, 1 unread'),
        },
      );
    } finally {
      await withClient(admin, (client) => client.query(`drop database ${name} with (force)`));
    }
  });

  test('exits 2 with the usage for arguments that make no sense, and 0 for --help', async () => {
    const misuses = [
      '',
      '--tenant a --user b',
      '--nope',
      '--tenant a --user b --rows x',
      '--tenant a --user b --rows 0',
    ];
    const results = await Promise.all(
      misuses.map((misuse) => runScript('bench/fill.ts', misuse.split(' ').filter(Boolean))),
    );
    for (const { code, stdout, stderr } of results) {
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toMatch(/^[^\n]+\n\nUsage: /);
    }
    expect(await runScript('bench/fill.ts', ['--help'])).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringContaining('Usage:'),
    });
  });

  test('exits 1 with one clear line when there is no database', async () => {
    const args = ['--tenant', 'a', '--user', 'b', '--rows', '1'];
    const unset = await runScript('bench/fill.ts', args);
    expect(unset).toEqual({ code: 1, stdout: '', stderr: expect.stringMatching(/^DATABASE_URL must be set[^\n]*\n$/) });
    const away = await runScript('bench/fill.ts', args, { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' });
    expect(away).toEqual({ code: 1, stdout: '', stderr: expect.stringMatching(/^[^\n]+\n$/) });
  });
});
