import { MikroORM, type Options } from '@mikro-orm/postgresql';
import { Migrator } from '@mikro-orm/migrations';
import { migrations } from '../entities/migrations/index.ts';
import { MIGRATION_TABLE } from '../entities/migrations/names.ts';
import { type Database, type DatabaseOptions, ormOptions } from './database.ts';

/** The ORM's options where migrations are run or made. */
export function migratorOptions(options: DatabaseOptions): Options {
  return {
    ...ormOptions(options),
    extensions: [Migrator],
    migrations: { migrationsList: migrations, snapshot: false, tableName: MIGRATION_TABLE },
  };
}

/** A connection with a `migrator`, which that of `connectDatabase` has not. */
export async function connectMigrator(options: DatabaseOptions): Promise<Database> {
  return MikroORM.init(migratorOptions(options));
}
