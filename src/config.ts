import { createECDH, createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import proxyAddr from '@fastify/proxy-addr';

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

/** How much may be spent at once, and in how long all of that is there again. It comes back steadily. */
export interface Rate {
  readonly points: number;
  readonly durationMs: number;
}

const DAY_MS = 86_400_000;

function parseRate(text: string): Rate {
  const [, count = '', length = ''] = /^(\d+)\/(\w+)$/.exec(text) ?? [];
  if (count === '') throw new Fault('must be a count and a duration, such as 3000/2m');
  return {
    points: parseInteger(count, 1, 1_000_000_000),
    // Windows in Redis are of whole seconds, and none is useful beyond a day.
    durationMs: parseDuration(length, { leastMs: 1000, mostMs: DAY_MS }),
  };
}

/** Ranges that have a name in `@fastify/proxy-addr`. */
const PROXY_WORDS = ['loopback', 'linklocal', 'uniquelocal'];

function parseProxies(text: string): readonly string[] {
  const proxies = text.split(',').map((part) => part.trim());
  const fault = proxies.find((proxy) => !isProxy(proxy));
  if (fault === undefined) return proxies;
  throw new Fault(`"${fault}" is no address, no range such as 10.0.0.0/8, and none of ${PROXY_WORDS.join(', ')}`);
}

function isProxy(proxy: string): boolean {
  // Of numbers alone the library makes addresses, where others count proxies.
  if (!PROXY_WORDS.includes(proxy) && !isIP(proxy.split('/', 1)[0] ?? '')) return false;
  try {
    proxyAddr.compile(proxy);
    return true;
  } catch {
    return false;
  }
}

function parseUrl(text: string, protocols: readonly string[]): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !protocols.includes(url.protocol)) throw new Fault(`must be a URL with ${protocols.join(' or ')}`);
  return text;
}

function parsePattern(text: string, pattern: RegExp, fault: string): string {
  if (!pattern.test(text)) throw new Fault(fault);
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

function parseHeaders(text: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    text.split(',').map((part) => {
      const [, name = '', value = ''] = /^\s*([\w-]+)\s*=\s*([\x21-\x7e]+)\s*$/.exec(part) ?? [];
      if (name === '') throw new Fault('must be of the form name=value,name=value');
      try {
        return [name, decodeURIComponent(value)];
      } catch {
        throw new Fault('must have values that are encoded as in a URL');
      }
    }),
  );
}

function parseShare(text: string): number {
  const value = /^\d*\.?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= 1)) throw new Fault('must be a number from 0 to 1');
  return value;
}

function parseSecret(text: string): string {
  if (Buffer.byteLength(text) < 32) throw new Fault('must be at least 32 bytes long (RFC 7518 section 3.2)');
  return text;
}

function parseToken(text: string): string {
  if (text.length < 16) throw new Fault('must be at least 16 characters long');
  if (!/^[\x21-\x7e]+$/.test(text)) throw new Fault('must be of ASCII characters without spaces');
  return text;
}

const PEM = /-----BEGIN (RSA )?PUBLIC KEY-----[^-]+-----END (RSA )?PUBLIC KEY-----/g;

function parsePems(text: string): readonly string[] {
  // Environment files cannot hold line breaks, so "\n" is understood; a path is read.
  const pems = (text.includes('-----BEGIN') ? text.replaceAll('\\n', '\n') : readPem(text)).match(PEM);
  if (!pems) throw new Fault('must be a PEM public key, or the path of one');
  if (!pems.every((pem) => ['rsa', 'ec'].includes(keyTypeOf(pem)))) {
    throw new Fault('must be an RSA or EC key that can be read');
  }
  return pems;
}

function keyTypeOf(pem: string): string {
  try {
    return createPublicKey(pem).asymmetricKeyType ?? '';
  } catch {
    return '';
  }
}

