import type { Client } from 'pg';
import { connectMigrator } from '../../src/database/migrator.ts';
import { migrations } from '../../src/entities/migrations/index.ts';
import { MIGRATION_TABLE } from '../../src/entities/migrations/names.ts';
import { type TestDatabase, createEmptyDatabase, withClient } from '../support/postgres.ts';

/** A database that has the migrations up to and including this one. */
export async function databaseAt(name: string): Promise<TestDatabase> {
  const database = await createEmptyDatabase();
  const orm = await connectMigrator({ url: database.url, poolMax: 2, timeoutMs: 60_000, rowLevelSecurity: false });
  try {
    await orm.migrator.up({ to: name });
  } finally {
    await orm.close(true);
  }
  return database;
}

/** Has a database say that it has all migrations, so that a server takes its schema as it is. */
export async function pretendMigrated(url: string): Promise<void> {
  const names = migrations.map(({ name }) => name);
  await withClient(url, (client) =>
    client.query(
      `insert into ${MIGRATION_TABLE} (name) select name from unnest($1::text[]) name
       where name not in (select name from ${MIGRATION_TABLE})`,
      [names],
    ),
  );
}

export interface Column {
  readonly type: string;
  /** Whether a row can be written that does not name it. */
  readonly isOptional: boolean;
  readonly isNullable: boolean;
}

export interface Schema {
  /** By `table.column`. */
  readonly columns: ReadonlyMap<string, Column>;
  /** What rows have to hold to, by `table` and its definition. */
  readonly constraints: ReadonlySet<string>;
}

export async function readSchema(client: Client): Promise<Schema> {
  const columns = await client.query<{ name: string; type: string; is_optional: boolean; is_nullable: boolean }>(
    `select table_name || '.' || column_name as name, data_type as type, is_nullable = 'YES' as is_nullable,
       is_nullable = 'YES' or column_default is not null as is_optional
     from information_schema.columns where table_schema = 'public'`,
  );
  const constraints = await client.query<{ words: string }>(
    `select conrelid::regclass || ': ' || pg_get_constraintdef(oid) as words from pg_constraint
     where connamespace = 'public'::regnamespace and contype in ('c', 'f', 'u', 'x')
     union all
     select tablename || ': ' || indexdef from pg_indexes where schemaname = 'public' and indexdef like 'CREATE UNIQUE%'`,
  );
  return {
    columns: new Map(
      columns.rows.map(({ name, type, is_optional: isOptional, is_nullable: isNullable }) => [
        name,
        { type, isOptional, isNullable },
      ]),
    ),
    constraints: new Set(constraints.rows.map(({ words }) => words)),
  };
}

const tableOf = (name: string): string => name.slice(0, name.search(/[.:]/));

/** What a newer schema would refuse to code that was written for an older one; nothing when all of it still works. */
export function whatBreaks(older: Schema, newer: Schema): string[] {
  const broken: string[] = [];
  const tables = new Set([...older.columns.keys()].map(tableOf));
  for (const [name, { type, isNullable }] of older.columns) {
    const now = newer.columns.get(name);
    if (!now) broken.push(`${name} is gone`);
    else if (now.type !== type) broken.push(`${name} was ${type} and is ${now.type}`);
    else if (isNullable && !now.isNullable) broken.push(`${name} must not be null any more`);
  }
  for (const [name, { isOptional }] of newer.columns) {
    if (!older.columns.has(name) && tables.has(tableOf(name)) && !isOptional) broken.push(`${name} has to be given`);
  }
  for (const words of newer.constraints) {
    if (!older.constraints.has(words) && tables.has(tableOf(words))) broken.push(words);
  }
  return broken.toSorted();
}
