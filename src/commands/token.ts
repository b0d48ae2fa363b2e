// Prints a signed access token.
import { parseArgs } from 'node:util';
import { ConfigError, loadConfig, parseDuration } from '../config.ts';
import { withSigningKey } from '../database/signing-key.ts';
import { createLogger } from '../logger.ts';
import { Tokens } from '../services/tokens.ts';

const USAGE = `Usage: npm run --silent token -- --tenant T --user U [--role R]... [--ttl 1h]

Prints an access token signed with JWT_SECRET, or with the secret that the embedded mode keeps in DATA_DIR.`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      tenant: { type: 'string' },
      user: { type: 'string' },
      role: { type: 'string', multiple: true },
      ttl: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  if (!values.tenant || !values.user) {
    console.error(`--tenant and --user are needed\n\n${USAGE}`);
    return 2;
  }
  const ttlMs = values.ttl === undefined ? undefined : readTtl(values.ttl);
  if (typeof ttlMs === 'string') {
    console.error(`${ttlMs}\n\n${USAGE}`);
    return 2;
  }
  const config = await withSigningKey(loadConfig());
  const tokens = new Tokens(config, createLogger({ level: 'warn', format: 'pretty' }));
  if (!tokens.canSign) {
    console.error('JWT_SECRET must be set: there is nothing to sign with');
    return 1;
  }
  const subject = { tenantId: values.tenant, userId: values.user, roles: values.role ?? [] };
  console.log(tokens.sign(subject, ttlMs));
  return 0;
}

/** The milliseconds, or what is wrong. */
function readTtl(text: string): number | string {
  try {
    return parseDuration(text);
  } catch (error) {
    return `--ttl ${(error as Error).message}`;
  }
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    const isUsage = (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS');
    console.error(
      isUsage
        ? `${(error as Error).message}\n\n${USAGE}`
        : error instanceof ConfigError
          ? error.message
          : String(error),
    );
    process.exitCode = isUsage ? 2 : 1;
  },
);
