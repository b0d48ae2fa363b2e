import { isDeepStrictEqual } from 'node:util';
import type { Person } from '../../support/app.ts';
import { overHttp, send } from '../doors.ts';
import { type Carrier, type Door, type Heard, type Input, type Verdict, doors, named } from '../input.ts';
import { mallory, personOf } from '../stage.ts';

type Fields = Readonly<Record<string, unknown>>;
const TEXTS = ['title', 'content', 'link', 'recipientId', 'relatedType', 'relatedId', 'idempotencyKey'];
const LENGTHS: readonly [string, number][] = [
  ['title', 200],
  ['content', 10_000],
  ['relatedType', 128],
  ['relatedId', 128],
  ['recipientId', 128],
  ['idempotencyKey', 128],
];
const ASTRAL = '😀';
const nested = (depth: number): unknown => JSON.parse('['.repeat(depth) + ']'.repeat(depth));

const sends = (fields: Fields, verdict: Input['verdict'], who = mallory): Input => ({
  name: named('send', fields),
  verdict,
  on: send({ title: 't', content: 'c', ...fields }, who),
});
const refused = (fields: Fields): Input => sends(fields, 'BAD_USER_INPUT');

/** What GraphQL's types take and REST's do not, or the other way round: REST has "" for what is absent. */
const byDoor = (overGraphQL: Verdict, rest: Verdict): Partial<Record<Door, Verdict>> => ({
  graphql: overGraphQL,
  graphql_ws: overGraphQL,
  rest,
});

/** Of the test's own realm, as equality of objects has it. */
const copyOf = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

const FIND = 'query ($id: ID!) { notification(id: $id) { title content link data relatedType relatedId } }';

/** Whatever is taken must come back as it was sent. */
function stored(fields: Fields, who: Person = mallory): Input {
  const input = sends(fields, 'OK', who);
  const on: Partial<Record<Door, Carrier>> = {};
  for (const door of doors) {
    const carrier = input.on[door];
    if (!carrier) continue;
    on[door] = async (stage): Promise<Heard> => {
      const heard = await carrier(stage);
      const id = /"(?:sent|id)":"([0-9a-f-]{36})"/.exec(heard.text)?.[1];
      if (heard.verdict !== 'OK') return heard;
      const { text } = await overHttp({ query: FIND, variables: { id } }, who)(stage);
      const kept = JSON.parse(text.slice(text.indexOf('\n'))).data.notification as Record<string, unknown>;
      for (const [name, value] of Object.entries(fields)) {
        if (!isDeepStrictEqual(copyOf(kept[name]), copyOf(value)))
          throw new Error(`${name} came back as ${JSON.stringify(kept[name])}`);
      }
      return heard;
    };
  }
  return { ...input, on };
}

const NOT_TEXT: readonly unknown[] = [null, true, {}, [], ['t'], [[]], { toString: 't' }, { $ne: '' }];

/** What looks like an attack on somebody behind, and is text. */
const TEXT: readonly string[] = [
  "'; DROP TABLE notification; --",
  "' OR '1'='1",
  '$1 $$ $tag$ $tag$',
  '\\x00 \\u0000 \\0 %00',
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  '{{7*7}} ${7*7} #{7*7} <%= 7*7 %>',
  '${jndi:ldap://127.0.0.1/a}',
  '%s%s%s%n%n%d',
  '../../../../etc/passwd',
  '; cat /etc/passwd | nc 127.0.0.1 1',
  'a\r\nSet-Cookie: b=c\r\n\r\n',
  '\u001b[2J\u001b]0;title\u0007',
  '\u202egnp.exe \u2066\u2069\u200b\u200d\ufeff',
  'Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334\u0319\u0324\u031e\u0349\u035a\u032f\u031e\u0320\u034dA',
  '\uffff\ufffe\ufdd0',
  '\u0001\u0002\u001f\u007f\u0080\u009f',
  '\u2028\u2029\u0085',
  '👩‍👩‍👧‍👦🏳️‍🌈',
  '\u{10ffff}\u{1f3f4}',
  'ﷺ'.repeat(200),
  "=cmd|' /C calc'!A0",
  '__proto__',
  'null',
  'undefined',
  'NaN',
  '-0',
  '[object Object]',
  ' ',
  '\t\n',
];

