import { once } from 'node:events';
import type { Socket } from 'node:net';
import { GRAPHQL_TRANSPORT_WS_PROTOCOL } from 'graphql-ws';
import { frame, openRaw } from '../../support/socket-client.ts';
import type { Carrier, Door, Heard, Input, Verdict } from '../input.ts';
import { type Stage, mallory } from '../stage.ts';

const PING = '{"type":"ping"}';
const masked = (bytes: Buffer, mask: Buffer): Buffer =>
  Buffer.from(bytes.map((byte, at) => byte ^ (mask[at % 4] ?? 0)));
const fin = (opcode: number): number => 0x80 | opcode;
const close = (code: number, reason: string | Buffer = ''): Buffer =>
  frame(Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason)]), { first: 0x88 });

/** A frame whose length is written in so many bytes, whether it needs them or not. */
function long(payload: string | Buffer, { bytes, first = 0x81 }: { bytes: 2 | 8; first?: number }): Buffer {
  const body = Buffer.from(payload);
  const head = Buffer.alloc(2 + bytes);
  head[0] = first;
  head[1] = 0x80 | (bytes === 2 ? 126 : 127);
  if (bytes === 2) head.writeUInt16BE(body.length, 2);
  else head.writeBigUInt64BE(BigInt(body.length), 2);
  return Buffer.concat([head, Buffer.alloc(4), body]);
}

const open: Record<'graphql_ws' | 'legacy_ws', (stage: Stage) => Promise<Socket>> = {
  graphql_ws: ({ app }) =>
    openRaw(app.graphqlSocketUrl, { headers: { 'sec-websocket-protocol': GRAPHQL_TRANSPORT_WS_PROTOCOL } }),
  legacy_ws: ({ app }) => openRaw(app.legacySocketUrl(), { token: mallory.token }),
};

/** Frames of a server: whole, not masked. What is no frame of ours is passed over. */
function* framesIn(bytes: Buffer): Generator<{ opcode: number; body: Buffer }> {
  for (let at = 0; at + 2 <= bytes.length; ) {
    const short = (bytes[at + 1] ?? 0) & 0x7f;
    const head = short === 126 ? 4 : 2;
    const length = short === 126 ? bytes.readUInt16BE(at + 2) : short;
    if (at + head + length > bytes.length) return;
    yield { opcode: (bytes[at] ?? 0) & 0x0f, body: bytes.subarray(at + head, at + head + length) };
    at += head + length;
  }
}

/** Writes bytes and a ping after them: it is answered, or the socket is closed with a code, or without (1006). */
const written =
  (door: 'graphql_ws' | 'legacy_ws', bytes: Buffer): Carrier =>
  async (stage): Promise<Heard> => {
    const socket = await open[door](stage);
    let received = Buffer.alloc(0);
    const over = once(socket, 'close');
    socket.write(bytes);
    socket.write(frame('still here', { first: fin(9) }));
    const verdictSoFar = (): Verdict | undefined => {
      for (const { opcode, body } of framesIn(received)) {
        if (opcode === 8) return body.length < 2 ? '1005' : `${body.readUInt16BE(0)}`;
        if (opcode === 10 && body.toString() === 'still here') return 'OK';
      }
      return undefined;
    };
    const heard = new Promise<Verdict>((resolve) => {
      socket.on('data', (chunk: Buffer) => {
        received = Buffer.concat([received, chunk]);
        const verdict = verdictSoFar();
        if (verdict) resolve(verdict);
      });
      socket.on('close', () => resolve(verdictSoFar() ?? '1006'));
    });
    const verdict = await heard;
    socket.destroy();
    await over;
    return { verdict, text: received.toString('latin1') };
  };

const utf8 = (...bytes: number[]): Buffer => frame(Buffer.from([0x22, ...bytes, 0x22]));

