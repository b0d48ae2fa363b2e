import { gzipSync } from 'node:zlib';
import type { Carrier, Input, Verdict } from '../input.ts';
import { type Sent, raw } from '../raw.ts';
import { mallory } from '../stage.ts';

const REST = '/api/v1/notifications';
const GRAPHQL_BODY = '{"query":"{ unreadCount }"}';
const REST_BODY = '{"ids":["x"]}';
const nest = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

const onGraphQL = (sent: Sent): Carrier => raw({ path: '/graphql', body: GRAPHQL_BODY }, sent);
const onRest = (sent: Sent): Carrier => raw({ method: 'PUT', path: `${REST}/read`, body: REST_BODY }, sent);

const both = (name: string, sent: Sent, verdict: Input['verdict']): Input => ({
  name,
  verdict,
  on: { graphql: onGraphQL(sent), rest: onRest(sent) },
});
const overGraphQL = (name: string, sent: Sent, verdict: Verdict): Input => ({
  name: `GraphQL: ${name}`,
  verdict,
  on: { graphql: onGraphQL(sent) },
});
const overRest = (name: string, sent: Sent, verdict: Verdict): Input => ({
  name: `REST: ${name}`,
  verdict,
  on: { rest: onRest(sent) },
});

const bad = 'BAD_USER_INPUT';
const chunked = (body: string): Sent => ({ headers: ['Transfer-Encoding: chunked'], hasLength: false, body });
const typed = (type: string): Sent => ({
  isPlain: true,
  headers: [`Authorization: Bearer ${mallory.token}`, `Content-Type: ${type}`],
});

const BODIES: [string, string | Buffer][] = [
  ['no body', ''],
  ['a space', ' '],
  ['a brace', '{'],
  ['a body cut off', '{"query":"{ unread'],
  ['two bodies', '{}{}'],
  ['null', 'null'],
  ['a number', '1'],
  ['text', '"x"'],
  ['a list', '[]'],
  ['a list of bodies', `[${GRAPHQL_BODY},${GRAPHQL_BODY}]`],
  ['an empty object', '{}'],
  ['JavaScript', "{query:'{ unreadCount }'}"],
  ['a comma too many', '{"query":"{ unreadCount }","ids":["x"],}'],
  ['a comment', '/* */{"query":"{ unreadCount }","ids":["x"]}'],
  ['NaN', 'NaN'],
  ['NUL before', '\0{}'],
  ['NUL after', '{}\0'],
  ['XML', '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'],
  ['a form', 'query={unreadCount}&ids=x'],
  ['UTF-16', Buffer.from('\ufeff{"query":"{ unreadCount }","ids":["x"]}', 'utf16le')],
  ['Latin-1', Buffer.from('{"query":"{ unreadCount } #é","ids":["é"]}', 'latin1')],
  ['a lone surrogate in UTF-8', Buffer.from([0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x3a, 0x31, 0x7d])],
  ['an overlong quote', Buffer.from([0x7b, 0xc0, 0xa2, 0x7d])],
  ['gzip that is not told', gzipSync(GRAPHQL_BODY)],
  ['lists beyond the stack', nest(100_000)],
  ['objects beyond the stack', '{"a":'.repeat(50_000) + '1' + '}'.repeat(50_000)],
  ['lists that are never closed', '['.repeat(500_000)],
  ['a key twice', '{"query":"{ unreadCount }","query":1,"ids":["x"],"ids":1}'],
  ['a prototype', '{"__proto__":{"query":"{ unreadCount }","ids":["x"]}}'],
];

const TYPES = [
  'text/plain',
  'text/json',
  'application/xml',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'application/jsonp',
  'application/json5',
  'application/x-json',
  'application/json/x',
  'application',
  '*/*',
  'application/*',
  'text/plain; application/json',
  '"application/json"',
];

