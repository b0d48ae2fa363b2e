// Manages the people who log in here.
import { text } from 'node:stream/consumers';
import { loadConfig } from '../config.ts';
import { CarillonError } from '../errors.ts';
import type { UserRecord } from '../services/users.ts';
import { UsageError, readArguments, required } from './arguments.ts';
import { openContext } from './open-context.ts';
import { reachDatabase } from './reach-database.ts';
import { runCommand } from './run-command.ts';
import { askNewPassword } from './terminal/password.ts';
import { paintFor, visible } from './terminal/style.ts';
import { alignedTable } from './terminal/table.ts';

const USAGE = `Usage:
  npm run user -- add --tenant T --username U [--password-stdin] [--role R]... [--id I]
  npm run user -- list --tenant T
  npm run user -- remove --tenant T --username U

  --tenant          the tenant that the user belongs to
  --username        the name to log in with
  --password-stdin  reads the password from standard input; without it, it is asked for on the terminal
  --role            may be given several times; admin and sender have a meaning of their own
  --id              what tokens and recipients name; a new UUID by default

A list is a table on a terminal; elsewhere each line is a name, an id and roles, with tabs between them.
Settings are those of the server (DATABASE_URL, DATA_DIR), and it may be running meanwhile.
Exits with 0; with 1 when it failed; with 2 for wrong arguments.`;

const actions = ['add', 'list', 'remove'] as const;
type Action = (typeof actions)[number];

/** Which options go with what, beside --tenant. */
const optionsOf: Readonly<Record<Action, readonly string[]>> = {
  add: ['username', 'password-stdin', 'role', 'id'],
  list: [],
  remove: ['username'],
};

/** The options by the names that services have for what they hold. */
const optionNames: Readonly<Record<string, string>> = { tenantId: 'tenant', roles: 'role' };

function readAction(positionals: readonly string[]): Action {
  const [name, unexpected] = positionals;
  const action = actions.find((one) => one === name);
  if (name === undefined) throw new UsageError(`say one of: ${actions.join(', ')}`);
  if (action === undefined) throw new UsageError(`"${name}" is none of: ${actions.join(', ')}`);
  if (unexpected !== undefined) throw new UsageError(`unexpected argument "${unexpected}"`);
  return action;
}

const readPassword = async (fromStdin: boolean): Promise<string> =>
  fromStdin ? (await text(process.stdin)).replace(/\r?\n$/, '') : askNewPassword();

async function main(): Promise<number> {
  const { values, positionals } = readArguments(
    {
      tenant: { type: 'string' },
      username: { type: 'string' },
      id: { type: 'string' },
      role: { type: 'string', multiple: true },
      'password-stdin': { type: 'boolean' },
    },
    { positionals: true },
  );
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const action = readAction(positionals);
  const strange = Object.keys(values).find((name) => name !== 'tenant' && !optionsOf[action].includes(name));
  if (strange !== undefined) throw new UsageError(`--${strange} does not go with ${action}`);
  const tenantId = required('tenant', values.tenant);
  const username = action === 'list' ? '' : required('username', values.username);
  const { 'password-stdin': fromStdin = false } = values;
  if (action === 'add' && !fromStdin && !process.stdin.isTTY) {
    throw new UsageError('--password-stdin is needed where standard input is no terminal to ask on');
  }
  const config = loadConfig();
  if (config.databaseUrl) await reachDatabase(config.databaseUrl, config.databaseTimeout);
  const password = action === 'add' ? await readPassword(fromStdin) : '';

  await using context = await openContext(config);
  if (action === 'add') {
    const { role: roles = [], id } = values;
    const user = await context.users
      .add({ tenantId, username, password, roles, id })
      .catch((error: unknown) => Promise.reject(byOption(error)));
    const named = `added ${user.username} to ${user.tenantId}, id ${user.id}, roles ${user.roles.join(', ') || 'none'}`;
    console.log(visible(named));
  } else if (action === 'remove') {
    await context.users.remove(tenantId, username);
    console.log(visible(`removed ${username} from ${tenantId}`));
  } else printUsers(await context.users.list(tenantId));
  return 0;
}

/** What is wrong with an input is told by the option that it came from. */
function byOption(error: unknown): unknown {
  if (!(error instanceof CarillonError) || error.code !== 'BAD_USER_INPUT' || error.field === undefined) return error;
  const [field = ''] = error.field.split('.');
  const words = error.message.replace(new RegExp(`^${field}\\S*:? `), '');
  return new Error(`${field === 'password' ? 'the password' : `--${optionNames[field] ?? field}`} ${words}`);
}

function printUsers(users: readonly UserRecord[]): void {
  const rows = users.map(({ username, id, roles }) => [username, id, roles.join(',')].map(visible));
  if (!process.stdout.isTTY) {
    for (const row of rows) console.log(row.join('\t'));
    return;
  }
  const paint = paintFor(process.stdout);
  const head = ['USERNAME', 'ID', 'ROLES'].map((name) => paint('bold', name));
  console.log(rows.length === 0 ? 'There are no users.' : alignedTable([head, ...rows]));
}

runCommand(USAGE, main);
