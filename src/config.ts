import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** One environment variable: how its text becomes a value, what holds when it is unset, and what it is for. */
interface Setting<T> {
  group: string;
  /** The default as it would be written in the environment; empty means unset. */
  fallback: string;
  parse: (text: string) => T;
  /** A line or two for `.env.example` and the README. */
  about: string;
}

class Fault extends Error {}

const DURATION_UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Timers of Node take at most this many milliseconds, about 24.8 days. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export function parseDuration(text: string, { leastMs = 0, mostMs = Number.MAX_SAFE_INTEGER } = {}): number {
  const match = /^(\d+)(ms|s|m|h|d)$/.exec(text);
  if (!match) throw new Fault('must be a duration such as 500ms, 10s, 5m, 24h or 30d');
  const value = Number(match[1]) * DURATION_UNITS[match[2] as keyof typeof DURATION_UNITS];
  if (value < leastMs) throw new Fault(`must be at least ${leastMs}ms`);
  if (value > mostMs) throw new Fault(`must be at most ${mostMs}ms`);
  return value;
}

function parseInteger(text: string, least: number, most: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value) || value < least || value > most) {
    throw new Fault(`must be a whole number from ${least} to ${most}`);
  }
  return value;
}

function parseUrl(text: string, protocols: readonly string[]): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !protocols.includes(url.protocol)) throw new Fault(`must be a URL with ${protocols.join(' or ')}`);
  return text;
}

function parseOrigin(text: string): string {
  const origin = URL.canParse(text) ? new URL(text).origin : 'null';
  // A URL may hold a *; an origin that a browser sends never does.
  if (origin === 'null' || origin !== text || text.includes('*')) {
    throw new Fault(`"${text}" is not an exact origin such as https://app.example.com (no path, no wildcard)`);
  }
  return text;
}

function parseSecret(text: string): string {
  if (Buffer.byteLength(text) < 32) throw new Fault('must be at least 32 bytes long (RFC 7518 section 3.2)');
  return text;
}

function parsePem(text: string): string {
  // Environment files cannot hold line breaks, so "\n" is understood; a path is read.
  const pem = text.includes('-----BEGIN') ? text.replaceAll('\\n', '\n') : readPem(text);
  if (!/-----BEGIN (RSA )?PUBLIC KEY-----/.test(pem)) throw new Fault('must be a PEM public key, or the path of one');
  if (!['rsa', 'ec'].includes(keyTypeOf(pem))) throw new Fault('must be an RSA or EC key that can be read');
  return pem;
}

function keyTypeOf(pem: string): string {
  try {
    return createPublicKey(pem).asymmetricKeyType ?? '';
  } catch {
    return '';
  }
}

function readPem(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    throw new Fault('must be a PEM public key, or the path of a file that can be read');
  }
}

type Make<T> = (fallback: string, about: string) => Omit<Setting<T>, 'group'>;

const text: Make<string> = (fallback, about) => ({ fallback, about, parse: (value) => value });
const optional = <T>(parse: (text: string) => T, about: string): Omit<Setting<T | undefined>, 'group'> => ({
  fallback: '',
  about,
  parse: (value) => (value === '' ? undefined : parse(value)),
});
const integer = (fallback: number, about: string, least = 1, most = 1_000_000_000): Omit<Setting<number>, 'group'> => ({
  fallback: String(fallback),
  about,
  parse: (value) => parseInteger(value, least, most),
});
const duration = (fallback: string, about: string, leastMs = 1): Omit<Setting<number>, 'group'> => ({
  fallback,
  about,
  parse: (value) => parseDuration(value, { leastMs }),
});
const timer = (fallback: string, about: string, leastMs = 1): Omit<Setting<number>, 'group'> => ({
  fallback,
  about,
  parse: (value) => parseDuration(value, { leastMs, mostMs: MAX_TIMER_MS }),
});
const oneOf = <const T extends string>(
  choices: readonly T[],
  fallback: NoInfer<T>,
  about: string,
): Omit<Setting<T>, 'group'> => ({
  fallback,
  about,
  parse: (value) => {
    if (!(choices as readonly string[]).includes(value)) throw new Fault(`must be one of ${choices.join(', ')}`);
    return value as T;
  },
});

