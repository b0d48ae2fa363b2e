import { type IncomingMessage, request } from 'node:http';
import { type WireResult, operationOf, takenFrom, words } from './client-graphql.ts';
import type { Dial } from './device.ts';

const CONNECT_MS = 4000;

/** Comments keep an idle stream alive every 12 s. */
const SILENCE_MS = 15_000;

/** Listens over `text/event-stream`. */
export const dialEventStream: Dial = (visit) => {
  const body = JSON.stringify(operationOf('event-stream', visit.after));
  let answer: IncomingMessage | undefined;
  let paused = false;
  const outgoing = request(`${visit.url}/graphql`, {
    method: 'POST',
    agent: false,
    headers: {
      accept: 'text/event-stream',
      authorization: `Bearer ${visit.inbox.token}`,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    },
  });
  outgoing.on('error', (error) => visit.ended(words(error)));
  outgoing.on('response', (response) => {
    answer = response;
    visit.heard();
    if (response.statusCode !== 200) {
      response.resume();
      visit.ended(`status ${response.statusCode}`);
      return;
    }
    let waiting = '';
    response.setEncoding('utf8').on('data', (text: string) => {
      visit.heard();
      const blocks = (waiting + text).split('\n\n');
      waiting = blocks.pop() ?? '';
      try {
        for (const block of blocks) readBlock(block);
      } catch (error) {
        visit.ended(words(error));
      }
    });
    response.on('error', (error) => visit.ended(words(error)));
    response.on('close', () => visit.ended('the stream ended'));
    if (paused) response.pause();
  });
  outgoing.end(body);

  function readBlock(block: string): void {
    const lines = block.split('\n');
    const value = (name: string): string | undefined =>
      lines.find((line) => line.startsWith(`${name}:`))?.slice(name.length + 1);
    if (value('event')?.trim() === 'complete') visit.ended('complete');
    else if (value('event')?.trim() === 'next') visit.taken(takenFrom(JSON.parse(value('data') ?? '') as WireResult));
  }

  return {
    get silenceMs() {
      return answer ? SILENCE_MS : CONNECT_MS;
    },
    ping() {},
    pause() {
      paused = true;
      answer?.pause();
    },
    resume() {
      paused = false;
      answer?.resume();
    },
    abort: () => outgoing.destroy(),
  };
};
