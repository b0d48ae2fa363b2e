import { setTimeout as delay } from 'node:timers/promises';
import { Lane, requestText } from '../bench/load/lane.ts';
import { bodies, documents, wide } from './documents.ts';
import { type Attack, type Attempt, type Target, bearer, dial, exchange, requestOf } from './target.ts';

const MIB = 2 ** 20;
let turn = 0;
const next = <T>(list: readonly T[]): T => list[(turn += 1) % list.length]!;

/** Requests that a client makes one after the other on connections that it keeps, as fast as they are answered. */
const kept = (width: number, textOf: (target: Target) => string): Attack => {
  const lanes: Lane[] = [];
  return {
    width,
    async attempt(target) {
      const free = lanes.pop();
      const lane = free?.isOpen ? free : await Lane.open(target.url);
      try {
        const { status } = await lane.request(textOf(target));
        lanes.push(lane);
        return String(status);
      } catch {
        lane[Symbol.dispose]();
        return 'cut off';
      }
    },
  };
};

const graphql =
  (bodyOf: () => { query: string; variables?: unknown }) =>
  (target: Target): string =>
    requestText('/graphql', { url: target.url, token: target.token, body: bodyOf() });

/** Writes so much of something at a time, until the server has enough or the run is over. */
const slowly =
  (begin: (target: Target) => string, drop: string): Attempt =>
  async (target, signal) => {
    const socket = dial(target);
    let answer = 'cut off';
    socket.on('data', (chunk: Buffer) => (answer = chunk.toString('latin1', 9, 12)));
    socket.write(begin(target));
    while (!socket.destroyed && !socket.readableEnded && !signal.aborted) {
      await delay(SLOW_MS, undefined, { signal }).catch(() => {});
      if (socket.writable) socket.write(drop);
    }
    socket.destroy();
    return signal.aborted && answer === 'cut off' ? 'held' : answer;
  };

const SLOW_MS = 500;

const SEND = 'mutation ($input: SendInput!) { send(input: $input) { id } }';
const LIST = `{ notifications(first: 100) { totalCount nodes {
  id cursor changeCursor title content data type priority isRead createdAt deliveries { id } } } }`;

const GARBAGE: readonly [string, string][] = [
  ['GET', `/api/v1/notifications?page=${'9'.repeat(400)}`],
  ['GET', `/api/v1/${'../'.repeat(200)}etc/passwd`],
  ['PUT', '/api/v1/notifications/%00%ff/read'],
  ['PATCH', '/api/v1/notifications'],
  ['DELETE', `/api/v1/notifications/${'x'.repeat(4000)}`],
  ['GET', '/api/v1/notifications?type=nothing&type=task&only_unread=perhaps'],
  ['POST', '/api/v1/notifications/read'],
  ['GET', '/nowhere'],
];

const RAW: readonly string[] = [
  'GET / HTTP/9.9\r\n\r\n',
  '\u0016\u0003\u0001\u0002\u0000'.repeat(20),
  `GET / HTTP/1.1\r\nhost: a\r\n${'x: y\r\n'.repeat(3000)}\r\n`,
  `GET /${'a'.repeat(20_000)} HTTP/1.1\r\nhost: a\r\n\r\n`,
  'POST /graphql HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
  'POST /graphql HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
];

export const httpAttacks: Readonly<Record<string, Attack>> = {
  'floods of logins': kept(16, (target) => {
    const body = { username: `user ${(turn += 1)}`, password: 'x'.repeat(100), tenant_id: 'bench' };
    return requestText('/api/v1/auth/login', { url: target.url, token: '', body });
  }),
  'bad tokens': kept(8, ({ url, token }) => {
    const forged = `${token.slice(0, -6)}${(turn += 1) % 1e6}`;
    return requestText('/graphql', { url, token: forged, body: { query: '{ unreadCount }' } });
  }),
  'documents that are too large': kept(
    8,
    graphql(() => ({ query: next(documents)() })),
  ),
  'invalid JSON': {
    width: 8,
    attempt: (target) => exchange(target, requestOf(target, { head: bearer(target), body: next(bodies) })),
  },
  'bodies up to the limit': {
    width: 4,
    attempt: (target) =>
      exchange(target, requestOf(target, { head: bearer(target), body: wide(next([MIB, MIB / 2])) })),
  },
  'bodies past the limit': {
    width: 4,
    attempt: (target) =>
      exchange(target, requestOf(target, { head: bearer(target), body: wide(next([2 * MIB, 8 * MIB])) })),
  },
  'headers that never end': {
    width: 200,
    attempt: slowly(({ url }) => `POST /graphql HTTP/1.1\r\nhost: ${new URL(url).host}\r\n`, 'x-a: b\r\n'),
  },
  'bodies that never end': {
    width: 200,
    attempt: slowly((target) => requestOf(target, { head: bearer(target), body: wide(100_000) }).slice(0, 500), '{'),
  },
  'garbage to REST': kept(8, ({ url, token }) => {
    const [method, path] = next(GARBAGE);
    return requestText(path, { url, token }).replace('GET', method);
  }),
  'garbage instead of HTTP': { width: 4, attempt: (target) => exchange(target, next(RAW)) },
  'sends at full speed': kept(
    32,
    graphql(() => ({ query: SEND, variables: { input: { title: 'Hostile', content: 'x'.repeat(2000) } } })),
  ),
  'lists of a large inbox': kept(
    8,
    graphql(() => ({ query: LIST })),
  ),
};
