import { createHmac, generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import jwt from 'jsonwebtoken';
import { createLogger } from '../../src/logger.ts';
import { type TokenConfig, Tokens } from '../../src/services/tokens.ts';

const SECRET = 'a secret of the tests, longer than 32 bytes';
const REFUSED = { code: 'UNAUTHENTICATED', message: 'The token is not valid.' };
const inAnHour = Math.floor(Date.now() / 1000) + 3600;
const anHourAgo = inAnHour - 7200;
const claims = { user_id: 'u', tenant_id: 't', exp: inAnHour };

const pem = { type: 'spki', format: 'pem' } as const;
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const otherRsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const rsaPem = rsa.publicKey.export(pem) as string;
const ecPem = ec.publicKey.export(pem) as string;

const logged: string[] = [];
const logger = createLogger({
  level: 'debug',
  format: 'json',
  destination: { write: (line) => void logged.push(line) },
});

function tokensWith(config: Partial<TokenConfig>): Tokens {
  const unset = { jwtPublicKey: undefined, jwtJwksUrl: undefined, jwtIssuer: undefined, jwtAudience: undefined };
  const defaults = {
    jwtPreviousSecrets: undefined,
    jwtAlgorithms: ['HS256', 'RS256', 'ES256'] as const,
    jwtClockTolerance: 0,
  };
  return new Tokens({ jwtSecret: undefined, ...unset, ...defaults, accessTokenTtl: 3_600_000, ...config }, logger);
}
const hs256 = tokensWith({ jwtSecret: SECRET });

const sign = (payload: object | string, header: object = {}): string =>
  jwt.sign(payload, SECRET, { algorithm: 'HS256', header: { alg: 'HS256', ...header } });
const encode = (part: unknown) => Buffer.from(JSON.stringify(part)).toString('base64url');
/** Signs whatever it is given, as no library would. */
function forge(header: unknown, payload: unknown, key: string | Buffer = SECRET): string {
  const input = `${encode(header)}.${encode(payload)}`;
  return `${input}.${createHmac('sha256', key).update(input).digest('base64url')}`;
}
const hsHeader = { alg: 'HS256', typ: 'JWT' };

describe('the caller that a token names', () => {
  test.each<[string, object, object]>([
    ['user_id', {}, { userId: 'u' }],
    ['sub, where user_id is absent', { user_id: undefined, sub: 's' }, { userId: 's' }],
    ['user_id rather than sub', { sub: 's' }, { userId: 'u' }],
    ['an id of 128 characters', { user_id: 'é'.repeat(128) }, { userId: 'é'.repeat(128) }],
    ['roles', { roles: ['a', 'b'] }, { roles: ['a', 'b'] }],
    ['metadata.roles', { metadata: { roles: ['a'] } }, { roles: ['a'] }],
    ['scope', { scope: ' a  b ' }, { roles: ['a', 'b'] }],
    ['roles rather than the others', { roles: [], metadata: { roles: ['a'] }, scope: 'b' }, { roles: [] }],
    ['metadata.roles rather than scope', { metadata: { roles: ['a'] }, scope: 'b' }, { roles: ['a'] }],
    ['scope, where metadata has no roles', { metadata: { team: 1 }, scope: 'b' }, { roles: ['b'] }],
    ['no roles, where they are no list of names', { roles: 'admin' }, { roles: [] }],
    ['no roles, where one is no name', { roles: ['admin', 1] }, { roles: [] }],
    ['no roles, where metadata is no object', { metadata: 'admin' }, { roles: [] }],
    ['no roles, where scope is no text', { scope: ['admin'] }, { roles: [] }],
    ['whatever else it says', { iss: 'x', aud: ['y'], admin: true, nested: { a: 1 } }, {}],
    [
      'an iat to come: it says nothing of validity, which is what nbf is for',
      { iat: inAnHour },
      { issuedAtMs: inAnHour * 1000 },
    ],
    ['the session of sid', { sid: 's' }, { sessionId: 's' }],
    ['no session, where sid is no text', { sid: 1 }, {}],
  ])('%s', async (_, given, expected) => {
    const caller = await hs256.verify(sign({ iat: anHourAgo, ...claims, ...given }));
    const times = { expiresAtMs: inAnHour * 1000, issuedAtMs: anHourAgo * 1000 };
    expect(caller).toEqual({ tenantId: 't', userId: 'u', roles: [], sessionId: undefined, ...times, ...expected });
  });

  test('has no time of issue, the earliest that can be, where iat is missing or no number', async () => {
    for (const iat of [undefined, 'today', null]) {
      expect(await hs256.verify(forge(hsHeader, { ...claims, iat }))).toMatchObject({ issuedAtMs: 0 });
    }
  });
});

describe('a token is accepted by the key that is configured', () => {
  test.each([
    ['HS256', { jwtSecret: SECRET }, SECRET],
    ['RS256', { jwtPublicKey: [rsaPem] }, rsa.privateKey],
    ['ES256', { jwtPublicKey: [ecPem] }, ec.privateKey],
    ['HS256', { jwtSecret: SECRET, jwtPublicKey: [ecPem] }, SECRET],
    ['ES256', { jwtSecret: SECRET, jwtPublicKey: [ecPem] }, ec.privateKey],
  ] as const)('%s with %j', async (algorithm, config, key) => {
    const caller = await tokensWith(config).verify(jwt.sign(claims, key, { algorithm }));
    expect(caller.userId).toBe('u');
  });

  test('any of several keys, of whatever kind', async () => {
    const previous = 'a secret from before, also longer than 32 bytes';
    const keys = [rsaPem, otherRsa.publicKey.export(pem) as string, ecPem];
    const tokens = tokensWith({ jwtSecret: SECRET, jwtPreviousSecrets: [previous], jwtPublicKey: keys });
    for (const [key, algorithm] of [
      [SECRET, 'HS256'],
      [previous, 'HS256'],
      [rsa.privateKey, 'RS256'],
      [otherRsa.privateKey, 'RS256'],
      [ec.privateKey, 'ES256'],
    ] as const) {
      expect((await tokens.verify(jwt.sign(claims, key, { algorithm }))).userId).toBe('u');
    }
    const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    for (const token of [jwt.sign(claims, stranger, { algorithm: 'RS256' }), sign(claims).replace(/.$/, '')]) {
      await expect(tokens.verify(token)).rejects.toMatchObject(REFUSED);
    }
    // What is signed anew is signed with the present secret.
    expect(() => jwt.verify(tokens.sign({ tenantId: 't', userId: 'u', roles: [] }), SECRET)).not.toThrow();
  });

  test('the algorithms that are allowed, and no others', async () => {
    const tokens = tokensWith({
      jwtSecret: SECRET,
      jwtPublicKey: [rsaPem, p384.publicKey.export(pem) as string],
      jwtAlgorithms: ['PS256', 'ES384'],
    });
    expect((await tokens.verify(jwt.sign(claims, rsa.privateKey, { algorithm: 'PS256' }))).userId).toBe('u');
    expect((await tokens.verify(jwt.sign(claims, p384.privateKey, { algorithm: 'ES384' }))).userId).toBe('u');
    for (const token of [sign(claims), jwt.sign(claims, rsa.privateKey, { algorithm: 'RS256' })]) {
      await expect(tokens.verify(token)).rejects.toMatchObject(REFUSED);
    }
  });

  test('clocks that are off by as much as the setting says', async () => {
    const now = Math.floor(Date.now() / 1000);
    const early = sign({ ...claims, nbf: now + 50 });
    const late = sign({ ...claims, exp: now - 50 });
    for (const token of [early, late]) {
      const caller = await tokensWith({ jwtSecret: SECRET, jwtClockTolerance: 60_000 }).verify(token);
      expect(caller.expiresAtMs).toBeGreaterThan(Date.now());
      const strict = tokensWith({ jwtSecret: SECRET, jwtClockTolerance: 40_000 });
      await expect(strict.verify(token)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    }
  });

  test('the required issuer and audience among others', async () => {
    const tokens = tokensWith({ jwtSecret: SECRET, jwtIssuer: 'https://issuer', jwtAudience: 'carillon' });
    for (const aud of ['carillon', ['other', 'carillon']]) {
      expect((await tokens.verify(sign({ ...claims, iss: 'https://issuer', aud }))).userId).toBe('u');
    }
    for (const wrong of [
      {},
      { iss: 'https://issuer' },
      { aud: 'carillon' },
      { iss: 'https://issuer/', aud: 'carillon' },
      { iss: 'https://issuer', aud: 'carillon2' },
      { iss: 'https://issuer', aud: [] },
      { iss: ['https://issuer', 'x'], aud: 'carillon' },
    ]) {
      await expect(tokens.verify(forge(hsHeader, { ...claims, ...wrong }))).rejects.toMatchObject(REFUSED);
    }
  });
});

describe('a token is refused in the same words whatever is wrong:', () => {
  const rs256 = tokensWith({ jwtPublicKey: [rsaPem] });
  const es256 = tokensWith({ jwtPublicKey: [ecPem] });
  test.each<[string, Tokens, string]>([
    ['no algorithm', hs256, `${encode({ alg: 'none' })}.${encode(claims)}.`],
    ['no algorithm, in other letters', hs256, `${encode({ alg: 'nOnE' })}.${encode(claims)}.`],
    ['no algorithm, where a public key is set', rs256, `${encode({ alg: 'none' })}.${encode(claims)}.`],
    ['the public RSA key as an HMAC secret', rs256, forge(hsHeader, claims, rsaPem)],
    ['the same, trimmed', rs256, forge(hsHeader, claims, rsaPem.trim())],
    ['the public EC key as an HMAC secret', es256, forge(hsHeader, claims, ecPem)],
    [
      'the same, where there is a secret too',
      tokensWith({ jwtSecret: SECRET, jwtPublicKey: [rsaPem] }),
      forge(hsHeader, claims, rsaPem),
    ],
    ['HS384', hs256, jwt.sign(claims, SECRET, { algorithm: 'HS384' })],
    ['HS512', hs256, jwt.sign(claims, SECRET, { algorithm: 'HS512' })],
    ['RS256 where only a secret is set', hs256, jwt.sign(claims, rsa.privateKey, { algorithm: 'RS256' })],
    ['HS256 where only a public key is set', rs256, sign(claims)],
    ['RS512 of the right key', rs256, jwt.sign(claims, rsa.privateKey, { algorithm: 'RS512' })],
    ['PS256 of the right key', rs256, jwt.sign(claims, rsa.privateKey, { algorithm: 'PS256' })],
    ['RS256 of another key', rs256, jwt.sign(claims, otherRsa.privateKey, { algorithm: 'RS256' })],
    ['ES256 where the key is RSA', rs256, jwt.sign(claims, ec.privateKey, { algorithm: 'ES256' })],
    ['ES384 of another curve', es256, jwt.sign(claims, p384.privateKey, { algorithm: 'ES384' })],
    ['a list of algorithms', hs256, forge({ alg: ['HS256'] }, claims)],
    ['an algorithm in small letters', hs256, forge({ alg: 'hs256' }, claims)],
    ['another secret', hs256, forge(hsHeader, claims, 'another secret of more than 32 bytes, too')],
    ['an unknown crit', hs256, sign(claims, { crit: ['exp'], exp: 1 })],
    ['an empty crit', hs256, forge({ ...hsHeader, crit: [] }, claims)],
    ['a cut signature', hs256, sign(claims).slice(0, -2)],
    ['a part too many', hs256, `${sign(claims)}.a`],
    ['a part too few', hs256, sign(claims).split('.').slice(0, 2).join('.')],
    ['empty parts', hs256, '..'],
    ['garbage', hs256, 'garbage'],
    ['NUL', hs256, '\0.\0.\0'],
    ['a header that is no object', hs256, forge('HS256', claims)],
    ['a header that is null', hs256, forge(null, claims)],
    ['a token of 8,193 characters', hs256, sign({ ...claims, padding: 'a'.repeat(8192) })],
    ['a payload that is text', hs256, sign('{"user_id":"u"}')],
    ['a payload that is null', hs256, forge(hsHeader, null)],
    ['a payload that is a list', hs256, forge(hsHeader, [claims])],
  ])('%s', async (_, tokens, token) => {
    await expect(tokens.verify(token)).rejects.toMatchObject(REFUSED);
  });

  test.each<[string, object]>([
    ['exp missing', { exp: undefined }],
    ['exp null', { exp: null }],
    ['exp text', { exp: String(inAnHour) }],
    ['exp a list', { exp: [inAnHour] }],
    ['nbf to come', { nbf: inAnHour }],
    ['nbf text', { nbf: '0' }],
    ['tenant missing', { tenant_id: undefined }],
    ['tenant null', { tenant_id: null }],
    ['tenant a number', { tenant_id: 1 }],
    ['tenant empty', { tenant_id: '' }],
    ['tenant too long', { tenant_id: 'a'.repeat(129) }],
    ['tenant with NUL', { tenant_id: 'a\0' }],
    ['tenant with a lone surrogate', { tenant_id: '\ud800' }],
    ['user missing', { user_id: undefined }],
    ['user null', { user_id: null, sub: 's' }],
    ['user a number', { user_id: 1, sub: 's' }],
    ['user a list', { user_id: ['u'], sub: 's' }],
    ['user empty', { user_id: '', sub: 's' }],
    ['user too long', { user_id: 'a'.repeat(129) }],
    ['user with NUL', { user_id: '\0' }],
    ['sub an object', { user_id: undefined, sub: { id: 'u' } }],
    ['sub an object beside a user_id', { sub: {} }],
    ['sub empty', { user_id: undefined, sub: '' }],
    ['sub too long', { user_id: undefined, sub: 'a'.repeat(129) }],
  ])('%s', async (_, wrong) => {
    await expect(hs256.verify(forge(hsHeader, { ...claims, ...wrong }))).rejects.toMatchObject(REFUSED);
  });

  test('but for one that has expired, or is absent', async () => {
    const expired = { code: 'UNAUTHENTICATED', message: 'The token has expired.' };
    for (const exp of [inAnHour - 3601, 0, -1, Math.floor(Date.now() / 1000)]) {
      await expect(hs256.verify(sign({ ...claims, exp }))).rejects.toMatchObject(expired);
    }
    for (const token of [undefined, '']) {
      await expect(hs256.verify(token)).rejects.toMatchObject({ message: 'A token is needed.' });
    }
  });

  test('and why it was refused is for the log, where the token itself is not', async () => {
    logged.length = 0;
    const token = jwt.sign(claims, SECRET, { algorithm: 'HS384' });
    await expect(hs256.verify(token)).rejects.toMatchObject(REFUSED);
    expect(logged.map((line) => JSON.parse(line) as object)).toMatchObject([
      { msg: 'a token was refused', reason: 'an algorithm that is not allowed' },
    ]);
    expect(logged.join('')).not.toContain(token);
  });
});

describe('signing', () => {
  const subject = { tenantId: 't', userId: 'u', roles: ['a'] };

  test('makes tokens that are accepted, each another one', async () => {
    const tokens = tokensWith({ jwtSecret: SECRET, jwtIssuer: 'https://issuer', jwtAudience: 'carillon' });
    expect(tokens.canSign).toBe(true);
    const [one, other] = [tokens.sign(subject), tokens.sign(subject, 60_000)];
    expect(one).not.toBe(other);
    expect(await tokens.verify(one)).toMatchObject(subject);
    const { exp = 0, iat = 0, sub, iss, aud } = jwt.decode(other) as jwt.JwtPayload;
    expect({ sub, iss, aud, life: exp - iat }).toEqual({ sub: 'u', iss: 'https://issuer', aud: 'carillon', life: 60 });
  });

  test('needs a secret', () => {
    const tokens = tokensWith({ jwtPublicKey: [rsaPem] });
    expect(tokens.canSign).toBe(false);
    expect(() => tokens.sign(subject)).toThrow('JWT_SECRET is not set');
  });
});
