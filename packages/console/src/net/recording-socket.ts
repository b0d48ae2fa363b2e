import type { Direction, FrameLog, Line, PaneId } from '../log/frames.ts';
import { type Reading, SocketTracker } from './socket-tracker.ts';

/** A WebSocket that tells the log what goes over it. */
export function recordingSocket(log: FrameLog, pane: PaneId, line: Line): typeof WebSocket {
  const add = (direction: Direction, text: string, reading: Reading): void =>
    log.add({ pane, line, direction, text, ...reading });
  return class RecordingSocket extends WebSocket {
    readonly #tracker = new SocketTracker();

    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols);
      add('note', `${this.url}${this.#protocols(protocols)}`, { type: 'connect' });
      this.addEventListener('message', ({ data }) => add('in', String(data), this.#tracker.received(String(data))));
      this.addEventListener('close', ({ code, reason }) => add('note', `${code} ${reason}`.trim(), { type: 'close' }));
    }

    override send(data: string): void {
      super.send(data);
      add('out', data, this.#tracker.sent(data));
    }

    #protocols(protocols: string | string[] = []): string {
      return [protocols]
        .flat()
        .map((name) => `\n${name}`)
        .join('');
    }
  };
}