const DATA: readonly unknown[] = [
  null,
  true,
  0,
  -0.1,
  1e308,
  5e-324,
  2 ** 53,
  '',
  'text',
  [],
  {},
  [null, [null]],
  { '': { '': '' } },
  JSON.parse('{"__proto__":{"isAdmin":true}}'),
  JSON.parse('{"constructor":{"prototype":{"isAdmin":true}}}'),
  JSON.parse('{"toString":1,"valueOf":2,"toJSON":3,"then":4,"hasOwnProperty":5}'),
  { $where: 'sleep(1)', $gt: '' },
  { 'a b': 1, 'a\nb': 2, '💥': 3, '\u2028': 4 },
  { key: 1, Key: 2, KEY: 3 },
  { 1: 'a', 0: 'b', '-1': 'c', '1.5': 'd' },
  { type: 'next', id: '1', payload: {} },
  { sent: 'not an id', userId: 'x', user_id: 'y' },
  nested(63),
  Array.from({ length: 8000 }, () => 0),
  'é'.repeat(8191),
];

const WRONG_DATA: readonly unknown[] = [
  '\0',
  '\ud800',
  ['a', ['\0']],
  { '\0': 1 },
  { a: { '\udfff': 1 } },
  nested(65),
  nested(400),
  'x'.repeat(16_383),
  ASTRAL.repeat(4096),
  Array.from({ length: 8200 }, () => 0),
  { ['k'.repeat(17_000)]: 1 },
];

const LINKS: readonly string[] = [
  'javascript:alert(1)',
  'JAVASCRIPT:alert(1)',
  'java\tscript:alert(1)',
  '\u0000javascript:alert(1)',
  ' https://example.com',
  'https://example.com ',
  'https://exa mple.com',
  'data:text/html;base64,PHNjcmlwdD4=',
  'vbscript:x',
  'file:///etc/passwd',
  'ftp://example.com/',
  'blob:https://example.com/x',
  'view-source:https://example.com',
  'ws://example.com',
  '//example.com',
  '///example.com',
  '/\\example.com',
  '\\\\example.com',
  '/\t/example.com',
  '/\n',
  '/a b',
  'example.com',
  '#x',
  '?x',
  'https:example.com',
  'https:/example.com',
  'https://',
  'https://[',
  'https://[::1',
  'https://example.com:99999/',
  'https://%',
  'https:// ',
  '\u202ehttps://example.com',
  'https\u200b://example.com',
  'http\uff1a//example.com',
];

const GOOD_LINKS: readonly string[] = [
  '/',
  '/a?b=c#d',
  '/../..',
  '/%00',
  '/%2f%2fexample.com',
  '/javascript:alert(1)',
  'https://example.com/?q=<script>',
  'HTTPS://EXAMPLE.COM',
  'https://user:password@example.com/',
  'https://xn--e1afmkfd.xn--p1ai/é',
  'http://127.0.0.1:1/',
  'https://[::1]/',
];

const ahead = new Date(Date.now() + 3_600_000).toISOString();

const WRONG_TIMES: readonly unknown[] = [
  'tomorrow',
  '0',
  '2026',
  '2099-01-01',
  '2099-13-01T00:00:00Z',
  '2099-02-30T00:00:00Z',
  '2099-01-01T24:00:01Z',
  '2099-01-01T00:60:00Z',
  '2099-01-01T00:00:00',
  '2099-01-01T00:00:00+25:00',
  '2099-01-01T00:00:00Z; drop',
  '2099-01-01 00:00:00Z',
  '2099-01-01T00:00Z',
  '99999-01-01T00:00:00Z',
  '+275760-09-13T00:00:00.000Z',
  '-000001-01-01T00:00:00Z',
  'Thu, 01 Jan 2099 00:00:00 GMT',
  '２０９９-01-01T00:00:00Z',
  '2099-01-01T00:00:00Z\0',
  4_070_908_800,
  4_070_908_800_000,
  true,
  {},
  [ahead],
  '1970-01-01T00:00:00Z',
  '0000-01-01T00:00:00Z',
];

