import { existsSync, readdirSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { createCluster, findPostgresHome, readPassword } from '../../src/database/postgres-home.ts';
import type { PostgresBinaries } from '../../src/database/postgres-binaries.ts';
import { spawnPostmaster, stopPostmaster } from '../../src/database/postgres-process.ts';
import { connectWhenReady, urlsOf } from '../../src/database/postgres-session.ts';
import { createDatabase } from '../../src/database/server-role.ts';
import { asTenant } from '../../src/scope.ts';
import { type TestApp, person, startApp } from '../support/app.ts';

/** Where Debian keeps the server programs of each version. */
const INSTALLED = '/usr/lib/postgresql';
const LEAST_VERSION = 15;

/** The run's own server, and every other one on this machine that DATABASE_URL might name. */
const versions = [
  'the embedded one',
  ...(existsSync(INSTALLED) ? readdirSync(INSTALLED) : [])
    .filter((version) => Number(version) >= LEAST_VERSION && existsSync(join(INSTALLED, version, 'bin', 'initdb')))
    .map((version) => `${version}, as installed`),
];

async function startInstalled(version: string): Promise<{ url: string } & AsyncDisposable> {
  const program = (name: string): string => join(INSTALLED, version, 'bin', name);
  const binaries: PostgresBinaries = {
    postgres: program('postgres'),
    initdb: program('initdb'),
    pgCtl: program('pg_ctl'),
  };
  await using started = new AsyncDisposableStack();
  const directory = await mkdtemp('/tmp/carillon-version-');
  started.defer(() => rm(directory, { recursive: true, force: true }));
  await chmod(directory, 0o711);
  const home = await findPostgresHome(directory);
  await createCluster(home, binaries, false);
  const server = await spawnPostmaster(home, binaries, { fsync: 'off' });
  started.defer(() => stopPostmaster(server.pid, home));
  const password = await readPassword(home);
  const { url, adminUrl } = urlsOf(server.port, password);
  const client = await connectWhenReady(adminUrl, async () => server.child.exitCode === null, home);
  if (!client) throw new Error(`PostgreSQL ${version} did not start`);
  await createDatabase(client, password);
  await client.end();
  const owned = started.move();
  return { url, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function exercise(app: TestApp): Promise<void> {
  const [ada, bob] = [person(), person()];
  const send = (title: string, key?: string) =>
    app.rest('POST', '/api/v1/notifications', {
      token: ada.token,
      body: { user_id: bob.id, title, content: 'c', data: { z: 1, a: [2] } },
      headers: key === undefined ? {} : { 'idempotency-key': key },
    });
  const first = await send('one', 'k');
  expect((await send('one', 'k')).body.id).toBe(first.body.id);
  const [second, third] = [await send('two'), await send('three')];
  const { data } = await app.graphql(
    `mutation($id: ID!, $ids: [ID!]!, $gone: ID!) {
      markRead(id: $id) { isRead }
      batchMarkRead(ids: $ids) { count unreadCount }
      markUnread(id: $id) { isRead }
      delete(id: $gone) { unreadCount }
      markAllRead { count unreadCount }
    }`,
    { token: bob.token, variables: { id: first.body.id, ids: [second.body.id], gone: third.body.id } },
  );
  expect(data).toEqual({
    markRead: { isRead: true },
    batchMarkRead: { count: 1, unreadCount: 1 },
    markUnread: { isRead: false },
    delete: { unreadCount: 1 },
    markAllRead: { count: 1, unreadCount: 0 },
  });
  const list = await app.graphql(
    '{ notifications(first: 1, filter: {types: [SYSTEM]}) { totalCount nodes { title data } pageInfo { hasNextPage } } }',
    { token: bob.token },
  );
  expect(list.data.notifications).toEqual({
    totalCount: 2,
    nodes: [{ title: 'two', data: { z: 1, a: [2] } }],
    pageInfo: { hasNextPage: true },
  });
  const caller = { tenantId: bob.tenantId, userId: bob.id, roles: [], expiresAtMs: Number.POSITIVE_INFINITY };
  const events = await asTenant(bob.tenantId, () =>
    app.app.context.services.notifications.changes(
      { ...caller, issuedAtMs: 0, sessionId: undefined },
      { after: '-----------0' },
    ),
  );
  const kinds = [];
  for (let n = 0; n < 4; n += 1) kinds.push((await events.next()).value?.kind);
  await events.return?.();
  expect(kinds).toEqual(['added', 'added', 'read', 'read']);
}

describe('everything that asks the database works on PostgreSQL', () => {
  test.each(versions)('%s', async (version) => {
    await using server = version.startsWith('the') ? undefined : await startInstalled(version.split(',')[0] ?? '');
    await using app = await startApp(server ? { databaseUrl: server.url } : {});
    await exercise(app);
  });
});
