import type { Channel } from '../../src/pubsub/workers.ts';

/** One direction of a channel. */
export interface Lane {
  /** What went over it, as it arrived; the newest last. */
  readonly delivered: unknown[];
  /** From now on nothing arrives, as with a process that does not read. */
  hold(): void;
  /** What was held arrives, and whatever comes after. */
  release(): void;
}

export interface ChannelPair {
  readonly ofPrimary: Channel;
  readonly ofWorker: Channel;
  readonly toPrimary: Lane;
  readonly toWorker: Lane;
}

/** Two ends of a channel like that of Node: in order, as JSON, and never in the turn in which it was sent. */
export function createChannelPair(): ChannelPair {
  const [toPrimary, toWorker] = [createLane(), createLane()];
  return {
    ofPrimary: { send: toWorker.send, onMessage: toPrimary.onMessage },
    ofWorker: { send: toPrimary.send, onMessage: toWorker.onMessage },
    toPrimary,
    toWorker,
  };
}

function createLane(): Lane & Channel {
  const queue: { json: string; sent: () => void }[] = [];
  const callbacks: ((message: unknown) => void)[] = [];
  const delivered: unknown[] = [];
  let held = false;
  const deliver = () => {
    if (held) return;
    for (const { json, sent } of queue.splice(0)) {
      const message: unknown = JSON.parse(json);
      delivered.push(message);
      sent();
      for (const callback of callbacks) callback(message);
    }
  };
  return {
    delivered,
    send(message, sent) {
      queue.push({ json: JSON.stringify(message), sent });
      setImmediate(deliver);
    },
    onMessage: (callback) => void callbacks.push(callback),
    hold() {
      held = true;
    },
    release() {
      held = false;
      setImmediate(deliver);
    },
  };
}
