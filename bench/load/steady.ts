import { setTimeout as delay } from 'node:timers/promises';
import { quantile } from '../statistics.ts';
import { closeAll } from './device.ts';
import type { Outcome, SteadyJob } from './jobs.ts';
import { Lane } from './lane.ts';
import { Ledger } from './ledger.ts';
import { connectDevices, graphqlRequest, namesOf } from './people.ts';
import { type Tell, deliveryFaults, reachAll } from './send.ts';
import { Sender, isGood } from './sender.ts';

/** Requests under way at once: at the rates of such a load a free lane is always there, unless the server stands still. */
const LANES = 64;
const TICK_MS = 4;
const PAGE = '{ unreadCount notifications(first: 20) { nodes { id title isRead } } }';

/** Latencies are from the moment at which a send was due, so that those that wait for a lane are not left out. */
export async function runSteadily(job: SteadyJob, tell: Tell): Promise<Outcome> {
  const names = namesOf(job.users);
  const ledger = new Ledger();
  const senders = await Promise.all(
    Array.from({ length: LANES }, (_, lane) => Sender.open(job, `sender ${lane % 8}`, lane % 2 ? 'rest' : 'graphql')),
  );
  const readers = await Promise.all(Array.from({ length: LANES }, () => Lane.open(job.url, job.from)));
  const heard = new Set<number>();
  const devices = await connectDevices(job, names, (index, frame) => {
    heard.add(index);
    ledger.deliver(index, frame);
  });
  await reachAll(senders[0]!, names, heard);

  const freeSenders = new Pool(senders);
  const freeReaders = new Pool(readers);
  let refused = 0;
  const anybody = (): number => Math.floor(Math.random() * names.length);
  const send = async (): Promise<void> => {
    const recipient = anybody();
    const { number, title } = ledger.issue(recipient);
    await freeSenders.use(async (sender) => {
      if (await sender.send(names[recipient]!, title)) ledger.acknowledge(number);
    });
  };
  const read = (): Promise<void> =>
    freeReaders.use(async (lane) => {
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
  for (const sender of senders) refused += sender.refused;
  for (const owned of [...senders, ...readers]) owned[Symbol.dispose]();
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

/** What one task at a time may use; the others wait, in order. */
class Pool<T> {
  readonly #free: T[];
  readonly #waiting: ((one: T) => void)[] = [];

  constructor(all: readonly T[]) {
    this.#free = [...all];
  }

  async use(task: (one: T) => Promise<void>): Promise<void> {
    const one = this.#free.pop() ?? (await new Promise<T>((resolve) => this.#waiting.push(resolve)));
    try {
      await task(one);
    } finally {
      const next = this.#waiting.shift();
      if (next) next(one);
      else this.#free.push(one);
    }
  }
}
