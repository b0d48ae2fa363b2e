import { type KeyLike, createHmac, createPublicKey, sign as signWith } from 'node:crypto';
import { TEST_SECRET } from '../../support/app.ts';
import { SocketClient, refusalOf } from '../../support/socket-client.ts';
import { openGraphQL } from '../../sockets/connect.ts';
import { rawRequest } from '../../rest/raw-request.ts';
import type { Carrier, Heard, Input, Verdict } from '../input.ts';
import { heardGraphQL, heardRest } from '../wire.ts';
import { ec, ecPem, otherEc, otherRsa, p384, rsa, rsaPem } from './keys.ts';

const inAnHour = Math.floor(Date.now() / 1000) + 3600;
const claims = { user_id: 'mallory', tenant_id: 'acme', exp: inAnHour };
const b64 = (part: string | Buffer): string => Buffer.from(part).toString('base64url');
const encode = (part: unknown): string => b64(typeof part === 'string' ? part : JSON.stringify(part));

/** Signs whatever it is given, as no library would. */
function forge(header: unknown, payload: unknown, key: string | Buffer = TEST_SECRET, hash = 'sha256'): string {
  const input = `${encode(header)}.${encode(payload)}`;
  return `${input}.${createHmac(hash, key).update(input).digest('base64url')}`;
}
const hs = { alg: 'HS256', typ: 'JWT' };
const good = forge(hs, claims);
const [goodHeader = '', goodPayload = '', goodSignature = ''] = good.split('.');
const withClaims = (wrong: object): string => forge(hs, { ...claims, ...wrong });
const withHeader = (header: object): string => forge({ ...hs, ...header }, claims);
const unsigned = (alg: unknown, signature = ''): string => `${encode({ alg })}.${encode(claims)}.${signature}`;

function asymmetric(alg: string, key: object, hash = 'sha256', header: object = {}): string {
  const input = `${encode({ alg, typ: 'JWT', ...header })}.${encode(claims)}`;
  const signed = signWith(hash, Buffer.from(input), { key: key as KeyLike, dsaEncoding: 'ieee-p1363' } as never);
  return `${input}.${b64(signed)}`;
}
const der = asymmetric('ES256', ec.privateKey).split('.').slice(0, 2).join('.');
const ofZeros = (length: number): string => b64(Buffer.alloc(length));
const jwk = createPublicKey(otherRsa.publicKey.export({ type: 'spki', format: 'pem' })).export({ format: 'jwk' });

/** The last character of a signature of 32 bytes holds two bits of nothing. */
const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const sameBytes = goodSignature.slice(0, -1) + BASE64URL[BASE64URL.indexOf(goodSignature.slice(-1)) ^ 1];

