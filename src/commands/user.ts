// Manages the people who log in here.
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { ConfigError, loadConfig } from '../config.ts';
import { createContext } from '../context.ts';
import { CarillonError } from '../errors.ts';
import { createLogger } from '../logger.ts';

const USAGE = `Usage:
  npm run user -- add --tenant T --username U --password-stdin [--role R]... [--id I]
  npm run user -- list --tenant T
  npm run user -- remove --tenant T --username U

The password is read from standard input, so that no list of processes shows it.
Roles with a meaning of their own: admin, sender. Settings are those of the server (DATABASE_URL, DATA_DIR).`;

class UsageError extends Error {}

function required(value: string | undefined, name: string): string {
  if (!value) throw new UsageError(`--${name} is needed`);
  return value;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      tenant: { type: 'string' },
      username: { type: 'string' },
      id: { type: 'string' },
      role: { type: 'string', multiple: true },
      'password-stdin': { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  const [action] = positionals;
  if (values.help) {
    console.log(USAGE);
    return;
  }
  if (positionals.length !== 1 || !['add', 'list', 'remove'].includes(action ?? '')) {
    throw new UsageError('say add, list or remove');
  }
  const tenantId = required(values.tenant, 'tenant');
  const username = action === 'list' ? '' : required(values.username, 'username');
  if (action === 'add' && !values['password-stdin']) throw new UsageError('--password-stdin is needed');
  const password = action === 'add' ? (await text(process.stdin)).replace(/\r?\n$/, '') : '';

  const logger = createLogger({ level: 'warn', format: 'pretty' });
  await using context = await createContext(loadConfig(), logger, { exclusive: false });
  if (action === 'add') {
    const user = await context.users.add({ tenantId, username, password, roles: values.role ?? [], id: values.id });
    console.log(`added ${user.username} to ${user.tenantId}, id ${user.id}, roles ${user.roles.join(', ') || 'none'}`);
  } else if (action === 'remove') {
    await context.users.remove(tenantId, username);
    console.log(`removed ${username} from ${tenantId}`);
  } else {
    for (const user of await context.users.list(tenantId)) {
      console.log(`${user.username}\t${user.id}\t${user.roles.join(',')}`);
    }
  }
}

main().catch((error: unknown) => {
  const isUsage = error instanceof UsageError || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS');
  if (isUsage) console.error(`${(error as Error).message}\n\n${USAGE}`);
  else if (error instanceof ConfigError || error instanceof CarillonError) console.error(error.message);
  else console.error(error);
  process.exitCode = isUsage ? 2 : 1;
});