/** What is no proper HTTP. */
const BROKEN: [string, Sent][] = [
  ['a length too long', { hasLength: false, headers: ['Content-Length: 100'], end: true }],
  ['a length too short', { hasLength: false, headers: ['Content-Length: 2'] }],
  ['two lengths', { headers: ['Content-Length: 1'] }],
  ['a list of lengths', { hasLength: false, headers: ['Content-Length: 1, 2'] }],
  ['a negative length', { hasLength: false, headers: ['Content-Length: -1'] }],
  ['a length with a sign', { hasLength: false, headers: ['Content-Length: +5'] }],
  ['a length in hexadecimal', { hasLength: false, headers: ['Content-Length: 0x5'] }],
  ['a length beyond 64 bits', { hasLength: false, headers: ['Content-Length: 99999999999999999999'] }],
  ['a length and chunks', { headers: ['Transfer-Encoding: chunked'] }],
  ['chunks within chunks', { ...chunked('0\r\n\r\n'), headers: ['Transfer-Encoding: chunked, chunked'] }],
  ['chunks before gzip', { ...chunked('0\r\n\r\n'), headers: ['Transfer-Encoding: chunked, gzip'] }],
  ['an unknown encoding', { ...chunked(''), headers: ['Transfer-Encoding: xchunked'] }],
  ['chunks with a space before the colon', { ...chunked('0\r\n\r\n'), headers: ['Transfer-Encoding : chunked'] }],
  ['a chunk whose size is no number', chunked('zz\r\n')],
  ['a chunk whose size is negative', chunked('-1\r\n\r\n')],
  ['a chunk whose size is prefixed', chunked('0x1\r\nx\r\n0\r\n\r\n')],
  ['a chunk whose size overflows', chunked('fffffffffffffffff\r\n')],
  ['a chunk longer than its size', chunked('1\r\nxyz\r\n0\r\n\r\n')],
  ['chunks that end in the middle', { ...chunked('5\r\nab'), end: true }],
  ['a header without a colon', { headers: ['Nothing'] }],
  ['a header without a name', { headers: [': x'] }],
  ['a header that goes on in the next line', { headers: ['X-A: b', ' c'] }],
  ['a header with NUL', { headers: ['X-A: a\0b'] }],
  ['a header whose name has a space', { headers: ['X A: b'] }],
  ['a header with a bare CR', { headers: ['X-A: a\rb'] }],
  ['a path with a space', { path: '/graphql x' }],
  ['a path that is a backslash', { path: '\\' }],
  ['no path', { path: '' }],
  ['a method of small letters', { method: 'post' }],
  ['a method that nobody knows', { method: 'BREW' }],
  ['a method with a colon', { method: 'GET:' }],
];

/** Addresses at which there is nothing. */
const PATHS = [
  '/graphql/',
  '//graphql',
  '/GraphQL',
  '/graphql;a=b',
  '/graphql%00',
  '/graphql%2f',
  '/%67raphql',
  '/graphql/../graphql',
  '/./graphql',
  '/graphiql',
  '/api/v1/graphql',
  '/api/v1//notifications/read',
  '/api/v2/notifications/read',
  '/API/v1/notifications/read',
  '/api/v1/notifications/../../../etc/passwd',
  '/..%2f..%2fetc/passwd',
  '/.env',
  '/.git/config',
  '/package.json',
  '/src/main.ts',
  '/server-status',
  '/actuator/env',
  '/debug/pprof',
  '/wp-login.php',
  '/api/v1/users',
  '/api/v1/auth/register',
  '/api/v1/notifications/x/y/z',
];

const MUTATION = '{"query":"mutation { send(input: { title: \\"a\\", content: \\"b\\" }) { id } }"}';
const many = `{"query":"{ unreadCount }","variables":{"a":[${'1,'.repeat(250_000)}1]}}`;
const big = `{"query":"${'x'.repeat(1_100_000)}"}`;
const asked = (query: string): Sent => ({ method: 'GET', path: `/graphql?${query}`, hasLength: false, body: '' });

