import type { ChildProcess } from 'node:child_process';
import cluster from 'node:cluster';
import { createInProcessTopics } from './in-process.ts';
import type { Topics } from './topics.ts';

/** One end of the channel between the primary and one of its workers. What is sent arrives in order, as JSON. */
export interface Channel {
  /** `sent` is called when the message has left this process, or never will. */
  readonly send: (message: object, sent: () => void) => void;
  readonly onMessage: (callback: (message: unknown) => void) => void;
}

/** The channel of a worker to its primary (`process`), or of the primary to a worker. */
export const channelOf = (end: NodeJS.Process | ChildProcess): Channel => ({
  send: (message, sent) => void (end as ChildProcess).send(message, () => sent()),
  onMessage: (callback) => void (end as ChildProcess).on('message', callback),
});

/** Topics of one instance without a broker: within the process, or, in a worker, among all workers of its primary. */
export function createInstanceTopics(workers: number): Topics {
  // Another program's cluster may have started this process: its primary knows nothing of topics.
  return workers > 1 && cluster.isWorker ? createWorkerTopics(channelOf(process)) : createInProcessTopics();
}

type ToPrimary =
  | readonly ['subscribe', id: number, topic: string]
  | readonly ['unsubscribe', topic: string]
  | readonly ['publish', topic: string, json: string]
  | readonly ['ping', id: number]
  /** Messages of this worker may not have reached the others. */
  | readonly ['lost'];

type ToWorker =
  /** What was asked with this id is done: everything that came before it, too. */
  | readonly ['done', id: number]
  | readonly ['message', topic: string, json: string]
  /** Messages to this worker may have been lost until now. */
  | readonly ['restored'];

/** What goes over the channel, beside the messages of others. */
interface Parcel<Entry> {
  readonly topics: readonly Entry[];
}

const PING_TIMEOUT_MS = 1000;

/** A peer that reads nothing must not cost memory without end: past that, doorbells for it are dropped. */
const MAX_WAITING_CHARACTERS = 16 * 1024 * 1024;

/** One direction of a channel: whatever comes in one turn of the event loop leaves as one message. */
class Outbox<Entry> {
  readonly #channel: Channel;
  /** What is said when messages were dropped and the peer reads again. */
  readonly #afterLoss: Entry;
  #entries: Entry[] = [];
  /** Characters of doorbells in `#entries`, and of those that the channel has taken but not sent yet. */
  #gathered = 0;
  #leaving = 0;
  #dropped = false;

  constructor(channel: Channel, afterLoss: Entry) {
    this.#channel = channel;
    this.#afterLoss = afterLoss;
  }

