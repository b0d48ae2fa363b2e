import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { ConfigError, envExample, loadConfig, settingsTable, variableName } from '../src/config.ts';

const DATABASE_URL = 'postgres://localhost/carillon';
const JWT_SECRET = 'x'.repeat(32);

function faultsOf(env: Record<string, string>): readonly string[] {
  try {
    loadConfig(env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
}

test('an empty environment gives the defaults of the contract', () => {
  expect(loadConfig({})).toMatchObject({
    host: '127.0.0.1',
    port: 15_006,
    databaseUrl: undefined,
    dataDir: '.data',
    redisUrl: undefined,
    jwtSecret: undefined,
    allowedOrigins: undefined,
    sendPolicy: 'tenant',
    rateLimits: 'on',
    shutdownTimeout: 10_000,
    maxConnectionsPerUser: 100,
    maxOperationsPerSocket: 100,
    maxWaitingEvents: 256,
    maxLegacyFrameBytes: 16_384,
    maxTitleLength: 200,
    maxContentLength: 10_000,
    maxLinkLength: 2048,
    maxDataBytes: 16_384,
    maxIdempotencyKeyLength: 128,
    maxBatchIds: 1000,
    defaultPageSize: 20,
    maxPageSize: 100,
    idempotencyWindow: 86_400_000,
    connectionInitTimeout: 3000,
    legacyPingInterval: 54_000,
    legacyIdleTimeout: 60_000,
  });
});

test.each(
  [
    'HOST PORT DATABASE_URL DATA_DIR REDIS_URL JWT_SECRET JWT_PUBLIC_KEY JWT_JWKS_URL JWT_ISSUER JWT_AUDIENCE',
    'ALLOWED_ORIGINS SEND_POLICY LOG_LEVEL LOG_FORMAT MAX_CONNECTIONS_PER_USER MAX_OPERATIONS_PER_SOCKET',
    'SHUTDOWN_TIMEOUT RATE_LIMITS',
  ].flatMap((names) => names.split(' ')),
)('%s is a setting', (name) => {
  expect(Object.keys(loadConfig({})).map(variableName)).toContain(name);
});

test('unset, empty and blank mean the same, and blanks around a value are nothing', () => {
  expect(loadConfig({ PORT: '', HOST: ' ', REDIS_URL: '  ' })).toEqual(loadConfig({}));
  expect(loadConfig({ PORT: ' 80 ' }).port).toBe(80);
});

test('the settings cannot be changed, and what else is in the environment is ignored', () => {
  const config = loadConfig({ PATH: '/bin', MAX_UNHEARD_OF: 'x' });
  expect(Object.isFrozen(config)).toBe(true);
});

describe('durations', () => {
  test.each([
    ['500ms', 500],
    ['10s', 10_000],
    ['5m', 300_000],
    ['24h', 86_400_000],
    ['20d', 1_728_000_000],
    ['0s', 0],
  ])('%s is %d milliseconds', (text, milliseconds) => {
    expect(loadConfig({ SHUTDOWN_TIMEOUT: text }).shutdownTimeout).toBe(milliseconds);
  });

  test.each(['10', '-1s', '1.5s', '1 s', '10S', 's', '1h30m', 'forever', '25d', '999999999999999999d'])(
    '%s is refused',
    (text) => {
      expect(faultsOf({ SHUTDOWN_TIMEOUT: text })).toEqual([expect.stringMatching(/^SHUTDOWN_TIMEOUT must be /)]);
    },
  );

  test('of nothing are refused for what repeats', () => {
    const names = ['SWEEP_INTERVAL', 'LEGACY_PING_INTERVAL', 'GRAPHQL_PING_INTERVAL', 'LOGIN_WINDOW'];
    expect(faultsOf(Object.fromEntries(names.map((name) => [name, '0s'])))).toHaveLength(names.length);
  });

  test('that no timer uses may be longer than timers can be', () => {
    expect(loadConfig({ REFRESH_TOKEN_TTL: '365d' }).refreshTokenTtl).toBe(31_536_000_000);
  });
});

describe('numbers', () => {
  test.each(['0', '1', '65535'])('PORT may be %s', (text) => {
    expect(loadConfig({ PORT: text }).port).toBe(Number(text));
  });

  test.each(['-1', '65536', '80.5', '0x50', '1e3', 'http', '８０'])('PORT may not be %s', (text) => {
    expect(faultsOf({ PORT: text })).toEqual(['PORT must be a whole number from 0 to 65535']);
  });

  test('a default page may not be larger than the largest', () => {
    expect(faultsOf({ MAX_PAGE_SIZE: '10' })).toEqual(['DEFAULT_PAGE_SIZE must not exceed MAX_PAGE_SIZE']);
  });
});

describe('origins', () => {
  test('are a list of exact ones', () => {
    const { allowedOrigins } = loadConfig({ ALLOWED_ORIGINS: 'https://a.example, http://localhost:3000' });
    expect(allowedOrigins).toEqual(['https://a.example', 'http://localhost:3000']);
  });

  test.each([
    '*',
    'https://*.example',
    'a.example',
    'https://a.example/',
    'https://A.example',
    'null',
    'https://a.example,',
  ])('%s is refused', (text) => {
    expect(faultsOf({ ALLOWED_ORIGINS: text })).toEqual([expect.stringMatching(/^ALLOWED_ORIGINS ".*" is not/)]);
  });
});

describe('keys', () => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });

  test('a secret under 32 bytes is refused, and counted in bytes', () => {
    expect(faultsOf({ JWT_SECRET: 'x'.repeat(31) })).toEqual([
      expect.stringMatching(/^JWT_SECRET must be at least 32/),
    ]);
    expect(loadConfig({ JWT_SECRET: 'ü'.repeat(16) }).jwtSecret).toBe('ü'.repeat(16));
  });

  test('a public key is a PEM, a PEM whose line breaks are written as \\n, or the path of one', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'carillon-config-'));
    try {
      const path = join(folder, 'key.pem');
      await writeFile(path, publicKey);
      for (const text of [publicKey, publicKey.replaceAll('\n', '\\n'), path]) {
        expect(loadConfig({ JWT_PUBLIC_KEY: text }).jwtPublicKey?.trim()).toBe(publicKey.trim());
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test.each<[string, string]>([
    ['a private key', privateKey],
    ['a path of nothing', '/nowhere/key.pem'],
    ['a broken key', publicKey.replace(/\n\S{8}/, '\n')],
    [
      'a key of another kind',
      generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    ],
  ])('%s is refused as a public key', (_what, text) => {
    expect(faultsOf({ JWT_PUBLIC_KEY: text })).toEqual([expect.stringMatching(/^JWT_PUBLIC_KEY must be /)]);
  });

  test('one must be given with DATABASE_URL, and none need be without', () => {
    expect(faultsOf({ DATABASE_URL })).toEqual([
      'JWT_SECRET, JWT_PUBLIC_KEY or JWT_JWKS_URL must be set with DATABASE_URL',
    ]);
    for (const key of [{ JWT_SECRET }, { JWT_PUBLIC_KEY: publicKey }, { JWT_JWKS_URL: 'https://a.example/jwks' }]) {
      expect(faultsOf({ DATABASE_URL, ...key })).toEqual([]);
    }
  });
});

