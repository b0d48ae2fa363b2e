import { randomBytes } from 'node:crypto';
import { afterAll, beforeEach, describe, expect, test } from '@jest/globals';
import { connectDatabase } from '../../src/database/database.ts';
import { migrate } from '../../src/database/migrate.ts';
import { connectMigrator } from '../../src/database/migrator.ts';
import { migrations } from '../../src/entities/migrations/index.ts';
import { databaseUrl, withClient } from '../support/postgres.ts';

const adminUrl = process.env['TEST_POSTGRES_ADMIN_URL'] as string;
const made: string[] = [];
let url: string;

const administer = (statement: string) => withClient(adminUrl, (client) => client.query(statement));

beforeEach(async () => {
  const name = `carillon_migrate_${randomBytes(6).toString('hex')}`;
  await administer(`CREATE DATABASE ${name} ENCODING 'UTF8' TEMPLATE template0`);
  made.push(name);
  url = databaseUrl(adminUrl, name);
});
afterAll(async () => {
  for (const name of made) await administer(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
});

const migrated = (): Promise<string[]> =>
  withClient(url, async (client) => {
    const { rows } = await client.query<{ name: string }>('select name from carillon_migration order by id');
    return rows.map(({ name }) => name);
  });

describe('an empty database', () => {
  test('is migrated once, however often that is asked for', async () => {
    await migrate(url);
    await migrate(url);
    expect(await migrated()).toEqual(migrations.map(({ name }) => name));
  });

  test('is migrated once by ten instances that start at the same time', async () => {
    await Promise.all(Array.from({ length: 10 }, () => migrate(url)));
    expect(await migrated()).toEqual(migrations.map(({ name }) => name));
  });

  test('has afterwards exactly the schema that the entities describe', async () => {
    await migrate(url);
    const orm = await connectDatabase({ url, poolMax: 2, timeoutMs: 10_000, rowLevelSecurity: false });
    try {
      const difference = await orm.schema.getUpdateSchemaSQL({ dropTables: false });
      // PostgreSQL keeps the expression of a check in words of its own, which always look different.
      const statements = difference.split('\n').filter((line) => line !== '' && !/^set names|_check"/.test(line));
      expect(statements).toEqual([]);
    } finally {
      await orm.close(true);
    }
  });
});

test('what was sent before is its sender’s, in the tenant of its inbox', async () => {
  const orm = await connectMigrator({ url, poolMax: 2, timeoutMs: 10_000, rowLevelSecurity: false });
  try {
    await orm.migrator.up({ to: 'Migration20261124_changed_index' });
  } finally {
    await orm.close(true);
  }
  await withClient(url, async (client) => {
    await client.query(`insert into inbox (tenant_id, user_id, epoch, version, total, unread)
      select 'tenant ' || n, 'user', 'epoch', 1, 1, 1 from generate_series(1, 2) n`);
    await client.query(`insert into notification (id, inbox_id, seq, version, sender_id, type, priority, channel, status,
        title, content, created_at)
      select gen_random_uuid(), id, 1, 1, 'sender', 'TASK', 'LOW', 'IN_APP', 'SENT', tenant_id, 'c', now() from inbox`);
  });
  await migrate(url);
  const rows = await withClient(url, async (client) => {
    const query = 'select tenant_id, title from notification order by title';
    return (await client.query<{ tenant_id: string; title: string }>(query)).rows;
  });
  expect(rows).toEqual([1, 2].map((n) => ({ tenant_id: `tenant ${n}`, title: `tenant ${n}` })));
});

test('a migration that fails leaves the lock free, so that the next start can try again', async () => {
  await withClient(url, (client) => client.query('create table inbox (obstacle text)'));
  await expect(migrate(url)).rejects.toThrow(/inbox/);
  await withClient(url, (client) => client.query('drop table inbox'));
  await migrate(url);
  expect(await migrated()).toHaveLength(migrations.length);
});
