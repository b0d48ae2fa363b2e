import type { Carrier, Door, Input, Verdict } from '../input.ts';
import { type Sent, raw } from '../raw.ts';
import { mallory } from '../stage.ts';

const REST = '/api/v1/notifications';
const bad = 'BAD_USER_INPUT';
const SOCKETS: [Door, string][] = [
  ['graphql_ws', '/graphql'],
  ['legacy_ws', `${REST}/ws`],
];
const KEY = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==';
const VERSION = 'Sec-WebSocket-Version: 13';

/** An upgrade that must be refused. */
function upgrade(name: string, sent: Sent, verdict: Verdict): Input {
  const on: Partial<Record<Door, Carrier>> = {};
  const headers = [
    `Authorization: Bearer ${mallory.token}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    ...(sent.headers ?? [KEY, VERSION]),
  ];
  for (const [door, path] of SOCKETS) {
    on[door] = raw({ method: 'GET', path, isPlain: true, hasLength: false }, { ...sent, headers });
  }
  return { name: `upgrade with ${name}`, verdict, on };
}

const ORIGINS = [
  'https://evil.example',
  'null',
  '',
  'http://localhost.evil.example',
  'http://evil.example#localhost',
  'http://localhost:1',
  'file://localhost',
  'javascript://localhost',
  'http://evil.example\\@localhost',
  'localhost',
  '*',
];

export const upgrades: readonly Input[] = [
  ...ORIGINS.map((origin) =>
    upgrade(`the origin ${origin}`, { headers: [KEY, VERSION, `Origin: ${origin}`] }, 'FORBIDDEN'),
  ),
  upgrade('no key', { headers: [VERSION] }, bad),
  upgrade('a key that is too short', { headers: ['Sec-WebSocket-Key: eA==', VERSION] }, bad),
  upgrade('a key that is no base64', { headers: ['Sec-WebSocket-Key: ????????????????????????', VERSION] }, bad),
  upgrade('two keys', { headers: [KEY, KEY, VERSION] }, bad),
  upgrade('no version', { headers: [KEY] }, bad),
  upgrade('version 7', { headers: [KEY, 'Sec-WebSocket-Version: 7'] }, bad),
  upgrade('version 99', { headers: [KEY, 'Sec-WebSocket-Version: 99'] }, bad),
  upgrade('POST', { method: 'POST' }, 'METHOD_NOT_ALLOWED'),
  upgrade('an empty sub-protocol', { headers: [KEY, VERSION, 'Sec-WebSocket-Protocol: '] }, bad),
  upgrade('a sub-protocol twice', { headers: [KEY, VERSION, 'Sec-WebSocket-Protocol: a, a'] }, bad),
  upgrade('a sub-protocol with a space', { headers: [KEY, VERSION, 'Sec-WebSocket-Protocol: a b'] }, bad),
  ...[
    '/graphql/',
    '/GraphQL',
    '/graphql/ws',
    '/subscriptions',
    `${REST}/ws/`,
    '//graphql',
    '/',
    '/api/v1/notifications',
    '/%67raphql',
  ].map(
    (path): Input => ({
      name: `upgrade at ${path}`,
      verdict: 'NOT_FOUND',
      on: {
        graphql_ws: raw(
          {},
          {
            method: 'GET',
            path,
            isPlain: true,
            hasLength: false,
            headers: ['Connection: Upgrade', 'Upgrade: websocket', KEY, VERSION],
          },
        ),
      },
    }),
  ),
];