const ALGORITHMS = ['HS256', 'HS384', 'HS512', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const;
const EC_ALGORITHMS = ['ES256', 'ES384', 'ES512'] as const;
export type JwtAlgorithm = (typeof ALGORITHMS | typeof EC_ALGORITHMS)[number];

function parseAlgorithms(text: string): readonly JwtAlgorithm[] {
  const known: readonly string[] = [...ALGORITHMS, ...EC_ALGORITHMS];
  const names = text.split(',').map((part) => part.trim());
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Fault(`"${unknown}" is none of ${known.join(', ')}`);
  return names as JwtAlgorithm[];
}

function readPem(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    throw new Fault('must be a PEM public key, or the path of a file that can be read');
  }
}

/** The texts of a file of documents. Manifests of Apollo have ids of their own beside them. */
function parseTrustedDocuments(path: string): readonly string[] {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    throw new Fault('must be the path of a JSON file that can be read');
  }
  const { operations } = content as { operations?: { body: string }[] };
  const texts: unknown[] = Array.isArray(operations)
    ? operations.map(({ body }) => body)
    : Object.values(content ?? {});
  const isText = (text: unknown): text is string => typeof text === 'string' && text !== '';
  if (texts.length === 0 || !texts.every(isText)) {
    throw new Fault('must be JSON of SHA-256 to text, or a manifest of Apollo (apollo-persisted-query-manifest)');
  }
  return texts;
}

/** A sender's address, alone or as in `Carillon <bell@example.com>`. */
function parseMailFrom(text: string): { name: string; address: string } {
  const [, name = '', inBrackets, alone] = /^(?:([^<>\p{Cc}]*)<([^\s<>]+)>|([^\s<>]+))$/u.exec(text) ?? [];
  const address = inBrackets ?? alone ?? '';
  if (!/^[^@,;]+@[^@,;]+$/.test(address)) {
    throw new Fault('must be an e-mail address, alone or as in Carillon <bell@example.com>');
  }
  return { name: name.trim().replace(/^"(.*)"$/, '$1'), address };
}

function parseUnsubscribeUrl(text: string): string {
  // It is written into a header of every mail as it is.
  return parsePattern(text, /^https?:\/\/[\x21-\x3b\x3d\x3f-\x7e]+$/, 'must be an http or https URL in ASCII');
}

function parseBaseUrl(text: string): string {
  const url = new URL(parseUrl(text, ['https:', 'http:']));
  if (url.username || url.password || url.search || url.hash) {
    throw new Fault('must have no user name, password, query or fragment');
  }
  return url.href.replace(/\/$/, '');
}

const parseVapidKey =
  (bytes: number) =>
  (text: string): string => {
    const isKey = /^[\w-]+$/.test(text) && Buffer.from(text, 'base64url').length === bytes;
    if (!isKey) throw new Fault(`must be ${bytes} bytes in base64url, as npx web-push generate-vapid-keys prints it`);
    return text;
  };

