import { setTimeout as delay } from 'node:timers/promises';
import { BEGINNING } from '../torture/population.ts';
import { frame } from '../tests/support/socket-client.ts';
import { bodies } from './documents.ts';
import { type Attack, type Attempt, closingOf, openSocket } from './target.ts';

const DEEP = 20_000;
const LISTS = '['.repeat(DEEP) + ']'.repeat(DEEP);
const PATIENCE_MS = 4000;
const HOLD_MS = 20_000;

let turn = 0;
const next = <T>(list: readonly T[]): T => list[(turn += 1) % list.length]!;

const subscribe = (
  id: string,
  query = 'subscription ($a: String) { inboxChanged(after: $a) { __typename } }',
): Buffer => frame(JSON.stringify({ id, type: 'subscribe', payload: { query, variables: { a: BEGINNING } } }));

/** Frames that no client may send, and messages that mean nothing. */
const FRAMES: readonly Buffer[] = [
  frame('{"type":"ping"}', { masked: false }),
  frame('{"type":"ping"}', { first: 0x81 | 0x70 }),
  frame('x', { first: 0x80 | 3 }),
  frame('x', { first: 0x80 | 15 }),
  frame('x', { first: 0x80 }),
  frame('x', { first: 9 }),
  Buffer.concat([frame('"a', { first: 1 }), frame('{"type":"ping"}')]),
  frame(Buffer.from([0x22, 0xc0, 0x80, 0x22])),
  frame(Buffer.alloc(100, 0xff)),
  frame(Buffer.from([0x03, 0xe7]), { first: 0x88 }),
  Buffer.from([0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]),
  frame('x'.repeat(60_000)),
  ...bodies.filter(({ length }) => length < 60_000).map((text) => frame(text)),
  frame('{"type":"nothing"}'),
  frame('{"id":1,"type":"subscribe","payload":null}'),
];

/** Opens, writes, and sees what it is closed with. */
const writing =
  (door: 'graphql' | 'legacy', bytes: () => Buffer, patienceMs = PATIENCE_MS): Attempt =>
  async (target) => {
    const socket = await openSocket(target, { door });
    if (typeof socket === 'string') return socket;
    socket.write(bytes());
    return closingOf(socket, patienceMs);
  };

/** Subscribes to all that there ever was in its large inbox, and reads nothing of it. */
const neverReading =
  (door: 'graphql' | 'legacy'): Attempt =>
  async (target, signal) => {
    const socket = await openSocket(target, { door });
    if (typeof socket === 'string') return socket;
    socket.pause();
    if (door === 'graphql') for (let id = 0; id < 20; id += 1) socket.write(subscribe(`s${id}`));
    const { promise, resolve } = Promise.withResolvers<string>();
    socket.once('close', () => resolve('cut off'));
    const held = delay(HOLD_MS, 'held', { signal }).catch(() => 'held');
    const outcome = await Promise.race([promise, held]);
    socket.destroy();
    return outcome;
  };

export const socketAttacks: Readonly<Record<string, Attack>> = {
  'sockets that say nothing': {
    width: 100,
    async attempt(target) {
      const socket = await openSocket(target, { door: 'graphql', init: false });
      return typeof socket === 'string' ? socket : closingOf(socket, HOLD_MS);
    },
  },
  'storms of subscriptions': {
    width: 4,
    attempt: writing('graphql', () => Buffer.concat(Array.from({ length: 300 }, (_, id) => subscribe(`s${id}`)))),
  },
  'one subscription twice': {
    width: 4,
    attempt: writing('graphql', () => Buffer.concat([subscribe('s'), subscribe('s')])),
  },
  'bad frames to GraphQL': { width: 4, attempt: writing('graphql', () => next(FRAMES), 200) },
  'bad frames to the raw socket': { width: 4, attempt: writing('legacy', () => next(FRAMES), 200) },
  'pings with deep payloads': {
    width: 4,
    attempt: writing('graphql', () => frame(`{"type":"ping","payload":${LISTS}}`)),
  },
  'pings without an end': {
    width: 2,
    attempt: writing('graphql', () => {
      const ping = frame(`{"type":"ping","payload":{"a":"${'x'.repeat(100)}"}}`);
      return Buffer.concat(Array.from({ length: 2000 }, () => ping));
    }),
  },
  'readers that never read': { width: 10, attempt: neverReading('graphql') },
  'readers of the raw socket that never read': { width: 10, attempt: neverReading('legacy') },
  'storms of connections': {
    width: 16,
    async attempt(target) {
      const socket = await openSocket(target, { door: next(['graphql', 'legacy']) });
      if (typeof socket === 'string') return socket;
      socket.write(subscribe('s'));
      socket.destroy();
      return 'opened';
    },
  },
};
