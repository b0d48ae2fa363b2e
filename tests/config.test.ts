import { createECDH, type ECDH, generateKeyPairSync } from 'node:crypto';
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
    rateLimitUser: { points: 3000, durationMs: 120_000 },
    rateLimitTenant: { points: 600_000, durationMs: 60_000 },
    rateLimitAddress: { points: 3000, durationMs: 300_000 },
    trustedProxies: undefined,
    maxConnectionsPerUser: 100,
    maxConnectionsPerTenant: 100_000,
    maxConnectionsPerAddress: 20_000,
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

  test('several public keys stand one after another, and each of them must be one', () => {
    const { publicKey: other } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const otherPem = other.export({ type: 'spki', format: 'pem' }) as string;
    expect(loadConfig({ JWT_PUBLIC_KEY: publicKey + otherPem }).jwtPublicKey).toEqual([
      publicKey.trim(),
      otherPem.trim(),
    ]);
    const broken = publicKey.replace(/\n[^-\n]{20}/, '\n');
    expect(faultsOf({ JWT_PUBLIC_KEY: publicKey + broken })).toEqual([
      'JWT_PUBLIC_KEY must be an RSA or EC key that can be read',
    ]);
  });

  test('previous secrets are as long as the present one', () => {
    const [one, other] = ['a'.repeat(32), 'b'.repeat(40)];
    expect(loadConfig({ JWT_PREVIOUS_SECRETS: `${one}, ${other}` }).jwtPreviousSecrets).toEqual([one, other]);
    expect(faultsOf({ JWT_PREVIOUS_SECRETS: `${one},short` })).toEqual([
      'JWT_PREVIOUS_SECRETS must be at least 32 bytes long (RFC 7518 section 3.2)',
    ]);
  });

  test('algorithms are known ones, and clocks are off by five minutes at most', () => {
    expect(loadConfig({ JWT_ALGORITHMS: 'ES384, PS256' }).jwtAlgorithms).toEqual(['ES384', 'PS256']);
    const faults = faultsOf({ JWT_ALGORITHMS: 'HS256,none', JWT_CLOCK_TOLERANCE: '6m' });
    expect(faults).toEqual([
      expect.stringMatching(/^JWT_ALGORITHMS "none" is none of HS256, /),
      'JWT_CLOCK_TOLERANCE must be at most 300000ms',
    ]);
  });

  test('a public key is a PEM, a PEM whose line breaks are written as \\n, or the path of one', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'carillon-config-'));
    try {
      const path = join(folder, 'key.pem');
      await writeFile(path, publicKey);
      for (const text of [publicKey, publicKey.replaceAll('\n', '\\n'), path]) {
        expect(loadConfig({ JWT_PUBLIC_KEY: text }).jwtPublicKey).toEqual([publicKey.trim()]);
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

describe('channels', () => {
  const pair = generateVapidKeys();

  function generateVapidKeys() {
    const curve = createECDH('prime256v1');
    return { VAPID_PUBLIC_KEY: curve.generateKeys('base64url'), VAPID_PRIVATE_KEY: privateKeyOf(curve) };
  }

  function privateKeyOf(curve: ECDH): string {
    // Leading zeros are left out of it, and belong to it.
    return Buffer.from(curve.getPrivateKey('hex').padStart(64, '0'), 'hex').toString('base64url');
  }

  test('are not there by default, and retries are within bounds', () => {
    expect(loadConfig({})).toMatchObject({
      smtpUrl: undefined,
      mailFrom: undefined,
      publicUrl: undefined,
      unsubscribeUrl: undefined,
      smsApiUrl: 'https://api.twilio.com',
      smsAccountSid: undefined,
      vapidPublicKey: undefined,
      webhookAllowPrivate: false,
      deliveryAttempts: 8,
      deliveryTimeout: 30_000,
      deliveryRetryBase: 5000,
      deliveryRetryMax: 3_600_000,
      deliveryConcurrency: 10,
    });
  });

  test.each([
    ['bell@example.com', { name: '', address: 'bell@example.com' }],
    ['Carillon <bell@example.com>', { name: 'Carillon', address: 'bell@example.com' }],
    ['"Bells, Inc." <bell@example.com>', { name: 'Bells, Inc.', address: 'bell@example.com' }],
    ['Glöckner<bell@example.com>', { name: 'Glöckner', address: 'bell@example.com' }],
  ])('MAIL_FROM may be %s', (text, mailFrom) => {
    expect(loadConfig({ MAIL_FROM: text }).mailFrom).toEqual(mailFrom);
  });

  test.each<[string, string]>([
    ['MAIL_FROM', 'Carillon'],
    ['MAIL_FROM', 'a@example.com, b@example.com'],
    ['MAIL_FROM', 'A <a@example.com> <b@example.com>'],
    ['MAIL_FROM', 'A\r\nBcc: b@example.com <a@example.com>'],
    ['SMTP_URL', 'mail.example.com'],
    ['SMTP_URL', 'https://mail.example.com'],
    ['PUBLIC_URL', '/app'],
    ['PUBLIC_URL', 'https://user@example.com'],
    ['PUBLIC_URL', 'https://example.com/?a'],
    ['UNSUBSCRIBE_URL', 'https://example.com/{user}>, <mailto:all@example.com'],
    ['UNSUBSCRIBE_URL', 'mailto:bell@example.com'],
    ['SMS_API_URL', 'api.twilio.com'],
    ['SMS_ACCOUNT_SID', 'AC/../AD'],
    ['VAPID_PUBLIC_KEY', pair.VAPID_PRIVATE_KEY],
    ['VAPID_PRIVATE_KEY', 'key'],
    ['VAPID_SUBJECT', 'http://example.com'],
    ['WEBHOOK_ALLOW_PRIVATE', 'yes'],
    ['DELIVERY_ATTEMPTS', '0'],
    ['DELIVERY_ATTEMPTS', '51'],
    ['DELIVERY_TIMEOUT', '25d'],
    ['DELIVERY_RETRY_BASE', '0s'],
  ])('%s may not be %s', (name, text) => {
    expect(faultsOf({ [name]: text })).toEqual([expect.stringMatching(`^${name} must be |^${name} must have no `)]);
  });

  test('the base of an API and of a site have no slash at their end', () => {
    const { publicUrl, smsApiUrl } = loadConfig({
      PUBLIC_URL: 'https://example.com/',
      SMS_API_URL: 'http://sms.internal/api/',
    });
    expect([publicUrl, smsApiUrl]).toEqual(['https://example.com', 'http://sms.internal/api']);
  });

  test('VAPID keys are a pair', () => {
    expect(faultsOf(pair)).toEqual([]);
    expect(faultsOf({ ...pair, VAPID_PRIVATE_KEY: generateVapidKeys().VAPID_PRIVATE_KEY })).toEqual([
      'VAPID_PRIVATE_KEY must be the key that belongs to VAPID_PUBLIC_KEY',
    ]);
    const { VAPID_PUBLIC_KEY } = pair;
    expect(faultsOf({ VAPID_PUBLIC_KEY })).toEqual([]);
  });

  test('the first wait is not longer than the longest', () => {
    expect(faultsOf({ DELIVERY_RETRY_BASE: '2h' })).toEqual(['DELIVERY_RETRY_BASE must not exceed DELIVERY_RETRY_MAX']);
  });
});

describe('rates', () => {
  test('are a count and a duration', () => {
    expect(loadConfig({ RATE_LIMIT_USER: '5/10s' }).rateLimitUser).toEqual({ points: 5, durationMs: 10_000 });
  });

  test.each(['5', '5/', '/10s', '0/10s', '-1/10s', '5/10', '5/999ms', '5/25h', '5 / 10s', '1.5/10s'])(
    '%s is refused',
    (text) => {
      expect(faultsOf({ RATE_LIMIT_USER: text })).toEqual([expect.stringMatching(/^RATE_LIMIT_USER must be /)]);
    },
  );
});

describe('TRUSTED_PROXIES', () => {
  test('takes addresses, ranges and the words for ranges', () => {
    const text = 'loopback, 10.1.2.3, 192.168.0.0/16,2001:db8::/32';
    expect(loadConfig({ TRUSTED_PROXIES: text }).trustedProxies).toEqual([
      'loopback',
      '10.1.2.3',
      '192.168.0.0/16',
      '2001:db8::/32',
    ]);
  });

  test.each(['true', '*', '10.0.0.0/0', '::/0', '10.0.0.0/33', 'proxy.example', 'loopback,', '1'])(
    '%s is refused',
    (text) => {
      expect(faultsOf({ TRUSTED_PROXIES: text })).toEqual([expect.stringMatching(/^TRUSTED_PROXIES /)]);
    },
  );
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
    'SEND_POLICY',
    'MAX_BATCH_IDS',
    'RATE_LIMITS',
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

describe('a setting in a file', () => {
  test('is what the file says, without white space around it, and is checked like any other', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'carillon-config-'));
    try {
      const [secret, port] = [join(folder, 'secret'), join(folder, 'port')];
      await writeFile(secret, `${JWT_SECRET}\n`);
      await writeFile(port, 'eighty');
      expect(loadConfig({ JWT_SECRET_FILE: secret }).jwtSecret).toBe(JWT_SECRET);
      expect(
        faultsOf({ PORT_FILE: port, JWT_SECRET, JWT_SECRET_FILE: secret, REDIS_URL_FILE: join(folder, 'none') }),
      ).toEqual([
        'PORT must be a whole number from 0 to 65535',
        'REDIS_URL cannot be read from the file of REDIS_URL_FILE',
        'JWT_SECRET and JWT_SECRET_FILE are both set',
      ]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