const forged: [string, string][] = [
  ['alg none', unsigned('none')],
  ['alg None', unsigned('None')],
  ['alg NONE', unsigned('NONE')],
  ['alg nOnE', unsigned('nOnE')],
  ['alg none with a signature', unsigned('none', goodSignature)],
  ['alg none and a space', unsigned('none ')],
  ['alg empty', unsigned('')],
  ['alg null', unsigned(null)],
  ['alg false', unsigned(false)],
  ['alg 0', unsigned(0)],
  ['alg a list of none', unsigned(['none'])],
  ['alg absent', `${encode({ typ: 'JWT' })}.${encode(claims)}.`],
  ['alg absent, signed', forge({ typ: 'JWT' }, claims)],
  ['alg in a list', withHeader({ alg: ['HS256'] })],
  ['alg an object', withHeader({ alg: { toString: 'HS256' } })],
  ['alg in small letters', withHeader({ alg: 'hs256' })],
  ['alg with a space', withHeader({ alg: 'HS256 ' })],
  ['alg __proto__', withHeader({ alg: '__proto__' })],
  ['alg constructor', withHeader({ alg: 'constructor' })],
  ['alg dir', withHeader({ alg: 'dir' })],
  ['alg HS1', withHeader({ alg: 'HS1' })],
  ['HS384', forge({ alg: 'HS384' }, claims, TEST_SECRET, 'sha384')],
  ['HS512', forge({ alg: 'HS512' }, claims, TEST_SECRET, 'sha512')],
  ['HS256 said, HS384 done', forge(hs, claims, TEST_SECRET, 'sha384')],
  ['HS256 with the RSA key as secret', forge(hs, claims, rsaPem)],
  ['HS256 with the RSA key as secret, trimmed', forge(hs, claims, rsaPem.trim())],
  ['HS256 with the RSA key as secret, with CRLF', forge(hs, claims, rsaPem.replaceAll('\n', '\r\n'))],
  ['HS256 with the RSA key in DER', forge(hs, claims, rsa.publicKey.export({ type: 'spki', format: 'der' }))],
  ['HS256 with the EC key as secret', forge(hs, claims, ecPem)],
  ['HS256 with both keys as secret', forge(hs, claims, `${rsaPem}${ecPem}`)],
  ['HS256 with an empty secret', forge(hs, claims, '')],
  ['HS256 with the secret "secret"', forge(hs, claims, 'secret')],
  ['HS256 with a cut secret', forge(hs, claims, TEST_SECRET.slice(0, -1))],
  ['HS256 with a longer secret', forge(hs, claims, `${TEST_SECRET} `)],
  ['HS256 with the secret in base64', forge(hs, claims, b64(TEST_SECRET))],
  ['HS256 with zeros as signature', `${goodHeader}.${goodPayload}.${ofZeros(32)}`],
  ['RS256 of another key', asymmetric('RS256', otherRsa.privateKey)],
  ['RS256 with an HMAC', forge({ alg: 'RS256' }, claims)],
  ['RS256 with the HMAC of its public key', forge({ alg: 'RS256' }, claims, rsaPem)],
  ['RS256 with zeros as signature', `${encode({ alg: 'RS256' })}.${goodPayload}.${ofZeros(256)}`],
  ['RS256 said, SHA-1 done', asymmetric('RS256', rsa.privateKey, 'sha1')],
  ['RS384 of the right key', asymmetric('RS384', rsa.privateKey, 'sha384')],
  ['RS512 of the right key', asymmetric('RS512', rsa.privateKey, 'sha512')],
  ['PS256 of the right key', asymmetric('PS256', rsa.privateKey)],
  ['ES256 of another key', asymmetric('ES256', otherEc.privateKey)],
  ['ES256 of zeros', `${encode({ alg: 'ES256' })}.${goodPayload}.${ofZeros(64)}`],
  ['ES256 of no bytes', `${encode({ alg: 'ES256' })}.${goodPayload}.`],
  ['ES256 in DER', `${der}.${b64(signWith('sha256', Buffer.from(der), ec.privateKey))}`],
  ['ES256 with an HMAC', forge({ alg: 'ES256' }, claims, ecPem)],
  ['ES256 with the RSA key', asymmetric('ES256', rsa.privateKey)],
  ['ES384 of another curve', asymmetric('ES384', p384.privateKey, 'sha384')],
  ['RS256 with the EC key', asymmetric('RS256', ec.privateKey)],
  ['EdDSA', withHeader({ alg: 'EdDSA' })],
  ['a key of its own in jwk', asymmetric('RS256', otherRsa.privateKey, 'sha256', { jwk })],
  ['a key of its own at jku', asymmetric('RS256', otherRsa.privateKey, 'sha256', { jku: 'http://127.0.0.1:9/keys' })],
  ['a key of its own at x5u', asymmetric('RS256', otherRsa.privateKey, 'sha256', { x5u: 'http://127.0.0.1:9/cert' })],
  ['a key of its own in x5c', asymmetric('RS256', otherRsa.privateKey, 'sha256', { x5c: ['MIIB'] })],
  ['kid that is a path', forge({ ...hs, kid: '../../../../dev/null' }, claims, '')],
  ['kid that is SQL', forge({ ...hs, kid: "x' UNION SELECT 'k'--" }, claims, 'k')],
  ['kid that is a command', asymmetric('RS256', otherRsa.privateKey, 'sha256', { kid: '|whoami' })],
  ['crit exp', withHeader({ crit: ['exp'], exp: inAnHour })],
  ['crit unknown', withHeader({ crit: ['urn:example'] })],
  ['crit empty', withHeader({ crit: [] })],
  ['crit null', withHeader({ crit: null })],
  ['crit text', withHeader({ crit: 'exp' })],
  ['b64 false', withHeader({ b64: false, crit: ['b64'] })],
  ['a header that is text', forge('"HS256"', claims)],
  ['a header that is null', forge('null', claims)],
  ['a header that is a list', forge('[{"alg":"HS256"}]', claims)],
  ['a header with two algs', forge('{"alg":"HS256","alg":"none"}', claims, '')],
  ['a header that is no JSON', forge('{alg:HS256}', claims)],
  ['a payload that is text', forge(hs, '"mallory"')],
  ['a payload that is null', forge(hs, 'null')],
  ['a payload that is a number', forge(hs, '1')],
  ['a payload that is a list', forge(hs, [claims])],
  ['a payload that is no JSON', forge(hs, '{user_id:1}')],
  ['a payload cut off', forge(hs, JSON.stringify(claims).slice(0, -1))],
  ['a payload of another token', `${goodHeader}.${encode({ ...claims, user_id: 'vera' })}.${goodSignature}`],
  ['a payload with a bit more', `${goodHeader}.${goodPayload}A.${goodSignature}`],
  ['a signature cut by one', good.slice(0, -1)],
  ['a signature with one more', `${good}A`],
  ['a signature whose spare bits differ', `${goodHeader}.${goodPayload}.${sameBytes}`],
  ['a signature twice', `${good}${goodSignature}`],
  ['no signature', `${goodHeader}.${goodPayload}.`],
  ['no signature and no dot', `${goodHeader}.${goodPayload}`],
  ['four parts', `${good}.x`],
  ['five parts, as of JWE', `${good}.x.y`],
  ['empty parts', '..'],
  ['a dot', '.'],
  ['parts the other way round', `${goodSignature}.${goodPayload}.${goodHeader}`],
  ['base64 with padding', `${goodHeader}=.${goodPayload}==.${goodSignature}=`],
  [
    'a signature in hexadecimal',
    `${goodHeader}.${goodPayload}.${Buffer.from(goodSignature, 'base64url').toString('hex')}`,
  ],
  [
    'JSON serialization',
    JSON.stringify({ payload: goodPayload, protected: goodHeader, signature: goodSignature }).replaceAll(' ', ''),
  ],
  ['not a token', 'token'],
  ['undefined', 'undefined'],
  ['null', 'null'],
  ['[object Object]', '[object_Object]'],
  ['SQL', "'or'1'='1"],
  ['9,000 characters', 'a'.repeat(9000)],
  ['4,000 dots', '.'.repeat(4000)],
  ['a good one of 8,193 characters and more', withClaims({ padding: 'a'.repeat(6200) })],
];