const broken: [string, Buffer, Verdict][] = [
  ['text that is not masked', frame(PING, { masked: false }), '1002'],
  ['a ping that is not masked', frame('x', { first: fin(9), masked: false }), '1002'],
  ['a close that is not masked', frame('', { first: fin(8), masked: false }), '1002'],
  ...[1, 2, 3, 4, 5, 6, 7].map((rsv): [string, Buffer, Verdict] => [
    `reserved bits ${rsv}`,
    frame(PING, { first: 0x81 | (rsv << 4) }),
    '1002',
  ]),
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode): [string, Buffer, Verdict] => [
    `opcode ${opcode}`,
    frame('x', { first: fin(opcode) }),
    '1002',
  ]),
  ['a compressed ping', frame('x', { first: fin(9) | 0x40 }), '1002'],
  ['a continuation of nothing', frame('x', { first: fin(0) }), '1002'],
  ['a first part that continues nothing', frame('x', { first: 0 }), '1002'],
  ['a text within a text', Buffer.concat([frame('"a', { first: 1 }), frame(PING)]), '1002'],
  ['bytes within a text', Buffer.concat([frame('"a', { first: 1 }), frame('b', { first: fin(2) })]), '1002'],
  [
    'a continuation too many',
    Buffer.concat([frame(PING, { first: 1 }), frame('', { first: fin(0) }), frame('x', { first: fin(0) })]),
    '1002',
  ],
  ['a ping in parts', frame('x', { first: 9 }), '1002'],
  ['a pong in parts', frame('x', { first: 10 }), '1002'],
  ['a close in parts', frame('', { first: 8 }), '1002'],
  ['a ping of 126 bytes', long('x'.repeat(126), { bytes: 2, first: fin(9) }), '1002'],
  ['a pong of 200 bytes', long('x'.repeat(200), { bytes: 2, first: fin(10) }), '1002'],
  ['a close of 126 bytes', long('x'.repeat(126), { bytes: 2, first: fin(8) }), '1002'],
  ['a ping whose length is eight bytes', long('x', { bytes: 8, first: fin(9) }), '1002'],
  ['a close of one byte', frame('x', { first: fin(8) }), '1002'],
  ...[0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535].map(
    (code): [string, Buffer, Verdict] => [`a close with ${code}`, close(code), '1002'],
  ),
  ['a close whose reason is not UTF-8', close(1000, Buffer.from([0xff])), '1007'],
  ['a lone continuation byte', utf8(0x80), '1007'],
  ['an overlong slash', utf8(0xc0, 0xaf), '1007'],
  ['an overlong NUL', utf8(0xc0, 0x80), '1007'],
  ['a lone high surrogate', utf8(0xed, 0xa0, 0x80), '1007'],
  ['a pair of surrogates', utf8(0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80), '1007'],
  ['a character beyond Unicode', utf8(0xf4, 0x90, 0x80, 0x80), '1007'],
  ['five bytes for one character', utf8(0xf8, 0x88, 0x80, 0x80, 0x80), '1007'],
  ['0xff', utf8(0xff), '1007'],
  ['a character cut off', frame(Buffer.from([0x22, 0xe2, 0x82])), '1007'],
  ['Latin-1', frame(Buffer.from('"é"', 'latin1')), '1007'],
  ['a length of 2^63', Buffer.from([0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), '1009'],
  ['a length of 2^53', Buffer.from([0x81, 0xff, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), '1009'],
  ['a length of 4 GiB', Buffer.from([0x81, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]), '1009'],
  ['a message one byte too long', long('x'.repeat(1_048_577), { bytes: 8 }), '1009'],
  [
    'a message too long by its last part',
    Buffer.concat([long('x'.repeat(1_048_576), { bytes: 8, first: 1 }), frame('x', { first: fin(0) })]),
    '1009',
  ],
  ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'), '1002'],
  ['TLS', Buffer.from('16030100a5010000a10303', 'hex'), '1002'],
  ['the preface of HTTP/2', Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), '1002'],
  // Whoever has so many pings answered at once is up to no good: the library cuts it off without a word.
  ['a thousand pings at once', Buffer.concat(Array<Buffer>(1000).fill(frame('x', { first: fin(9) }))), '1006'],
  ['ones', Buffer.alloc(1000, 0xff), '1002'],
  ['zeros', Buffer.alloc(1000), '1002'],
];

/** What is unusual and allowed. */
const allowed: [string, Buffer][] = [
  ['a pong that nobody asked for', frame('x', { first: fin(10) })],
  ['a ping of 125 bytes', frame('x'.repeat(125), { first: fin(9) })],
  ['an empty ping', frame('', { first: fin(9) })],
  ['five pings at once', Buffer.concat(Array<Buffer>(5).fill(frame('x', { first: fin(9) })))],
  [
    'a mask that is not zero',
    Buffer.concat([Buffer.from([0x8a, 0x81, 1, 2, 3, 4]), masked(Buffer.from('x'), Buffer.from([1, 2, 3, 4]))]),
  ],
  [
    'a ping between two parts',
    Buffer.concat([
      frame('{"type":', { first: 1 }),
      frame('x', { first: fin(9) }),
      frame('"ping"}', { first: fin(0) }),
    ]),
  ],
  ['a length in more bytes than it needs', long(PING, { bytes: 8 })],
  [
    'a text in parts of one byte',
    Buffer.concat([
      frame('', { first: 1 }),
      ...PING.split('').map((one) => frame(one, { first: 0 })),
      frame('', { first: fin(0) }),
    ]),
  ],
  ['a part that is never ended', frame('{"type":', { first: 1 })],
  ['a head that is never ended', Buffer.concat([frame(PING), Buffer.alloc(0)])],
];

const framed = (name: string, bytes: Buffer, verdict: Verdict | Partial<Record<Door, Verdict>>): Input => ({
  name,
  verdict,
  on: { graphql_ws: written('graphql_ws', bytes), legacy_ws: written('legacy_ws', bytes) },
});

export const frames: readonly Input[] = [
  ...broken.map(([name, bytes, verdict]) => framed(name, bytes, verdict)),
  ...allowed.map(([name, bytes]) => framed(name, bytes, 'OK')),
  // What the old module cannot say is answered there; the other protocol has no word for a refusal outside an operation.
  framed('a binary message', frame(PING, { first: fin(2) }), { graphql_ws: '1003', legacy_ws: 'OK' }),
  framed('a message of no bytes', frame(''), { graphql_ws: '4400', legacy_ws: 'OK' }),
  framed('a close and a message after it', Buffer.concat([close(1000), frame(PING)]), '1000'),
  framed('a close without a code', frame('', { first: fin(8) }), '1005'),
  framed('a close of a code of ones own', close(4999, 'bye'), '4999'),
];
