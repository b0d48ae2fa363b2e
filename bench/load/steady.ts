import { setTimeout as delay } from 'node:timers/promises';
import { quantile } from '../statistics.ts';
import { closeAll } from './device.ts';
import type { Outcome, SteadyJob } from './jobs.ts';
import { Lane } from './lane.ts';
import { Ledger } from './ledger.ts';
import { connectDevices, graphqlRequest, namesOf } from './people.ts';
import { type Tell, deliveryFaults, reachAll } from './send.ts';
import { Sender, isGood } from './sender.ts';

/** Requests of a kind under way at once. */
const LANES = 16;
const SENDERS = 8;
const TICK_MS = 4;
const PAGE = '{ unreadCount notifications(first: 20) { nodes { id title isRead } } }';

/** Latencies are from the moment at which a send was due, so that those that wait for a lane are not left out. */
export async function runSteadily(job: SteadyJob, tell: Tell): Promise<Outcome> {
  const names = namesOf(job.users);
  const ledger = new Ledger();
  using senders = await Pool.of(LANES, (nth) =>
    Sender.open(job, `sender ${nth % SENDERS}`, nth % 2 === 0 ? 'graphql' : 'rest'),
  );
  using readers = await Pool.of(LANES, () => Lane.open(job.url, job.from));
  const heard = new Set<number>();
  const devices = await connectDevices(job, names, (index, frame) => {
    heard.add(index);
    ledger.deliver(index, frame);
  });
  using greeter = await Sender.open(job, 'greeter', 'graphql');
  await reachAll(greeter, names, heard);

  let refused = 0;
  const anybody = (): number => Math.floor(Math.random() * names.length);
  const send = async (): Promise<void> => {
    const recipient = anybody();
    const { number, title } = ledger.issue(recipient);
    await senders.use(async (sender) => {
      if (await sender.send(names[recipient]!, title)) ledger.acknowledge(number);
      else refused += 1;
    });
  };
  const read = (): Promise<void> =>
    readers.use(async (lane) => {
      if (!isGood(await lane.request(graphqlRequest(job, names[anybody()]!, PAGE)))) refused += 1;
    });
  const stopped = new AbortController();
  const working = [everySecond(job.rate, send, stopped.signal), everySecond(job.reads, read, stopped.signal)];

  await delay(job.warmupSeconds * 1000);
  await tell('begin');
  const before = ledger.deliveries;
  ledger.restart();
  await delay(job.seconds * 1000);
  const units = ledger.deliveries - before;
  const [p50Ms, p99Ms] = [quantile(ledger.latenciesMs, 0.5), quantile(ledger.latenciesMs, 0.99)];
  await tell('end');
  stopped.abort();
  await Promise.all(working);
  const faults = await deliveryFaults(ledger, devices);
  closeAll(devices);
  return { units, perSecond: units / job.seconds, p50Ms, p99Ms, faults: { ...faults, refused } };
}

/** Begins tasks at a rate until the signal; resolves when the last of them is over. */
async function everySecond(rate: number, begin: () => Promise<void>, signal: AbortSignal): Promise<void> {
  const underWay = new Set<Promise<void>>();
  const startedMs = performance.now();
  for (let count = 0; !signal.aborted; ) {
    for (const due = ((performance.now() - startedMs) / 1000) * rate; count < due; count += 1) {
      const task: Promise<void> = begin().finally(() => underWay.delete(task));
      underWay.add(task);
    }
    await delay(TICK_MS);
  }
  await Promise.all(underWay);
}

interface Shared extends Disposable {
  readonly isOpen: boolean;
}

/** What one task at a time may use, in turn; the others wait, in order. One that was closed meanwhile is opened anew. */
class Pool<T extends Shared> implements Disposable {
  readonly #open: () => Promise<T>;
  readonly #free: T[] = [];
  readonly #waiting: ((one: T) => void)[] = [];

  private constructor(open: () => Promise<T>) {
    this.#open = open;
  }

  static async of<T extends Shared>(size: number, open: (nth: number) => Promise<T>): Promise<Pool<T>> {
    let opened = 0;
    const pool = new Pool(() => open((opened += 1)));
    pool.#free.push(...(await Promise.all(Array.from({ length: size }, pool.#open))));
    return pool;
  }

  async use(task: (one: T) => Promise<void>): Promise<void> {
    const kept = this.#free.shift() ?? (await new Promise<T>((resolve) => this.#waiting.push(resolve)));
    const one = kept.isOpen ? kept : await this.#open();
    try {
      await task(one);
    } finally {
      const next = this.#waiting.shift();
      if (next) next(one);
      else this.#free.push(one);
    }
  }

  [Symbol.dispose](): void {
    for (const one of this.#free) one[Symbol.dispose]();
  }
}
