// Fills one inbox, for measuring how it behaves when it is large.
import { parseArgs } from 'node:util';
import { Client } from 'pg';
import { migrate } from '../src/database/migrate.ts';
import { fillInboxes } from './fill-inboxes.ts';
import { UsageError, runCommand, whole } from './usage.ts';

const USAGE = `Usage: node bench/fill.ts --tenant T --user U --rows N

Adds N notifications to an inbox of the database of DATABASE_URL, every second one unread, and brings the database to
the newest schema first. The inbox is made when it is not there. Nothing is told to clients that are listening.`;

/** An inbox counts in integers; there is no use in more. */
const MOST_ROWS = 100_000_000;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      tenant: { type: 'string' },
      user: { type: 'string' },
      rows: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const { tenant: tenantId, user } = values;
  if (!tenantId || !user || values.rows === undefined) throw new UsageError('--tenant, --user and --rows are needed');
  const rows = whole('rows', values.rows, MOST_ROWS);
  const url = process.env['DATABASE_URL'];
  if (!url) {
    console.error('DATABASE_URL must be set: it says which database to fill');
    return 1;
  }
  const started = performance.now();
  await migrate(url);
  const client = new Client({ connectionString: url, application_name: 'carillon-fill' });
  await client.connect();
  try {
    await fillInboxes(client, { tenantId, userIds: [user], rowsEach: rows });
    const { rows: inboxes } = await client.query<{ version: string; total: number; unread: number }>(
      'select version, total, unread from inbox where tenant_id = $1 and user_id = $2',
      [tenantId, user],
    );
    const { version, total, unread } = inboxes[0]!;
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(
      `added ${rows} notifications to ${user} of ${tenantId} in ${seconds} s: ` +
        `${total} in all, ${unread} unread, version ${version}`,
    );
  } finally {
    await client.end();
  }
  return 0;
}

runCommand(USAGE, main);
