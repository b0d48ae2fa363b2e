import type { ServerResponse } from 'node:http';
import type { GraphQLError } from 'graphql';
import type { DoorMeter } from '../../metrics/door-meter.ts';
import type { Subscription } from './operations.ts';
import { resultText } from './operations.ts';

/** Proxies end what stays silent for a minute, some for thirty seconds. */
const PING_INTERVAL_MS = 12_000;

const COMMENT = ':\n\n';

export interface EventStreamOptions {
  /** The reader's. */
  tenantId: string;
  meter: DoorMeter;
  /** Asked for an error once the events have ended; told what failed if something did. */
  lastWord: (failure?: unknown) => GraphQLError | undefined;
}

/**
 * Writes results as server-sent events, in the distinct connections mode of
 * https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md: `next` for each result, and `complete`.
 *
 * Asks for an event only when the one before it has been taken, so a reader that stalls makes the source wait. Resolves
 * when the response has ended or its socket is gone.
 */
export async function writeEventStream(
  { source, projection }: Subscription,
  response: ServerResponse,
  { tenantId, meter, lastWord }: EventStreamOptions,
): Promise<void> {
  response.writeHead(200, {
    'Content-Type': 'text/event-stream',
    'Cache-Control': 'no-cache',
    'X-Accel-Buffering': 'no',
  });
  // Some browsers tell the page that the stream is open only when something has come.
  response.write(COMMENT);
  const pings = setInterval(() => {
    if (!response.destroyed && !response.writableNeedDrain) response.write(COMMENT);
  }, PING_INTERVAL_MS);
  try {
    let failure: unknown;
    try {
      for await (const event of source) {
        const text = eventOf(await projection.render(event, tenantId));
        if (response.destroyed) {
          meter.lost();
          return;
        }
        const mayGoOn = response.write(text);
        meter.pushed(event);
        if (!mayGoOn) await drained(response);
        if (response.destroyed) return;
      }
    } catch (error) {
      failure = error;
    }
    if (response.destroyed) return;
    const error = lastWord(failure);
    if (error) response.write(eventOf(resultText({ errors: [error] })));
    response.end('event: complete\ndata:\n\n');
  } finally {
    clearInterval(pings);
  }
}

const eventOf = (json: string): string => `event: next\ndata: ${json}\n\n`;

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.once('drain', done);
    response.once('close', done);
  });
}
