import { type KeyObject, generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import jwt from 'jsonwebtoken';
import { createLogger } from '../../src/logger.ts';
import { type TokenConfig, Tokens } from '../../src/services/tokens.ts';

const REFUSED = { code: 'UNAUTHENTICATED', message: 'The token is not valid.' };
const UNAVAILABLE = { code: 'UNAVAILABLE', retryAfterSeconds: expect.any(Number) };
const SECRET = 'a secret of the tests, longer than 32 bytes';
const claims = { user_id: 'u', tenant_id: 't', exp: Math.floor(Date.now() / 1000) + 3600 };

const rsaKey = () => generateKeyPairSync('rsa', { modulusLength: 2048 });
const [one, two, stranger] = [rsaKey(), rsaKey(), rsaKey()];
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });

const jwk = (key: KeyObject, kid: string, more: object = {}) => ({
  ...key.export({ format: 'jwk' }),
  kid,
  use: 'sig',
  ...more,
});
const sign = (key: KeyObject, kid: string | undefined, algorithm: 'RS256' | 'ES256' = 'RS256') =>
  jwt.sign(claims, key, { algorithm, ...(kid === undefined ? {} : { keyid: kid }) });

interface JwksServer extends AsyncDisposable {
  url: string;
  /** What it answers with from now on: keys, or an HTTP status or text instead. */
  answer: object[] | number | string;
  requests: number;
}

