import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { clientOf } from '../channels/client.ts';
import { type FarSides, startFarSides } from '../channels/far-sides.ts';
import { runCommand } from '../process/server.ts';
import { TEST_SECRET, type TestApp, person, startApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { databaseUrl, withClient } from '../support/postgres.ts';
import { blocksOf, read } from './markdown.ts';

const adminUrl = process.env['TEST_POSTGRES_ADMIN_URL'] as string;
const suffix = randomBytes(6).toString('hex');

/** A file of the page, with names of this run: roles are of a whole server. */
const sqlOf = (name: string): string =>
  blocksOf(read('docs/security.md'))
    .find((block) => block.name === name)!
    .code.replaceAll(/\bcarillon_(owner|app)\b/g, `carillon_$1_${suffix}`)
    .replace('create database carillon ', `create database ${database} `);
const database = `carillon_roles_${suffix}`;
const urlOf = (role: 'owner' | 'app'): string => {
  const url = new URL(databaseUrl(adminUrl, database));
  url.username = `carillon_${role}_${suffix}`;
  url.password = `REPLACE_${role.toUpperCase()}`;
  return url.href;
};
const run = (url: string, text: string) => withClient(url, (client) => client.query(text));

let resources: AsyncDisposableStack;
let far: FarSides;
let app: TestApp;

beforeAll(async () => {
  resources = new AsyncDisposableStack();
  far = resources.use(await startFarSides());
  // One statement at a time: a database is not made within a transaction.
  for (const statement of sqlOf('roles.sql').split('\n').filter(Boolean)) await run(adminUrl, statement);
  resources.defer(async () => {
    await run(adminUrl, `drop database ${database} with (force)`);
    for (const role of ['owner', 'app']) await run(adminUrl, `drop role carillon_${role}_${suffix}`);
  });
  const migrated = await runCommand('migrate', [], { env: { DATABASE_URL: urlOf('owner'), JWT_SECRET: TEST_SECRET } });
  expect(migrated).toMatchObject({ code: 0, stdout: 'the database has the newest schema\n' });
  await run(urlOf('owner'), sqlOf('grants.sql'));
  app = resources.use(await startApp({ databaseUrl: urlOf('app'), env: { ...far.env } }));
}, 240_000);
afterAll(async () => resources.disposeAsync());

test('a server whose role may only read and write rows stores, reads, delivers and forgets', async () => {
  const uma = person();
  const admin = clientOf(app.url, person({ roles: ['admin'] }));
  await admin.addContact('EMAIL', 'uma@example.com', uma.id);
  const id = await admin.send({ recipientId: uma.id, channel: 'EMAIL', title: 'Tea' });
  await eventually(async () => (await clientOf(app.url, uma).deliveries(id))[0]?.status === 'SENT');
  const { data } = await app.graphql(
    'mutation ($id: ID!) { markRead(id: $id) { isRead } delete(id: $id) { unreadCount } }',
    {
      token: uma.token,
      variables: { id },
    },
  );
  expect(data).toEqual({ markRead: { isRead: true }, delete: { unreadCount: 0 } });
  expect(app.logged.join('')).not.toMatch(/permission denied|row-level security/);
});

test('the role may change neither tables nor policies, and reads nothing of a tenant that is not in the scope', async () => {
  for (const statement of [
    'alter table inbox disable row level security',
    'drop policy carillon_scope on inbox',
    'create table mine (id int)',
    'delete from carillon_migration',
    'truncate inbox',
  ]) {
    await expect(run(urlOf('app'), statement)).rejects.toMatchObject({ code: '42501' });
  }
  const { rowCount } = await withClient(urlOf('app'), async (client) => {
    await client.query(`set carillon.scope = '{"other"}'`);
    return client.query('select from inbox');
  });
  expect(rowCount).toBe(0);
});

test('the statements for after a migration can be run again', async () => {
  await run(urlOf('owner'), sqlOf('grants.sql'));
});