function belongTogether(publicKey: string, privateKey: string): boolean {
  const curve = createECDH('prime256v1');
  try {
    curve.setPrivateKey(privateKey, 'base64url');
    return curve.getPublicKey('base64url') === publicKey;
  } catch {
    return false;
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
const flag = (fallback: boolean, about: string): Omit<Setting<boolean>, 'group'> => ({
  fallback: String(fallback),
  about,
  parse: (value) => {
    if (value !== 'true' && value !== 'false') throw new Fault('must be true or false');
    return value === 'true';
  },
});
const rate = (fallback: string, about: string): Omit<Setting<Rate>, 'group'> => ({ fallback, about, parse: parseRate });
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
    trustedProxies: optional(
      parseProxies,
      'Proxies whose X-Forwarded-For is believed: addresses, ranges such as 10.0.0.0/8, or loopback, linklocal, uniquelocal; separated by commas.',
    ),
    metricsToken: optional(
      parseToken,
      'Token that /metrics asks for, as Authorization: Bearer; at least 16 characters. Unset: /metrics answers everybody.',
    ),
    shutdownTimeout: timer('10s', 'Most time from SIGTERM to the exit.', 0),
    logLevel: oneOf(
      ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
      'info',
      'Least level that is logged.',
    ),
    nodeEnv: text('', 'production switches off what only developers need: see INTROSPECTION.'),
    otelExporterOtlpEndpoint: optional(
      parseBaseUrl,
      'OpenTelemetry collector that takes OTLP over HTTP, such as http://localhost:4318. Unset: no traces are made.',
    ),
    otelExporterOtlpHeaders: optional(
      parseHeaders,
      'Headers for the collector: name=value, separated by commas, values as in a URL.',
    ),
    otelTracesExporter: oneOf(
      ['auto', 'otlp', 'none'],
      'auto',
      'Whether traces are made. auto: where there is an endpoint; otlp: without one, for a collector on this machine.',
    ),
    otelServiceName: text('carillon', 'Name of this service in traces.'),
    otelTracesSampler: oneOf(
      [
        'always_on',
        'always_off',
        'traceidratio',
        'parentbased_always_on',
        'parentbased_always_off',
        'parentbased_traceidratio',
      ],
      'parentbased_always_on',
      'Which traces are kept; parentbased: those that begin elsewhere as was decided there.',
    ),
    otelTracesSamplerArg: { ...text('1', 'Share of traces that traceidratio keeps, from 0 to 1.'), parse: parseShare },
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
    rowLevelSecurity: oneOf(
      ['on', 'off'],
      'on',
      'Whether PostgreSQL holds each statement to the tenants that it is for. Superusers are not held to it.',
    ),
    retentionTombstones: duration(
      '30d',
      'How long deletions are remembered: a cursor older than that has to fetch the inbox anew.',
    ),
    retentionNotifications: optional(
      (value) => parseDuration(value),
      'Notifications older than this are deleted, such as 365d. Unset: they are kept.',
    ),
    retentionDeliveries: duration('90d', 'How long it is kept what became of deliveries to channels.'),
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
    jwtPreviousSecrets: optional(
      (value) => value.split(',').map((part) => parseSecret(part.trim())),
      'Secrets, separated by commas, whose tokens are still taken: while JWT_SECRET is being changed.',
    ),
    jwtPublicKey: optional(
      parsePems,
      'Public key (PEM, or its path), or several one after another, for tokens of other issuers (RSA, EC).',
    ),
    jwtJwksUrl: optional((value) => parseUrl(value, ['http:', 'https:']), 'JWKS address for tokens of another issuer.'),
    jwtAlgorithms: {
      ...text('HS256,RS256,ES256', 'Algorithms that tokens may be signed with, separated by commas.'),
      parse: parseAlgorithms,
    },
    jwtClockTolerance: {
      ...duration('0s', 'How far the clocks of issuers may be off, at most 5m.'),
      parse: (value: string) => parseDuration(value, { mostMs: 300_000 }),
    },
    jwtIssuer: optional(String, 'Required `iss` of every token.'),
    jwtAudience: optional(String, 'Required `aud` of every token.'),
    accessTokenTtl: duration('1h', 'Life of an access token from login.'),
    refreshTokenTtl: duration('30d', 'Life of a refresh token.'),
    loginAttempts: integer(
      10,
      'Failed logins for one user name within LOGIN_WINDOW before more have to wait; each further failure doubles the wait, up to a day.',
    ),
    loginAttemptsPerAddress: integer(100, 'The same for one address, whatever the names.'),
    loginWindow: {
      ...duration('15m', 'See LOGIN_ATTEMPTS; also the first wait. At most 24h.'),
      parse: (value: string) => parseDuration(value, { leastMs: 1, mostMs: DAY_MS }),
    },
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
    recallWindow: duration(
      '24h',
      'How long after it came a notification can be recalled by its sender or an admin.',
      0,
    ),
    maxBatchIds: integer(1000, 'Ids in one batch.'),
    defaultPageSize: integer(20, 'Items of a page when nothing is said.'),
    maxPageSize: integer(100, 'Most items of a page.'),
  }),
  ...group('Limits of requests and connections', {
    rateLimits: oneOf(
      ['on', 'off'],
      'on',
      'off switches the limits of rates off: of requests, logins and typing. For load tests.',
    ),
    rateLimitUser: rate(
      '3000/2m',
      'Requests, operations and messages of one user: points at once, and in how long they come back. Large ones count several times.',
    ),
    rateLimitSender: rate('120000/1m', 'The same of a user with the role sender or admin.'),
    rateLimitTenant: rate('600000/1m', 'The same of all users of one tenant.'),
    rateLimitAddress: rate(
      '3000/5m',
      'HTTP requests and WebSocket upgrades from one address, or one /64 of IPv6, that no user pays for: without a token, with a bad one, or refused.',
    ),
    maxQueryTokens: integer(2000, 'Tokens of one GraphQL document.'),
    maxQueryDefinitions: integer(30, 'Operations and fragments of one GraphQL document.'),
    maxQueryDepth: integer(10, 'Fields within fields of one GraphQL operation.'),
    maxQueryAliases: integer(30, 'Aliases, and fields with a selection that come again, in one GraphQL operation.'),
    maxQueryDirectives: integer(50, 'Directives in one GraphQL operation.'),
    maxQueryCost: integer(
      10_000,
      'Values that the answer to one GraphQL operation can have; each field of the root counts as ten.',
    ),
    introspection: oneOf(
      ['auto', 'on', 'off'],
      'auto',
      'Whether the GraphQL schema can be asked for, and errors suggest names. auto: unless NODE_ENV is production.',
    ),
    trustedDocuments: optional(
      parseTrustedDocuments,
      'File of the only GraphQL documents that are served: JSON of SHA-256 to text, or a manifest of Apollo.',
    ),
    maxBodyBytes: integer(1_048_576, 'Bytes of an HTTP body, and of a graphql-transport-ws message.'),
    maxBodyValues: integer(10_000, 'Values in the lists and objects of a JSON body or message.'),
    maxQueuedSends: integer(10_000, 'Sends that may wait for the database; past that callers are told RATE_LIMITED.'),
    maxSendBatch: integer(500, 'Sends that share one statement; beyond a few hundred each of them only waits longer.'),
    maxSendBatchesInFlight: integer(
      2,
      'Such statements under way at once: while one waits for a lock or for the disk another goes on.',
      1,
      100,
    ),
    maxConnectionsPerUser: integer(100, 'Live connections of one user in one process.'),
    maxConnectionsPerTenant: integer(100_000, 'Live connections of one tenant in one process.'),
    maxConnectionsPerAddress: integer(
      20_000,
      'Live connections from one address in one process, also of those that have not said who they are.',
    ),
    maxOperationsPerSocket: integer(100, 'Operations under way on one graphql-transport-ws socket.'),
    maxWaitingEvents: integer(
      256,
      'Events that may wait for a reader; one that takes none of them meanwhile is closed, to come back with its cursor.',
    ),
    maxLegacyFrameBytes: integer(16_384, 'Bytes of a message to the legacy socket.'),
    requestTimeout: timer('30s', 'Most time for receiving one HTTP request.'),
    keepAliveTimeout: timer(
      '75s',
      'An HTTP connection without a request is closed after this long. Longer than any proxy in front keeps its own.',
    ),
    connectionInitTimeout: timer('3s', 'Most time from opening a graphql-transport-ws socket to its connection_init.'),
    graphqlPingInterval: timer('12s', 'Protocol pings on graphql-transport-ws sockets.'),
    legacyPingInterval: timer('54s', 'Protocol pings on legacy sockets.'),
    legacyIdleTimeout: timer('60s', 'A legacy socket from which nothing came for this long is closed.'),
    sweepInterval: timer('30s', 'How often live inboxes are compared with the log, in case a doorbell was lost.'),
  }),
  ...group('Channels', {
    smtpUrl: optional(
      (value) => parseUrl(value, ['smtp:', 'smtps:']),
      'smtps://user:password@host of the mail server, or smtp:// with STARTTLS where it is offered. Needed for EMAIL.',
    ),
    mailFrom: optional(parseMailFrom, 'Sender of mails, such as Carillon <bell@example.com>. Needed for EMAIL.'),
    publicUrl: optional(parseBaseUrl, 'Your site. With it mails also have the links that are paths of the same site.'),
    unsubscribeUrl: optional(
      parseUnsubscribeUrl,
      'For the List-Unsubscribe of mails, with {tenant} and {user}. Unset: a mail to the sender.',
    ),
    smsApiUrl: { ...text('https://api.twilio.com', 'Base of an API as Twilio has it.'), parse: parseBaseUrl },
    smsAccountSid: optional(
      (value) => parsePattern(value, /^\w+$/, 'must be letters and digits'),
      'Account of that API. Needed for SMS.',
    ),
    smsAuthToken: optional(String, 'Password of that account. Needed for SMS.'),
    smsFrom: optional(String, 'Number or name that messages come from. Needed for SMS.'),
    vapidPublicKey: optional(
      parseVapidKey(65),
      'Key that browsers subscribe with; npx web-push generate-vapid-keys makes a pair. Needed for WEB_PUSH.',
    ),
    vapidPrivateKey: optional(parseVapidKey(32), 'The other key of the pair. Needed for WEB_PUSH.'),
    vapidSubject: optional(
      (value) => parseUrl(value, ['mailto:', 'https:']),
      'mailto: or https: address where push services can reach you. Needed for WEB_PUSH.',
    ),
    webhookAllowPrivate: flag(
      false,
      'true lets webhooks go to private networks and over http, and pushes to private networks. Only where all who may add them are trusted.',
    ),
    deliveryAttempts: integer(8, 'Attempts at one delivery before it counts as failed.', 1, 50),
    deliveryTimeout: timer('30s', 'Most time for one attempt.'),
    deliveryRetryBase: timer('5s', 'Wait before the second attempt; it doubles from one attempt to the next.'),
    deliveryRetryMax: timer('1h', 'Longest wait between two attempts.'),
    deliveryConcurrency: integer(10, 'Attempts under way at once in one process.', 1, 1000),
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

/** What a variable says, or the file that the variable with `_FILE` after its name is the path of. */
function valueOf(env: NodeJS.ProcessEnv, name: string): string | undefined {
  const [value, path] = [env[name]?.trim(), env[`${name}_FILE`]?.trim()];
  if (!path) return value;
  if (value) throw new Fault(`and ${name}_FILE are both set`);
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    throw new Fault(`cannot be read from the file of ${name}_FILE`);
  }
}

/**
 * Reads and validates the settings. Unset and empty variables take their defaults. Any of them can be given as a file
 * instead: `JWT_SECRET_FILE=/run/secrets/jwt` is read as `JWT_SECRET`, without white space around it.
 *
 * @throws ConfigError with one line for every variable at fault.
 */
export function loadConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const faults: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [key, setting] of Object.entries<Setting<unknown>>(settings)) {
    const name = variableName(key);
    try {
      values[key] = setting.parse(valueOf(env, name) || setting.fallback);
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
  const { vapidPublicKey, vapidPrivateKey } = config;
  if (vapidPublicKey && vapidPrivateKey && !belongTogether(vapidPublicKey, vapidPrivateKey)) {
    faults.push('VAPID_PRIVATE_KEY must be the key that belongs to VAPID_PUBLIC_KEY');
  }
  if (config.deliveryRetryBase > config.deliveryRetryMax) {
    faults.push('DELIVERY_RETRY_BASE must not exceed DELIVERY_RETRY_MAX');
  }
  if (faults.length > 0) throw new ConfigError(faults);
  return Object.freeze(config);
}

/** The text of `.env.example`: every variable with what it is for and its default. */
export function envExample(): string {
  const lines = [
    '# Every setting of Carillon with its default. Copy to .env and change what you need.',
    '# Each can be given as a file instead, for secrets: JWT_SECRET_FILE=/run/secrets/jwt',
  ];
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