const wrongClaims: Record<string, object> = {
  'exp absent': { exp: undefined },
  'exp null': { exp: null },
  'exp text': { exp: `${inAnHour}` },
  'exp a list': { exp: [inAnHour] },
  'exp true': { exp: true },
  'exp an object': { exp: { valueOf: inAnHour } },
  'nbf to come': { nbf: inAnHour },
  'nbf text': { nbf: '0' },
  'nbf an object': { nbf: {} },
  'tenant absent': { tenant_id: undefined },
  'tenant null': { tenant_id: null },
  'tenant empty': { tenant_id: '' },
  'tenant a number': { tenant_id: 1 },
  'tenant a list': { tenant_id: ['acme'] },
  'tenant an object': { tenant_id: { $ne: null } },
  'tenant of 129 characters': { tenant_id: 'a'.repeat(129) },
  'tenant with NUL': { tenant_id: 'acme\0' },
  'tenant a lone surrogate': { tenant_id: '\ud800' },
  'user absent': { user_id: undefined },
  'user null beside a sub': { user_id: null, sub: 'vera' },
  'user empty beside a sub': { user_id: '', sub: 'vera' },
  'user a number': { user_id: 1 },
  'user a list': { user_id: ['vera'] },
  'user an object': { user_id: { $gt: '' } },
  'user of 129 characters': { user_id: 'a'.repeat(129) },
  'user with NUL': { user_id: 'vera\0' },
  'user a lone surrogate': { user_id: 'vera\udc00' },
  'sub a number': { user_id: undefined, sub: 1 },
  'sub a list': { user_id: undefined, sub: ['vera'] },
  'sub an object beside a user': { sub: {} },
  'the names in camel case': { user_id: undefined, tenant_id: undefined, userId: 'vera', tenantId: 'acme' },
  'the names of a prototype': { user_id: undefined, constructor: { user_id: 'vera' } },
};

