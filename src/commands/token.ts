// Prints a signed access token.
import { loadConfig, parseDuration } from '../config.ts';
import { withSigningKey } from '../database/signing-key.ts';
import { createLogger } from '../logger.ts';
import { Tokens } from '../services/tokens.ts';
import { UsageError, readArguments } from './arguments.ts';
import { readId } from './read-id.ts';
import { runCommand } from './run-command.ts';

const USAGE = `Usage: npm run --silent token -- --tenant T --user U [--role R]... [--ttl 1h]

Prints an access token signed with JWT_SECRET, or with the secret that the embedded mode keeps in DATA_DIR.

  --tenant  the tenant that it is for
  --user    the id of the user, who need not be known here
  --role    may be given several times; admin and sender have a meaning of their own
  --ttl     how long it is good for, such as 30s, 15m, 12h or 30d; ACCESS_TOKEN_TTL by default

Exits with 0; with 1 when it failed; with 2 for wrong arguments.`;

/** Tokens count in seconds. */
const LEAST_TTL_MS = 1000;

function readTtl(text: string): number {
  try {
    return parseDuration(text, { leastMs: LEAST_TTL_MS });
  } catch (error) {
    throw new UsageError(`--ttl ${(error as Error).message}`);
  }
}

async function main(): Promise<number> {
  const { values } = readArguments({
    tenant: { type: 'string' },
    user: { type: 'string' },
    role: { type: 'string', multiple: true },
    ttl: { type: 'string' },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const subject = {
    tenantId: readId('tenant', values.tenant),
    userId: readId('user', values.user),
    roles: values.role ?? [],
  };
  const ttlMs = values.ttl === undefined ? undefined : readTtl(values.ttl);
  const config = await withSigningKey(loadConfig());
  const tokens = new Tokens(config, createLogger({ level: 'warn', format: 'pretty' }));
  if (!tokens.canSign) throw new Error('JWT_SECRET must be set: there is nothing to sign with');
  console.log(tokens.sign(subject, ttlMs));
  return 0;
}

runCommand(USAGE, main);
