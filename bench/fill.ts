// Fills one inbox, for measuring how it behaves when it is large.
import { Client } from 'pg';
import { readArguments, required, whole } from '../src/commands/arguments.ts';
import { reachDatabase } from '../src/commands/reach-database.ts';
import { runCommand, stopOnSignals } from '../src/commands/run-command.ts';
import { createProgressBar } from '../src/commands/terminal/progress-bar.ts';
import { migrate } from '../src/database/migrate.ts';
import { fillInboxes } from './fill-inboxes.ts';

const USAGE = `Usage: node bench/fill.ts --tenant T --user U --rows N

Adds N notifications to an inbox of the database of DATABASE_URL, every second one unread, and brings the database to
the newest schema first. The inbox is made when it is not there. Nothing is told to clients that are listening.

  --tenant, --user  whose inbox it is
  --rows            how many, at most 100,000,000

On a terminal it shows how far it is. Ctrl-C ends it after the rows that are under way.
Exits with 0; with 1 when it failed; with 2 for wrong arguments.`;

/** An inbox counts in integers; there is no use in more. */
const MOST_ROWS = 100_000_000;

const CONNECT_MS = 10_000;

async function main(): Promise<number> {
  const { values } = readArguments({
    tenant: { type: 'string' },
    user: { type: 'string' },
    rows: { type: 'string' },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const tenantId = required('tenant', values.tenant);
  const user = required('user', values.user);
  const rows = whole('rows', required('rows', values.rows), MOST_ROWS);
  const url = process.env['DATABASE_URL'];
  if (!url) throw new Error('DATABASE_URL must be set: it says which database to fill');
  await reachDatabase(url, CONNECT_MS);
  const signal = stopOnSignals();
  const started = performance.now();
  await migrate(url);
  const client = new Client({ connectionString: url, application_name: 'carillon-fill' });
  await client.connect();
  try {
    using bar = createProgressBar();
    const onProgress = (done: number): void => {
      bar.show({ text: `${done.toLocaleString('en-US')} of ${rows.toLocaleString('en-US')} rows`, share: done / rows });
    };
    onProgress(0);
    await fillInboxes(client, { tenantId, userIds: [user], rowsEach: rows, onProgress, signal });
    bar[Symbol.dispose]();
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