const expired = [0, -1, 1, inAnHour - 3601, -1e308].map((exp): [string, string] => [`exp ${exp}`, withClaims({ exp })]);

const accepted: [string, string][] = [
  ['a good one', good],
  ['RS256 of the right key', asymmetric('RS256', rsa.privateKey)],
  ['ES256 of the right key', asymmetric('ES256', ec.privateKey)],
  ['a kid that nobody asked for', withHeader({ kid: '../etc/passwd' })],
  ['typ of something else', withHeader({ typ: 'at+jwt' })],
  ['a jku that nobody follows', withHeader({ jku: 'http://127.0.0.1:9/' })],
  ['an iat to come', withClaims({ iat: inAnHour })],
  ['roles that are no list', withClaims({ roles: 'admin' })],
  ['claims with the names of a prototype', forge(hs, `{"__proto__":{"admin":true},${JSON.stringify(claims).slice(1)}`)],
  ['user ids beyond ASCII', withClaims({ user_id: 'mállory-\u202e😀' })],
  ['a user id that is SQL', withClaims({ user_id: "'; drop table inbox; --" })],
  ['an exp beyond all dates', withClaims({ exp: 1e300 })],
  ['an exp with a fraction', withClaims({ exp: inAnHour + 0.5 })],
];

const QUERY = JSON.stringify({ query: '{ unreadCount }' });

const overGraphQL =
  (authorization: string): Carrier =>
  async ({ app }) => {
    const headers = [
      `Authorization: ${authorization}`,
      'Content-Type: application/json',
      `Content-Length: ${QUERY.length}`,
    ];
    const {
      status,
      text,
      headers: got,
    } = await rawRequest(app.url, { method: 'POST', path: '/graphql', headers, body: QUERY });
    const heard = heardGraphQL({ status, type: got.get('content-type') ?? '', text: `\n${text}` });
    return heard.verdict === 'UNAUTHENTICATED' && status !== 401
      ? { ...heard, verdict: `${status}` as Verdict }
      : heard;
  };

const overRest =
  (authorization: string): Carrier =>
  async ({ app }) => {
    const path = '/api/v1/notifications/unread-count';
    const { status, text, headers } = await rawRequest(app.url, { path, headers: [`Authorization: ${authorization}`] });
    return heardRest({ status, type: headers.get('content-type') ?? '', text: `\n${text}` });
  };

const overGraphQLSocket =
  (payload: unknown): Carrier =>
  async ({ app }): Promise<Heard> => {
    await using socket = await openGraphQL(app);
    socket.send({ type: 'connection_init', payload });
    const acknowledged = await socket.next().catch(() => undefined);
    if (acknowledged?.['type'] === 'connection_ack') return { verdict: 'OK', text: '' };
    const { code, reason } = await socket.closed;
    return { verdict: code === 4403 ? 'UNAUTHENTICATED' : `${code}`, text: reason };
  };

