import type { Migration } from '@mikro-orm/migrations';
import { describe, expect, test } from '@jest/globals';
import { migrations } from '../../src/entities/migrations/index.ts';
import { migrationNames, releasedWith } from '../../src/entities/migrations/names.ts';
import { createTestDatabase, withClient } from '../support/postgres.ts';
import { faultsOf } from './migration-rules.ts';
import { databaseAt, readSchema, whatBreaks } from './schemas.ts';

/** Migrations that lock a table of 0.1.0 while they make an index or fill a column. Only 0.1.0 is upgraded by them. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  Migration20261124_changed_index: 'its index takes the place of one of 0.1.0, which has no large inboxes yet',
  Migration20261124_recall: 'likewise, and its other index is of rows that 0.1.0 cannot have',
  Migration20261124_receipts: 'tenant_id is filled at once: 0.1.0 has no receipts without it',
};

function statementsOf(Class: (typeof migrations)[number]['class']): string[] {
  const statements: string[] = [];
  const migration = { addSql: (sql: string) => statements.push(sql) } as unknown as Migration;
  void Class.prototype.up.call(migration);
  return statements;
}

const released = Object.entries(releasedWith);

describe('each migration after the first release', () => {
  const first = migrationNames.indexOf(released[0]![1]);

  test.each(migrations.slice(first + 1).map((migration) => [migration.name, migration] as const))(
    '%s can be run beside the version before and its traffic, or says why not',
    (name, { class: Class }) => {
      const faults = faultsOf(statementsOf(Class));
      expect(faults).toEqual(name in EXCEPTIONS ? expect.arrayContaining([expect.any(String)]) : []);
    },
  );
});

test.each(released)('what the statements of %s rely on is still there in the newest schema', async (_, last) => {
  await using older = await databaseAt(last);
  await using newer = await createTestDatabase();
  const [was, is] = [await withClient(older.url, readSchema), await withClient(newer.url, readSchema)];
  expect(was.columns.size).toBeGreaterThan(0);
  expect(whatBreaks(was, is)).toEqual([]);
});

describe('the rules for migrations', () => {
  test.each([
    'alter table "notification" drop column "link";',
    'drop table "receipt";',
    'alter table "notification" rename column "link" to "url";',
    'alter table "notification" alter column "link" set not null;',
    'alter table "notification" add column "x" text not null;',
    'alter table "notification" alter column "seq" type int;',
    'update "notification" set "link" = null;',
    'create index "x" on "notification" ("link");',
    'create unique index "x" on "notification" using btree ("link");',
  ])('refuse %s', (sql) => {
    expect(faultsOf([sql])).toHaveLength(1);
  });

  test.each([
    ['a column that may be null', ['alter table "notification" add column "x" text null;']],
    ['a column with a default', [`alter table "notification" add column "x" int not null default 0;`]],
    ['an index that is made beside the traffic', ['create index concurrently "x" on "notification" ("link");']],
    ['an index of a table that is new', ['create table "y" ("a" int);', 'create index "x" on "y" ("a");']],
    ['an index that nothing needs any more', ['drop index "x";']],
  ])('allow %s', (_, statements) => {
    expect(faultsOf(statements)).toEqual([]);
  });

  test('find out in the schema itself what would break the version before', async () => {
    await using before = await createTestDatabase();
    await using after = await createTestDatabase();
    await withClient(after.url, async (client) => {
      await client.query('alter table notification drop column link');
      await client.query('alter table notification add column must text not null');
      await client.query('alter table notification alter column related_id set not null');
      await client.query('alter table notification alter column priority type varchar(10)');
      await client.query('alter table inbox add constraint few check (total < 10)');
      await client.query('create unique index titles on notification (title)');
    });
    const [was, is] = [await withClient(before.url, readSchema), await withClient(after.url, readSchema)];
    expect(whatBreaks(was, is)).toEqual([
      'inbox: CHECK ((total < 10))',
      'notification.link is gone',
      'notification.must has to be given',
      'notification.priority was text and is character varying',
      'notification.related_id must not be null any more',
      expect.stringMatching('notification: CHECK .*LOW'),
      expect.stringMatching('notification: CREATE UNIQUE INDEX titles'),
    ]);
  });
});
