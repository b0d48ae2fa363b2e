// Generates a migration from the difference between the entities and a database that has all migrations.
import { parseArgs } from 'node:util';
import { MikroORM } from '@mikro-orm/postgresql';
import { migratorOptions } from '../database/migrator.ts';

const { values } = parseArgs({
  options: { name: { type: 'string' }, url: { type: 'string' }, help: { type: 'boolean' } },
});
if (values.help || !values.name || !values.url) {
  console.log(
    'Usage: npm run migration -- --name what-it-does --url postgres://… (a database with all migrations run)',
  );
  process.exit(values.help ? 0 : 2);
}

const folder = new URL('../entities/migrations/', import.meta.url).pathname;
const options = migratorOptions({ url: values.url, poolMax: 2, timeoutMs: 60_000, rowLevelSecurity: false });
const orm = await MikroORM.init({
  ...options,
  migrations: { ...options.migrations, path: folder, pathTs: folder, emit: 'ts', snapshot: false },
});
try {
  const { fileName } = await orm.migrator.create(undefined, false, false, values.name);
  console.log(
    fileName
      ? `${fileName} written: add it to names.ts and index.ts of src/entities/migrations`
      : 'nothing has changed',
  );
} finally {
  await orm.close(true);
}