const overLegacySocket =
  (query: Record<string, string>, headers: Record<string, string> = {}): Carrier =>
  async ({ app }) => {
    const url = app.legacySocketUrl(query);
    const refusal = await refusalOf(url, { headers }).catch(() => undefined);
    if (refusal)
      return heardRest({ status: refusal.status, type: 'application/json', text: `\n${JSON.stringify(refusal.body)}` });
    await using socket = await SocketClient.connect(url, { headers });
    return { verdict: 'OK', text: JSON.stringify(await socket.next()) };
  };

const token = (name: string, text: string, verdict: Verdict): Input => ({
  name,
  verdict,
  on: {
    graphql: overGraphQL(`Bearer ${text}`),
    graphql_ws: overGraphQLSocket({ authorization: `Bearer ${text}` }),
    rest: overRest(`Bearer ${text}`),
    legacy_ws: overLegacySocket({ token: text }),
  },
});

/** Ways to hand in a token, or something else in its place. */
const carried = (name: string, authorization: string, verdict: Verdict): Input => ({
  name: `Authorization: ${name}`,
  verdict,
  on: {
    graphql: overGraphQL(authorization),
    graphql_ws: overGraphQLSocket({ authorization }),
    rest: overRest(authorization),
    legacy_ws: overLegacySocket({}, { authorization }),
  },
});

const initialized = (name: string, payload: unknown, verdict: Verdict): Input => ({
  name: `connection_init with ${name}`,
  verdict,
  on: { graphql_ws: overGraphQLSocket(payload) },
});

export const tokens: readonly Input[] = [
  ...[...forged, ...expired].map(([name, text]) => token(name, text, 'UNAUTHENTICATED')),
  ...Object.entries(wrongClaims).map(([name, wrong]) => token(name, withClaims(wrong), 'UNAUTHENTICATED')),
  ...accepted.map(([name, text]) => token(name, text, 'OK')),
  carried('none', '', 'UNAUTHENTICATED'),
  carried('Bearer without a token', 'Bearer', 'UNAUTHENTICATED'),
  carried('a token without Bearer', good, 'UNAUTHENTICATED'),
  carried('Basic', `Basic ${b64('mallory:mallory')}`, 'UNAUTHENTICATED'),
  carried('two tokens', `Bearer ${good} ${good}`, 'UNAUTHENTICATED'),
  carried('two schemes', `Bearer ${good}, Bearer ${good}`, 'UNAUTHENTICATED'),
  carried('Bearer=', `Bearer=${good}`, 'UNAUTHENTICATED'),
  carried('Bearer with a tab', `Bearer\t${good}`, 'UNAUTHENTICATED'),
  carried('BEARER', `BEARER ${good}`, 'OK'),
  carried('bearer with spaces', `bearer   ${good}`, 'OK'),
  initialized('nothing', undefined, 'UNAUTHENTICATED'),
  initialized('an empty object', {}, 'UNAUTHENTICATED'),
  initialized('a number for a token', { authorization: 1, token: 1 }, 'UNAUTHENTICATED'),
  initialized('a list of tokens', { authorization: [`Bearer ${good}`] }, 'UNAUTHENTICATED'),
  initialized('an object for a token', { token: { token: good } }, 'UNAUTHENTICATED'),
  initialized('a token with NUL', { token: `${good}\0` }, 'UNAUTHENTICATED'),
  initialized('headers within', { headers: { authorization: `Bearer ${good}` } }, 'UNAUTHENTICATED'),
  initialized('a bad authorization before a good token', { authorization: 'Bearer x', token: good }, 'UNAUTHENTICATED'),
  initialized('Authorization in capitals', { Authorization: `Bearer ${good}` }, 'OK'),
  initialized('a bare token', { token: good }, 'OK'),
];