test('all faults are told at once, one line each that names the variable and shows no secret', () => {
  const faults = faultsOf({
    PORT: 'x',
    DATABASE_URL: 'mysql://user:hidden@localhost/x',
    REDIS_URL: 'localhost',
    JWT_SECRET: 'hidden',
    JWT_JWKS_URL: 'ftp://a.example',
    SEND_POLICY: 'all',
    LOG_LEVEL: 'verbose',
    LOG_FORMAT: 'xml',
    RATE_LIMITS: 'no',
    DEMO: 'yes',
    MAX_BATCH_IDS: '0',
    SWEEP_INTERVAL: 'often',
  });
  expect(faults.map((fault) => fault.split(' ')[0])).toEqual([
    'PORT',
    'LOG_LEVEL',
    'LOG_FORMAT',
    'DATABASE_URL',
    'DEMO',
    'REDIS_URL',
    'JWT_SECRET',
    'JWT_JWKS_URL',
    'RATE_LIMITS',
    'SEND_POLICY',
    'MAX_BATCH_IDS',
    'SWEEP_INTERVAL',
  ]);
  expect(faults.join('\n')).not.toMatch(/hidden|\n\n/);
});

describe('what is written from the settings', () => {
  const names = Object.keys(loadConfig({})).map(variableName);

  test('.env.example is up to date; `npm run env-example` writes it', () => {
    expect(readFileSync(new URL('../.env.example', import.meta.url), 'utf8')).toBe(envExample());
  });

  test('.env.example names every variable once, and its values are the defaults', () => {
    const entries = [...envExample().matchAll(/^([A-Z_]+)=(.*)$/gm)].map(([, name, value]) => [name, value]);
    expect(entries.map(([name]) => name)).toEqual(names);
    expect(loadConfig(Object.fromEntries(entries))).toEqual(loadConfig({}));
  });

  test('the table has a row for every variable', () => {
    const rows = settingsTable().split('\n').slice(2);
    expect(rows.map((row) => /^\| `([A-Z_]+)` \|.*\|.*\|$/.exec(row)?.[1])).toEqual(names);
  });
});