const group = <S extends Record<string, Omit<Setting<unknown>, 'group'>>>(name: string, settings: S) =>
  Object.fromEntries(Object.entries(settings).map(([key, setting]) => [key, { ...setting, group: name }])) as {
    [K in keyof S]: S[K] & { group: string };
  };

/** Every setting; the environment variable of `maxBodyBytes` is `MAX_BODY_BYTES`. */
const settings = {
  ...group('Server', {
    host: text('127.0.0.1', 'Address to listen on; images set 0.0.0.0.'),
    port: integer(15_006, 'Port to listen on; 0 takes a free one.', 0, 65_535),
    workers: integer(1, 'Processes that serve the port together, such as one per core.', 1, 256),
    allowedOrigins: optional(
      (value) => value.split(',').map((part) => parseOrigin(part.trim())),
      'Exact origins of web pages that may call and connect, separated by commas. The server’s own is always allowed.',
    ),
    shutdownTimeout: timer('10s', 'Most time from SIGTERM to the exit.', 0),
    logLevel: oneOf(
      ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
      'info',
      'Least level that is logged.',
    ),
    logFormat: oneOf(['pretty', 'json'], 'pretty', 'pretty for people, json for log collectors.'),
  }),
  ...group('Data', {
    databaseUrl: optional(
      (value) => parseUrl(value, ['postgres:', 'postgresql:']),
      'postgres://… of a PostgreSQL 15 or later. Unset: an embedded PostgreSQL in DATA_DIR, with demo users.',
    ),
    dataDir: text('.data', 'Folder of the embedded database; not used with DATABASE_URL.'),
    demo: oneOf(['on', 'off'], 'on', 'Demo tenant and users in the embedded database.'),
    pgPoolMax: integer(20, 'Most connections to PostgreSQL.', 2, 1000),
    databaseTimeout: timer('10s', 'Most time for one statement, and for getting a connection.'),
    retentionTombstones: duration(
      '30d',
      'How long deletions are remembered: a cursor older than that has to fetch the inbox anew.',
    ),
    retentionNotifications: optional(
      (value) => parseDuration(value),
      'Notifications older than this are deleted, such as 365d. Unset: they are kept.',
    ),
    redisUrl: optional(
      (value) => parseUrl(value, ['redis:', 'rediss:']),
      'redis://… that connects several instances. Unset: one instance.',
    ),
  }),
  ...group('Who is calling', {
    jwtSecret: optional(
      parseSecret,
      'HS256 secret, at least 32 bytes. The embedded mode makes one when no key is set.',
    ),
    jwtPublicKey: optional(parsePem, 'Public key (PEM, or its path) for RS256 or ES256 tokens of another issuer.'),
    jwtJwksUrl: optional((value) => parseUrl(value, ['http:', 'https:']), 'JWKS address for RS256 or ES256 tokens.'),
    jwtIssuer: optional(String, 'Required `iss` of every token.'),
    jwtAudience: optional(String, 'Required `aud` of every token.'),
    accessTokenTtl: duration('1h', 'Life of an access token from login.'),
    refreshTokenTtl: duration('30d', 'Life of a refresh token.'),
    loginAttempts: integer(10, 'Failed logins for one user name within LOGIN_WINDOW before more are refused.'),
    loginWindow: duration('15m', 'See LOGIN_ATTEMPTS.'),
    rateLimits: oneOf(['on', 'off'], 'on', 'off switches rate limits off, for load tests.'),
    sendPolicy: oneOf(
      ['tenant', 'privileged'],
      'tenant',
      'tenant: any user may send within the own tenant. privileged: sending to others needs the role sender or admin.',
    ),
  }),
  ...group('Limits of a notification', {
    maxTitleLength: integer(200, 'Characters.'),
    maxContentLength: integer(10_000, 'Characters.'),
    maxLinkLength: integer(2048, 'Characters.'),
    maxDataBytes: integer(16_384, 'Bytes of JSON.'),
    maxIdempotencyKeyLength: integer(128, 'Characters.'),
    idempotencyWindow: duration('24h', 'How long an idempotency key answers with the first notification.', 0),
    maxBatchIds: integer(1000, 'Ids in one batch.'),
    defaultPageSize: integer(20, 'Items of a page when nothing is said.'),
    maxPageSize: integer(100, 'Most items of a page.'),
  }),
  ...group('Limits of requests and connections', {
    maxQueryTokens: integer(5000, 'Tokens of one GraphQL document.'),
    maxBodyBytes: integer(1_048_576, 'Bytes of an HTTP body, and of a graphql-transport-ws message.'),
    maxQueuedSends: integer(10_000, 'Sends that may wait for the database; past that callers are told RATE_LIMITED.'),
    maxSendBatch: integer(500, 'Sends that share one statement; beyond a few hundred each of them only waits longer.'),
    maxSendBatchesInFlight: integer(
      2,
      'Such statements under way at once: while one waits for a lock or for the disk another goes on.',
      1,
      100,
    ),
    maxConnectionsPerUser: integer(100, 'Live connections of one user in one process.'),
    maxOperationsPerSocket: integer(100, 'Operations under way on one graphql-transport-ws socket.'),
    maxWaitingEvents: integer(
      256,
      'Events that may wait for a reader; one that takes none of them meanwhile is closed, to come back with its cursor.',
    ),
    maxLegacyFrameBytes: integer(16_384, 'Bytes of a message to the legacy socket.'),
    requestTimeout: timer('30s', 'Most time for receiving one HTTP request.'),
    connectionInitTimeout: timer('3s', 'Most time from opening a graphql-transport-ws socket to its connection_init.'),
    graphqlPingInterval: timer('12s', 'Protocol pings on graphql-transport-ws sockets.'),
    legacyPingInterval: timer('54s', 'Protocol pings on legacy sockets.'),
    legacyIdleTimeout: timer('60s', 'A legacy socket from which nothing came for this long is closed.'),
    sweepInterval: timer('30s', 'How often live inboxes are compared with the log, in case a doorbell was lost.'),
  }),
};