export const requests: readonly Input[] = [
  ...BODIES.map(([name, body]) => both(name, { body }, bad)),
  both(
    'a byte order mark before the body',
    { body: '\ufeff{"query":"{ unreadCount }"}' },
    { graphql: 'OK', rest: bad },
  ),
  ...TYPES.map((type) => both(`the media type ${type}`, typed(type), 'UNSUPPORTED_MEDIA_TYPE')),
  both(
    'no media type',
    { isPlain: true, headers: [`Authorization: Bearer ${mallory.token}`] },
    'UNSUPPORTED_MEDIA_TYPE',
  ),
  both('a media type with parameters', typed('application/json; charset=utf-8; x="y"'), 'OK'),
  both('a media type in capitals', typed('APPLICATION/JSON'), 'OK'),
  both('gzip that is told', { headers: ['Content-Encoding: gzip'], body: gzipSync(GRAPHQL_BODY) }, bad),
  ...BROKEN.map(([name, sent]) => both(name, sent, bad)),
  ...PATHS.map(
    (path): Input => ({
      name: `POST ${path}`,
      verdict: 'NOT_FOUND',
      on: { rest: onRest({ method: 'POST', path }) },
    }),
  ),
  both('a body of more values than are allowed', { body: many }, 'PAYLOAD_TOO_LARGE'),
  both('a body of more than 1 MiB', { body: big }, 'PAYLOAD_TOO_LARGE'),
  both(
    'a chunked body of more than 1 MiB',
    chunked(`${big.length.toString(16)}\r\n${big}\r\n0\r\n\r\n`),
    'PAYLOAD_TOO_LARGE',
  ),
  both('a chunked body', chunked(`${GRAPHQL_BODY.length.toString(16)}\r\n${GRAPHQL_BODY}\r\n0\r\n\r\n`), {
    graphql: 'OK',
    rest: bad,
  }),
  both('headers of 20 KiB', { headers: [`X-A: ${'a'.repeat(20_000)}`] }, '431'),
  both('a thousand headers', { headers: Array.from({ length: 1000 }, (_, n) => `X-${n}: ${'a'.repeat(20)}`) }, '431'),
  both('a path of 20 KiB', { path: `/graphql?x=${'a'.repeat(20_000)}` }, '431'),
  both('a second Authorization', { headers: ['Authorization: Bearer x'] }, 'OK'),
  both('no token', { isPlain: true, headers: ['Content-Type: application/json'] }, 'UNAUTHENTICATED'),
  both(
    'a token in the address',
    { isPlain: true, headers: ['Content-Type: application/json', `X-Token: ${mallory.token}`] },
    'UNAUTHENTICATED',
  ),
  both(
    'a token in a cookie',
    { isPlain: true, headers: ['Content-Type: application/json', `Cookie: token=${mallory.token}`] },
    'UNAUTHENTICATED',
  ),
  both('another method in a header', { headers: ['X-HTTP-Method-Override: DELETE'] }, 'OK'),
  both('another path in a header', { headers: ['X-Original-URL: /admin', 'X-Rewrite-URL: /admin'] }, 'OK'),
  both(
    'another host in a header',
    { headers: ['X-Forwarded-Host: evil.example', 'Forwarded: host=evil.example'] },
    'OK',
  ),
  both('a user in a header', { headers: ['X-User-Id: vera', 'X-Tenant-Id: globex'] }, 'OK'),
  both('a foreign origin', { headers: ['Origin: https://evil.example'] }, 'OK'),
  ...['PATCH', 'DELETE', 'TRACE', 'PROPFIND', 'SEARCH'].map((method) =>
    both(method, { method }, { graphql: bad, rest: 'METHOD_NOT_ALLOWED' }),
  ),
  ...[
    'query=%7B',
    'query=',
    'query',
    '',
    'query=%00',
    'query=%ff',
    'query={__typename}&query={unreadCount}&variables=x',
    'query={unreadCount}&variables=[]',
    'query={unreadCount}&variables={',
    'query={unreadCount}&extensions=1',
    'query={unreadCount}&operationName=X',
    'query=fragment',
  ].map((query) => overGraphQL(`GET ?${query}`, asked(query), bad)),
  overGraphQL('a mutation by GET', asked('query=mutation%7BmarkAllRead%7Bcount%7D%7D'), bad),
  overGraphQL(
    'a query of another by GET, without a token',
    { ...asked('query={unreadCount}'), isPlain: true },
    'UNAUTHENTICATED',
  ),
  overGraphQL(
    'a mutation without a token',
    { isPlain: true, headers: ['Content-Type: application/json'], body: MUTATION },
    'UNAUTHENTICATED',
  ),
  ...[
    '{"query":1}',
    '{"query":{}}',
    '{"query":null}',
    '{"query":["{ unreadCount }"]}',
    '{"query":"{ unreadCount }","variables":[]}',
    '{"query":"{ unreadCount }","variables":"{}"}',
    '{"query":"{ unreadCount }","operationName":1}',
    '{"query":"{ unreadCount }","extensions":[]}',
    '{"query":"{ unreadCount }","other":1}',
    '{"Query":"{ unreadCount }"}',
    '{"id":"1"}',
  ].map((body) => overGraphQL(body, { body }, bad)),
  overGraphQL(
    'variables beyond the stack',
    {
      body: `{"query":"query ($f: NotificationFilter) { unreadCount(filter: $f) }","variables":{"f":${nest(100_000)}}}`,
    },
    bad,
  ),
  overGraphQL(
    'data beyond the stack',
    {
      body: `{"query":"mutation ($d: JSON) { send(input: { title: \\"a\\", content: \\"b\\", data: $d }) { id } }","variables":{"d":${nest(100_000)}}}`,
    },
    bad,
  ),
  overRest(
    'data beyond the stack',
    { method: 'POST', path: REST, body: `{"title":"a","content":"b","data":${nest(100_000)}}` },
    bad,
  ),
  overRest('ids beyond the stack', { body: `{"ids":${nest(100_000)}}` }, bad),
  overRest(
    'the tenant of others',
    { method: 'POST', path: REST, body: '{"title":"a","content":"b","tenant_id":"globex"}' },
    'FORBIDDEN',
  ),
  overRest(
    'a tenant that is none',
    { method: 'POST', path: REST, body: '{"title":"a","content":"b","tenant_id":{}}' },
    bad,
  ),
  overRest(
    'two idempotency keys',
    {
      method: 'POST',
      path: REST,
      headers: ['Idempotency-Key: a', 'Idempotency-Key: b'],
      body: '{"title":"a","content":"b"}',
    },
    bad,
  ),
  ...['%', '%zz', '%E0%A4%A', '%c0%af', '%ED%A0%80'].map((id) =>
    overRest(`the id ${id}`, { method: 'GET', path: `${REST}/${id}`, hasLength: false, body: '' }, bad),
  ),
  overRest('a socket address without a socket', { method: 'GET', path: `${REST}/ws`, hasLength: false, body: '' }, bad),
  ...[
    '{"username":{"$ne":""},"password":{"$ne":""}}',
    '{"username":["ada"],"password":"x"}',
    '{"username":"ada"}',
    '{}',
    '[]',
  ].map((body) => overRest(`login ${body}`, { method: 'POST', path: '/api/v1/auth/login', body }, bad)),
  ...['ada', "' OR 1=1 --"].map((name) =>
    overRest(
      `login as ${name.slice(0, 20)}`,
      { method: 'POST', path: '/api/v1/auth/login', body: `{"username":"${name}","password":"x"}` },
      'UNAUTHENTICATED',
    ),
  ),
  ...['x', '..', '\\u0000', 'a.b.c'].map((token) =>
    overRest(
      `refresh ${token}`,
      { method: 'POST', path: '/api/v1/auth/refresh', body: `{"refresh_token":"${token}"}` },
      'UNAUTHENTICATED',
    ),
  ),
];
