import { createHmac, generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import jwt from 'jsonwebtoken';
import { TENANT, TEST_SECRET, type TestApp, signToken, startApp } from '../support/app.ts';
import { refusalOf } from './operations.ts';

const claims = { user_id: 'ada', tenant_id: TENANT };
const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds;
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const publicPem = rsa.publicKey.export({ type: 'spki', format: 'pem' }).toString();

let app: TestApp;

beforeAll(async () => {
  app = await startApp();
});

afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A token with a header and a payload of our own making, signed with HMAC-SHA256 whatever the header says. */
function forge(header: object, payload: object, secret = TEST_SECRET): string {
  const signed = `${base64url(header)}.${base64url(payload)}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

const HS256 = { alg: 'HS256', typ: 'JWT' };
const valid = { ...claims, exp: inSeconds(3600) };
const without = (name: string): object => Object.fromEntries(Object.entries(valid).filter(([key]) => key !== name));

const refusedTokens: [string, string][] = [
  ['expired', forge(HS256, { ...claims, exp: inSeconds(-1) })],
  ['without exp', forge(HS256, without('exp'))],
  ['with exp as text', forge(HS256, { ...claims, exp: String(inSeconds(3600)) })],
  ['not yet valid', forge(HS256, { ...valid, nbf: inSeconds(60) })],
  ['signed with another secret', forge(HS256, valid, 'another secret that is long enough to be one')],
  ['with a changed payload', forge(HS256, valid).replace(/\.[^.]+\./, `.${base64url({ ...valid, user_id: 'eve' })}.`)],
  ['without a signature', `${base64url(HS256)}.${base64url(valid)}.`],
  ['of algorithm none', `${base64url({ alg: 'none' })}.${base64url(valid)}.`],
  ['of algorithm None', `${base64url({ alg: 'None' })}.${base64url(valid)}.`],
  ['of algorithm HS384', jwt.sign(valid, TEST_SECRET, { algorithm: 'HS384' })],
  ['of algorithm HS512', jwt.sign(valid, TEST_SECRET, { algorithm: 'HS512' })],
  ['of algorithm RS256', jwt.sign(valid, rsa.privateKey, { algorithm: 'RS256' })],
  ['of no algorithm', forge({ typ: 'JWT' }, valid)],
  ['with an unknown crit', forge({ ...HS256, crit: ['b64'], b64: false }, valid)],
  ['with an empty crit', forge({ ...HS256, crit: [] }, valid)],
  ['without a user', forge(HS256, without('user_id'))],
  ['without a tenant', forge(HS256, without('tenant_id'))],
  ['with a number as user', forge(HS256, { ...valid, user_id: 7 })],
  ['with a number as user and a good sub', forge(HS256, { ...valid, user_id: 7, sub: 'ada' })],
  ['with null as user', forge(HS256, { ...valid, user_id: null })],
  ['with an object as tenant', forge(HS256, { ...valid, tenant_id: { $ne: '' } })],
  ['with an empty user', forge(HS256, { ...valid, user_id: '' })],
  ['with a user of 129 characters', forge(HS256, { ...valid, user_id: 'u'.repeat(129) })],
  ['with NUL in the user', forge(HS256, { ...valid, user_id: 'a\0b' })],
  ['with a lone surrogate in the tenant', forge(HS256, { ...valid, tenant_id: 'a\ud800' })],
  ['with an array as payload', `${base64url(HS256)}.${base64url([1])}.x`],
  ['that is no JWT', 'abc'],
  ['of many dots', '.'.repeat(100)],
  ['of 12,000 characters', 'x'.repeat(12_000)],
];

test.each(refusedTokens)('a token %s is refused with 401 and UNAUTHENTICATED', async (_what, token) => {
  const answer = await app.graphql('{ unreadCount }', { token });
  expect(answer.status).toBe(401);
  expect(refusalOf(answer)).toEqual({ code: 'UNAUTHENTICATED' });
  expect(answer.data).toBeUndefined();
  expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/);
});

test('a bad token is refused even where none is needed', async () => {
  const answer = await app.graphql('{ __typename }', { token: 'abc' });
  expect([answer.status, refusalOf(answer)]).toEqual([401, { code: 'UNAUTHENTICATED' }]);
});

test.each([['Basic YWRhOmFkYQ=='], ['Bearer'], ['Bearer  '], ['bearer a b'], ['token']])(
  'the Authorization header "%s" is refused',
  async (authorization) => {
    const response = await fetch(`${app.graphqlUrl}?query={unreadCount}`, { headers: { authorization } });
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] });
  },
);

test.each<[string, object, object]>([
  ['user_id', { user_id: 'ada', sub: 'other' }, { recipientId: 'ada' }],
  ['sub when there is no user_id', { sub: 'bob' }, { recipientId: 'bob' }],
  ['ids of 128 characters', { user_id: 'u'.repeat(128) }, { recipientId: 'u'.repeat(128) }],
  ['ids in any script', { user_id: 'Ада Лавлейс/#?%' }, { recipientId: 'Ада Лавлейс/#?%' }],
])('a token names its user by %s', async (_what, user, expected) => {
  const token = signToken({ tenant_id: TENANT, ...user });
  const answer = await app.graphql('mutation { send(input: { title: "a", content: "b" }) { recipientId tenantId } }', {
    token,
  });
  expect(answer.errors).toBeUndefined();
  expect(answer.data.send).toEqual({ tenantId: TENANT, ...expected });
});

describe('without a token', () => {
  test.each([
    ['a query', '{ unreadCount }'],
    ['a query beside introspection', '{ __typename unreadCount }'],
    ['a query behind an alias', '{ __typename: unreadCount }'],
    ['a query in an inline fragment', '{ ... { ... on Query { unreadCount } } }'],
    [
      'a query in a fragment of a fragment',
      '{ ...A } fragment A on Query { ...B } fragment B on Query { unreadCount }',
    ],
    [
      'a query in the second fragment',
      '{ ...A ...B } fragment A on Query { __typename } fragment B on Query { unreadCount }',
    ],
    ['a query that is skipped', '{ unreadCount @skip(if: true) }'],
    ['a mutation', 'mutation { send(input: { title: "a", content: "b" }) { id } }'],
    ['a mutation that asks for its type name', 'mutation { __typename }'],
    ['a subscription', 'subscription { notificationAdded { id } }'],
  ])('%s is refused with 401 and UNAUTHENTICATED', async (_what, query) => {
    const answer = await app.graphql(query);
    expect([answer.status, refusalOf(answer)]).toEqual([401, { code: 'UNAUTHENTICATED' }]);
    expect(answer.data).toBeUndefined();
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
  });

  test.each([
    ['the type name', '{ __typename }'],
    ['a type', '{ __type(name: "Query") { name } }'],
    ['the schema, in fragments', '{ ...A ...A } fragment A on Query { ... { __schema { queryType { name } } } }'],
  ])('%s is answered', async (_what, query) => {
    const { status, errors } = await app.graphql(query);
    expect([status, errors]).toEqual([200, undefined]);
  });

  test('fragments that double at every step cost no more than their text', async () => {
    const steps = Array.from({ length: 28 }, (_, n) => `fragment F${n} on Query { ...F${n + 1} ...F${n + 1} }`);
    const { data } = await app.graphql(`{ ...F0 } ${steps.join(' ')} fragment F28 on Query { __typename }`);
    expect(data).toEqual({ __typename: 'Query' });
  });
});

describe('with a public key', () => {
  let keyed: TestApp;

  beforeAll(async () => {
    keyed = await startApp({ env: { JWT_SECRET: '', JWT_PUBLIC_KEY: publicPem }, databaseUrl: app.databaseUrl });
  });

  afterAll(async () => {
    await keyed[Symbol.asyncDispose]();
  });

  test('its RS256 tokens are taken', async () => {
    const token = jwt.sign(valid, rsa.privateKey, { algorithm: 'RS256' });
    expect((await keyed.graphql('{ unreadCount }', { token })).errors).toBeUndefined();
  });

  test.each<[string, string]>([
    ['HS256 tokens with the public key as secret', forge(HS256, valid, publicPem)],
    ['HS256 tokens of another secret', forge(HS256, valid)],
    ['RS512 tokens of the same key', jwt.sign(valid, rsa.privateKey, { algorithm: 'RS512' })],
    ['PS256 tokens of the same key', jwt.sign(valid, rsa.privateKey, { algorithm: 'PS256' })],
  ])('%s are refused', async (_what, token) => {
    const answer = await keyed.graphql('{ unreadCount }', { token });
    expect([answer.status, refusalOf(answer)]).toEqual([401, { code: 'UNAUTHENTICATED' }]);
  });
});