async function startJwks(answer: JwksServer['answer']): Promise<JwksServer> {
  const server = createServer((_request, response) => {
    jwks.requests++;
    if (typeof jwks.answer === 'number') response.writeHead(jwks.answer).end();
    else response.end(typeof jwks.answer === 'string' ? jwks.answer : JSON.stringify({ keys: jwks.answer }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const jwks: JwksServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`,
    answer,
    requests: 0,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
  return jwks;
}

const logger = createLogger({ level: 'silent', format: 'json' });
const tokensFor = (jwtJwksUrl: string, more: Partial<TokenConfig> = {}) =>
  new Tokens(
    {
      jwtSecret: undefined,
      jwtPreviousSecrets: undefined,
      jwtPublicKey: undefined,
      jwtAlgorithms: ['HS256', 'RS256', 'ES256'],
      jwtClockTolerance: 0,
      jwtIssuer: undefined,
      jwtAudience: undefined,
      accessTokenTtl: 3_600_000,
      jwtJwksUrl,
      ...more,
    },
    logger,
  );

let jwks: JwksServer;
beforeEach(async () => {
  jwks = await startJwks([jwk(one.publicKey, 'one'), jwk(two.publicKey, 'two'), jwk(ec.publicKey, 'ec')]);
});
afterEach(async () => {
  jest.restoreAllMocks();
  await jwks[Symbol.asyncDispose]();
});

/** Moves this process's clock. */
const later = (minutes: number) => {
  const now = Date.now();
  jest.spyOn(Date, 'now').mockReturnValue(now + minutes * 60_000);
};

describe('with keys from a JWKS address', () => {
  test('a token is checked with the key that its kid names', async () => {
    const tokens = tokensFor(jwks.url);
    expect((await tokens.verify(sign(one.privateKey, 'one'))).userId).toBe('u');
    expect((await tokens.verify(sign(two.privateKey, 'two'))).userId).toBe('u');
    expect((await tokens.verify(sign(ec.privateKey, 'ec', 'ES256'))).userId).toBe('u');
  });

  test.each<[string, string]>([
    ['another key than its kid names', sign(one.privateKey, 'two')],
    ['a key that is not there', sign(stranger.privateKey, 'one')],
    ['an unknown kid', sign(stranger.privateKey, 'three')],
    ['no kid, where there are several keys', sign(one.privateKey, undefined)],
    ['the kid of a key of another kind', sign(one.privateKey, 'ec')],
    ['a kid out of Object.prototype', sign(one.privateKey, '__proto__')],
    ['a secret', jwt.sign(claims, SECRET, { algorithm: 'HS256', keyid: 'one' })],
    ['the public key as a secret', jwt.sign(claims, JSON.stringify(jwk(one.publicKey, 'one')), { keyid: 'one' })],
  ])('a token of %s is refused', async (_, token) => {
    await expect(tokensFor(jwks.url).verify(token)).rejects.toMatchObject(REFUSED);
  });

  test('a token needs no kid where there is one key', async () => {
    jwks.answer = [jwk(one.publicKey, 'one')];
    expect((await tokensFor(jwks.url).verify(sign(one.privateKey, undefined))).userId).toBe('u');
  });

  test('a key for encryption checks nothing', async () => {
    jwks.answer = [jwk(one.publicKey, 'one', { use: 'enc' }), jwk(two.publicKey, 'two')];
    await expect(tokensFor(jwks.url).verify(sign(one.privateKey, 'one'))).rejects.toMatchObject(REFUSED);
  });

  test('a key that is broken, or of another algorithm, does not spoil the others', async () => {
    const others = [
      { kty: 'RSA', kid: 'one', n: 1 },
      { kty: 'oct', k: 'AAAA' },
      {},
      jwk(two.publicKey, 'two', { alg: 'RS512' }),
    ];
    jwks.answer = [...others, jwk(one.publicKey, 'one', { alg: 'RS256' })];
    const tokens = tokensFor(jwks.url);
    expect((await tokens.verify(sign(one.privateKey, 'one'))).userId).toBe('u');
    await expect(tokens.verify(sign(two.privateKey, 'two'))).rejects.toMatchObject(REFUSED);
  });

  test('keys are fetched once, however many tokens come at the same time', async () => {
    const tokens = tokensFor(jwks.url);
    const token = sign(one.privateKey, 'one');
    await Promise.all(Array.from({ length: 50 }, () => tokens.verify(token)));
    await tokens.verify(token);
    expect(jwks.requests).toBe(1);
  });

  test('a new key is picked up with its first token', async () => {
    jwks.answer = [jwk(one.publicKey, 'one')];
    const tokens = tokensFor(jwks.url);
    await tokens.verify(sign(one.privateKey, 'one'));
    await expect(tokens.verify(sign(two.privateKey, 'two'))).rejects.toMatchObject(REFUSED);
    jwks.answer = [jwk(one.publicKey, 'one'), jwk(two.publicKey, 'two')];
    expect((await tokens.verify(sign(two.privateKey, 'two'))).userId).toBe('u');
  });

  test('unknown kids are looked up ten times a minute at most, without anybody waiting, and known keys go on working', async () => {
    const tokens = tokensFor(jwks.url);
    await tokens.verify(sign(one.privateKey, 'one'));
    const unknown = Array.from({ length: 40 }, (_, nth) => sign(stranger.privateKey, `unknown-${nth}`));
    for (const outcome of await Promise.allSettled(unknown.map((token) => tokens.verify(token)))) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: REFUSED });
    }
    for (const token of unknown) await expect(tokens.verify(token)).rejects.toMatchObject(REFUSED);
    expect(jwks.requests).toBeLessThanOrEqual(10);
    expect((await tokens.verify(sign(one.privateKey, 'one'))).userId).toBe('u');
  });
});

describe('when the JWKS address', () => {
  test.each<[string, number | string]>([
    ['fails', 500],
    ['has nothing', 404],
    ['answers with something else', '<html></html>'],
    ['answers without keys', '{"keys":[]}'],
  ])('%s, a token cannot be checked, and can as soon as it is back', async (_, answer) => {
    const keys = jwks.answer;
    jwks.answer = answer;
    const tokens = tokensFor(jwks.url);
    await expect(tokens.verify(sign(one.privateKey, 'one'))).rejects.toMatchObject(UNAVAILABLE);
    jwks.answer = keys;
    expect((await tokens.verify(sign(one.privateKey, 'one'))).userId).toBe('u');
  });

  test('is not there, tokens of known keys, and of other configured ones, go on working', async () => {
    const pem = ec.publicKey.export({ type: 'spki', format: 'pem' }) as string;
    const tokens = tokensFor(jwks.url, { jwtSecret: SECRET, jwtPublicKey: [pem] });
    const known = sign(one.privateKey, 'one');
    await tokens.verify(known);
    await jwks[Symbol.asyncDispose]();
    jwks = await startJwks([]);
    expect((await tokens.verify(known)).userId).toBe('u');
    expect((await tokens.verify(tokens.sign({ tenantId: 't', userId: 'v', roles: [] }))).userId).toBe('v');
    expect((await tokens.verify(jwt.sign(claims, ec.privateKey, { algorithm: 'ES256' }))).userId).toBe('u');
    await expect(tokens.verify(sign(stranger.privateKey, 'three'))).rejects.toMatchObject(UNAVAILABLE);
  });
});

describe('a key that was once fetched', () => {
  test('and is withdrawn stops working within ten minutes', async () => {
    const tokens = tokensFor(jwks.url);
    await tokens.verify(sign(one.privateKey, 'one'));
    jwks.answer = [jwk(two.publicKey, 'two')];
    later(10);
    await expect(tokens.verify(sign(one.privateKey, 'one'))).rejects.toMatchObject(REFUSED);
  });

  test('goes on working for an hour while the address does not answer', async () => {
    const tokens = tokensFor(jwks.url);
    const token = jwt.sign({ ...claims, exp: claims.exp + 86_400 }, one.privateKey, {
      algorithm: 'RS256',
      keyid: 'one',
    });
    await tokens.verify(token);
    jwks.answer = 503;
    later(59);
    expect((await tokens.verify(token)).userId).toBe('u');
    later(2);
    await expect(tokens.verify(token)).rejects.toMatchObject(UNAVAILABLE);
  });
});

test('with a public key and a JWKS address, tokens of either are accepted', async () => {
  const pem = stranger.publicKey.export({ type: 'spki', format: 'pem' }) as string;
  const tokens = tokensFor(jwks.url, { jwtPublicKey: [pem] });
  expect((await tokens.verify(sign(stranger.privateKey, undefined))).userId).toBe('u');
  expect((await tokens.verify(sign(one.privateKey, 'one'))).userId).toBe('u');
  await expect(tokens.verify(sign(rsaKey().privateKey, 'one'))).rejects.toMatchObject(REFUSED);
});
