// Brings the database to the newest schema, as its owner, so that servers need no right to change it.
import { loadConfig } from '../config.ts';
import { migrate } from '../database/migrate.ts';
import { readArguments } from './arguments.ts';
import { reachDatabase } from './reach-database.ts';
import { runCommand } from './run-command.ts';

const USAGE = `Usage:
  npm run migrate

Brings the PostgreSQL of DATABASE_URL to the newest schema, as the role of that address. A server does so itself at
its start; where its role may not, run this before it. Servers that are running go on meanwhile.
Exits with 0; with 1 when it failed; with 2 for wrong arguments.`;

async function main(): Promise<number> {
  const { values } = readArguments({});
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const { databaseUrl, databaseTimeout } = loadConfig();
  if (!databaseUrl) throw new Error('DATABASE_URL is not set: the embedded database is migrated by the server');
  await reachDatabase(databaseUrl, databaseTimeout);
  await migrate(databaseUrl);
  console.log('the database has the newest schema');
  return 0;
}

runCommand(USAGE, main);
