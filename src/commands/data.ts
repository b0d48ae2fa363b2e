// Exports and deletes what is kept of users and tenants, and gives inboxes new epochs after a restore.
import { loadConfig } from '../config.ts';
import type { DataScope } from '../services/data-scope.ts';
import { UsageError, readArguments } from './arguments.ts';
import { runDelete } from './data-delete.ts';
import { runExport } from './data-export.ts';
import { runRestored } from './data-restored.ts';
import { openContext } from './open-context.ts';
import { reachDatabase } from './reach-database.ts';
import { readId } from './read-id.ts';
import { runCommand, stopOnSignals } from './run-command.ts';

const USAGE = `Usage:
  npm run --silent data -- export --tenant T [--user U] [--out FILE]
  npm run data -- delete --tenant T (--user U | --all) [--yes]
  npm run data -- restored

export prints everything that is kept of a tenant, or of one user, as JSON Lines, without hashes and secrets.
delete removes it, for good. What a user sent to others stays theirs, without its sender. It may be stopped, or killed,
at any moment: run again, it finishes. The user's tokens end, and live connections within two seconds.
restored gives all inboxes and logs of receipts new epochs, so that every client fetches anew. Run it after a restore
from a backup, before a server starts.

  --tenant  the tenant that it is about
  --user    the id of one user, as in tokens
  --out     a file to write, which must not exist yet, and which only its owner may read
  --all     deletes the whole tenant
  --yes     deletes without asking for the name on the terminal

Settings are those of the server (DATABASE_URL, DATA_DIR), and it may be running meanwhile, but for restored.
Exits with 0; with 1 when it failed; with 2 for wrong arguments.`;

const actions = ['export', 'delete', 'restored'] as const;
type Action = (typeof actions)[number];

/** Which options go with what. */
const optionsOf: Readonly<Record<Action, readonly string[]>> = {
  export: ['tenant', 'user', 'out'],
  delete: ['tenant', 'user', 'all', 'yes'],
  restored: [],
};

/** The longest that one statement may take here, on a table that is read as a whole. */
const PATIENCE_MS = 3_600_000;

function readAction(positionals: readonly string[]): Action {
  const [name, unexpected] = positionals;
  const action = actions.find((one) => one === name);
  if (name === undefined) throw new UsageError(`say one of: ${actions.join(', ')}`);
  if (action === undefined) throw new UsageError(`"${name}" is none of: ${actions.join(', ')}`);
  if (unexpected !== undefined) throw new UsageError(`unexpected argument "${unexpected}"`);
  return action;
}

async function main(): Promise<number> {
  const { values, positionals } = readArguments(
    {
      tenant: { type: 'string' },
      user: { type: 'string' },
      out: { type: 'string' },
      all: { type: 'boolean' },
      yes: { type: 'boolean' },
    },
    { positionals: true },
  );
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const action = readAction(positionals);
  const strange = Object.keys(values).find((name) => !optionsOf[action].includes(name));
  if (strange !== undefined) throw new UsageError(`--${strange} does not go with ${action}`);
  const { all = false, yes = false, out } = values;
  const scope: DataScope = {
    tenantId: action === 'restored' ? '' : readId('tenant', values.tenant),
    ...(values.user === undefined ? {} : { userId: readId('user', values.user) }),
  };
  if (out === '') throw new UsageError('--out needs the name of a file');
  if (action === 'delete') {
    if (all === (scope.userId !== undefined)) throw new UsageError('--user or --all is needed, and not both');
    if (!yes && !process.stdin.isTTY) {
      throw new UsageError('--yes is needed where standard input is no terminal to ask on');
    }
  }
  const config = loadConfig();
  if (config.databaseUrl) await reachDatabase(config.databaseUrl, config.databaseTimeout);
  const open = () => openContext({ ...config, databaseTimeout: PATIENCE_MS });
  if (action === 'export') await runExport({ scope, out, open, signal: stopOnSignals() });
  else if (action === 'delete') await runDelete({ scope, yes, open, stopOnSignals });
  else await runRestored({ open, signal: stopOnSignals() });
  return 0;
}

runCommand(USAGE, main);