export const data: readonly Input[] = [
  ...TEXTS.flatMap((field) =>
    ['a\0', '\0', '\ud800', 'a\udc00b', '\udc00\ud800'].map((wrong) =>
      refused({ [field]: field === 'link' ? `/${wrong}` : wrong }),
    ),
  ),
  ...LENGTHS.flatMap(([field, most]) => ['x', 'é', ASTRAL].map((one) => refused({ [field]: one.repeat(most + 1) }))),
  refused({ title: 'x'.repeat(500_000) }),
  refused({ link: `/${'x'.repeat(2048)}` }),
  ...['title', 'content'].flatMap((field) => ['', ...NOT_TEXT].map((wrong) => refused({ [field]: wrong }))),
  ...['title', 'content', 'link', 'relatedType'].map((field) => refused({ [field]: 5 })),
  ...['title', 'content'].map((field) => refused({ [field]: undefined })),
  ...['link', 'relatedType', 'relatedId', 'recipientId'].flatMap((field) => [
    ...NOT_TEXT.slice(1).map((wrong) => refused({ [field]: wrong })),
    sends({ [field]: null }, 'OK'),
    sends({ [field]: '' }, byDoor('BAD_USER_INPUT', 'OK')),
  ]),
  sends({ relatedId: 5 }, byDoor('OK', 'BAD_USER_INPUT')),
  refused({ relatedId: 1.5 }),
  ...['type', 'priority', 'channel'].flatMap((field) => [
    ...['NEWS', '__proto__', 'constructor', 'toString', 'SYSTEM ', 'NORMAL\0', 1, true, {}, [[]]].map((wrong) =>
      refused({ [field]: wrong }),
    ),
    sends({ [field]: null }, 'OK'),
  ]),
  ...['EMAIL', 'SMS', 'WEBHOOK', 'WEB_PUSH'].map((channel) => refused({ channel })),
  refused({ channels: ['EMAIL'] }),
  refused({ channels: ['PIGEON'] }),
  refused({ addresses: [{ channel: 'SMS', address: '+1' }] }),
  refused({ channels: ['EMAIL'], addresses: [{ channel: 'EMAIL', address: '\0' }] }),
  ...LINKS.map((link) => refused({ link })),
  ...WRONG_DATA.map((wrong) => refused({ data: wrong })),
  ...WRONG_TIMES.flatMap((time) => [refused({ expiresAt: time }), refused({ sendAt: time })]),
  sends({ expiresAt: '' }, byDoor('BAD_USER_INPUT', 'OK')),
  sends({ sendAt: '' }, byDoor('BAD_USER_INPUT', 'OK')),
  refused({ sendAt: ahead, expiresAt: ahead }),
  ...TEXT.map((text) => stored({ title: text, content: text, relatedType: text.slice(0, 128) })),
  ...DATA.map((one) => stored({ data: one })),
  ...GOOD_LINKS.map((link) => stored({ link })),
  stored({ title: ASTRAL.repeat(200), content: ASTRAL.repeat(10_000) }),
  stored({ title: 'x' }, personOf('😀\u202e"\\\'%_;--')),
  stored({ title: 'x' }, personOf('x'.repeat(128), 'y'.repeat(128))),
  // The same key tells the same notification on every door, and the same conflict.
  sends({ idempotencyKey: 'parity', title: 'first' }, 'OK'),
  sends({ idempotencyKey: 'parity', title: 'second' }, 'CONFLICT'),
  sends({ idempotencyKey: 'parity', title: 'first', data: {} }, 'CONFLICT'),
  sends({ idempotencyKey: 'parity', title: 'first', link: '/' }, 'CONFLICT'),
  sends({ idempotencyKey: 'parity', title: 'first' }, 'OK', personOf('mallory', 'globex')),
  sends({ idempotencyKey: "'; --", title: 'quoted' }, 'OK'),
  sends({ idempotencyKey: 'é', title: 'beyond ASCII' }, 'OK'),
];