  push(entry: Entry): void {
    if (this.#entries.push(entry) === 1) setImmediate(() => this.#flush());
  }

  /** Like `push`, for a doorbell: one that the peer has no room for is dropped. */
  offer(entry: Entry, characters: number): void {
    if (this.#gathered + this.#leaving > MAX_WAITING_CHARACTERS) {
      this.#dropped = true;
      return;
    }
    this.#gathered += characters;
    this.push(entry);
  }

  #flush(): void {
    const [topics, characters] = [this.#entries, this.#gathered];
    [this.#entries, this.#gathered] = [[], 0];
    this.#leaving += characters;
    this.#channel.send({ topics } satisfies Parcel<Entry>, () => {
      this.#leaving -= characters;
      if (!this.#dropped || this.#leaving > 0) return;
      this.#dropped = false;
      this.push(this.#afterLoss);
    });
  }
}

/**
 * Topics among the workers of one primary, which passes messages on (`Exchange`). A worker hears its own messages at
 * once, without the primary. There is no outage to outlast: a worker ends with its primary.
 */
export function createWorkerTopics(channel: Channel): Topics {
  const local = createInProcessTopics();
  const outbox = new Outbox<ToPrimary>(channel, ['lost']);
  const restored = new Set<() => void>();
  const subscriptions = new Map<string, { holders: number; standing: Promise<void> }>();
  const asked = new Map<number, () => void>();
  let lastId = 0;
  let disposed = false;

  const ask = (question: (id: number) => ToPrimary): Promise<void> =>
    new Promise((resolve) => {
      lastId += 1;
      asked.set(lastId, resolve);
      outbox.push(question(lastId));
    });

  channel.onMessage((message) => {
    if (disposed) return;
    for (const entry of (message as Partial<Parcel<ToWorker>>).topics ?? []) {
      if (entry[0] === 'message') {
        local.publish(entry[1], JSON.parse(entry[2]));
      } else if (entry[0] === 'done') {
        asked.get(entry[1])?.();
        asked.delete(entry[1]);
      } else {
        for (const callback of restored) callback();
      }
    }
  });

  return {
    publish(topic, message) {
      local.publish(topic, message);
      const json = JSON.stringify(message);
      outbox.offer(['publish', topic, json], json.length);
    },
    async subscribe(topic, onMessage) {
      const leave = await local.subscribe(topic, onMessage);
      const subscription = subscriptions.get(topic) ?? {
        holders: 0,
        standing: ask((id) => ['subscribe', id, topic]),
      };
      subscriptions.set(topic, subscription);
      subscription.holders += 1;
      await subscription.standing;
      let left = false;
      return async () => {
        if (left) return;
        left = true;
        await leave();
        subscription.holders -= 1;
        if (subscription.holders > 0) return;
        subscriptions.delete(topic);
        outbox.push(['unsubscribe', topic]);
      };
    },
    onRestored(callback) {
      restored.add(callback);
    },
    async ping() {
      const { promise: late, reject } = Promise.withResolvers<void>();
      const timer = setTimeout(() => reject(new Error('the primary does not answer')), PING_TIMEOUT_MS);
      try {
        await Promise.race([ask((id) => ['ping', id]), late]);
      } finally {
        clearTimeout(timer);
      }
    },
    async [Symbol.asyncDispose]() {
      disposed = true;
      restored.clear();
      for (const done of asked.values()) done();
      asked.clear();
      await local[Symbol.asyncDispose]();
    },
  };
}

/**
 * The primary's part: knows which worker listens to which topics, and hands each message to exactly those, except the one
 * that it came from.
 */
export class Exchange {
  readonly #members = new Map<Channel, Outbox<ToWorker>>();
  readonly #topics = new Map<string, Set<Channel>>();

  /** Topics that some worker listens to at this moment. */
  get topicCount(): number {
    return this.#topics.size;
  }

  join(channel: Channel): void {
    this.#members.set(channel, new Outbox(channel, ['restored']));
    channel.onMessage((message) => {
      for (const entry of (message as Partial<Parcel<ToPrimary>>).topics ?? []) this.#receive(channel, entry);
    });
  }

  /** Forgets a worker that is gone, and tells the others that its last messages may be lost. */
  leave(channel: Channel): void {
    this.#members.delete(channel);
    for (const topic of this.#topics.keys()) this.#unsubscribe(channel, topic);
    this.tellRestored();
  }

  /** Calls `onRestored` in every worker, except the one that has lost nothing. */
  tellRestored(except?: Channel): void {
    for (const [channel, outbox] of this.#members) if (channel !== except) outbox.push(['restored']);
  }

  #receive(channel: Channel, entry: ToPrimary): void {
    const outbox = this.#members.get(channel);
    switch (entry[0]) {
      case 'publish':
        // A worker's last words count, even when it is gone by the time they are read.
        for (const reader of this.#topics.get(entry[1]) ?? []) {
          if (reader !== channel) this.#members.get(reader)?.offer(['message', entry[1], entry[2]], entry[2].length);
        }
        break;
      case 'subscribe':
        if (!outbox) break;
        this.#topics.set(entry[2], (this.#topics.get(entry[2]) ?? new Set()).add(channel));
        outbox.push(['done', entry[1]]);
        break;
      case 'unsubscribe':
        this.#unsubscribe(channel, entry[1]);
        break;
      case 'ping':
        outbox?.push(['done', entry[1]]);
        break;
      case 'lost':
        this.tellRestored(channel);
        break;
    }
  }

  #unsubscribe(channel: Channel, topic: string): void {
    const readers = this.#topics.get(topic);
    if (readers?.delete(channel) && readers.size === 0) this.#topics.delete(topic);
  }
}