type Settings = typeof settings;

/** The validated settings: camelCase names, durations in milliseconds, sizes in bytes, unset ones `undefined`. */
export type Config = Readonly<{ [K in keyof Settings]: ReturnType<Settings[K]['parse']> }>;

export const variableName = (key: string): string => key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();

/** All faults of the environment at once; each line names its variable. */
export class ConfigError extends Error {
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(faults.join('\n'));
    this.name = 'ConfigError';
    this.faults = faults;
  }
}

/**
 * Reads and validates the settings. Unset and empty variables take their defaults.
 *
 * @throws ConfigError with one line for every variable at fault.
 */
export function loadConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const faults: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [key, setting] of Object.entries<Setting<unknown>>(settings)) {
    const name = variableName(key);
    try {
      values[key] = setting.parse(env[name]?.trim() || setting.fallback);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      faults.push(`${name} ${error.message}`);
    }
  }
  const config = values as Config;
  if (config.databaseUrl && !config.jwtSecret && !config.jwtPublicKey && !config.jwtJwksUrl) {
    const alreadyTold = faults.some((fault) => fault.startsWith('JWT_'));
    if (!alreadyTold) faults.push('JWT_SECRET, JWT_PUBLIC_KEY or JWT_JWKS_URL must be set with DATABASE_URL');
  }
  if (config.defaultPageSize > config.maxPageSize) faults.push('DEFAULT_PAGE_SIZE must not exceed MAX_PAGE_SIZE');
  if (faults.length > 0) throw new ConfigError(faults);
  return Object.freeze(config);
}

/** The text of `.env.example`: every variable with what it is for and its default. */
export function envExample(): string {
  const lines = ['# Every setting of Carillon with its default. Copy to .env and change what you need.'];
  let current = '';
  for (const [key, setting] of Object.entries<Setting<unknown>>(settings)) {
    if (setting.group !== current) {
      current = setting.group;
      lines.push('', `# --- ${current} ---`);
    }
    lines.push('', `# ${setting.about}`, `${variableName(key)}=${setting.fallback}`);
  }
  return `${lines.join('\n')}\n`;
}

/** The rows of the README's settings table, in the order of `.env.example`. */
export function settingsTable(): string {
  const rows = Object.entries<Setting<unknown>>(settings).map(
    ([key, { fallback, about }]) => `| \`${variableName(key)}\` | ${fallback ? `\`${fallback}\`` : '–'} | ${about} |`,
  );
  return ['| variable | default | what it is for |', '|---|---|---|', ...rows].join('\n');
}
