import { setTimeout as delay } from 'node:timers/promises';
import { quantile } from '../statistics.ts';
import { type Device, closeAll } from './device.ts';
import type { Faults, Moment, Outcome, SendJob } from './jobs.ts';
import { Lane } from './lane.ts';
import { Ledger } from './ledger.ts';
import { connectDevices, graphqlRequest, namesOf } from './people.ts';
import { Sender, isGood } from './sender.ts';

export type Tell = (moment: Moment) => Promise<void>;

const PROBES = 20;
const PROBE_MS = 500;
const LOOK_AGAIN_MS = 5;

/** @see SendJob */
export async function runSends(job: SendJob, tell: Tell): Promise<Outcome> {
  const names = namesOf(job.recipients);
  const ledger = new Ledger();
  const senders = await Promise.all(
    Array.from({ length: job.lanes }, (_, lane) => Sender.open(job, `sender ${lane}`, job.door)),
  );
  const storedBefore = job.online ? 0 : await countStored(job, names);
  const heard = new Set<number>();
  const devices = job.online
    ? await connectDevices(job, names, (index, frame) => {
        heard.add(index);
        ledger.deliver(index, frame);
      })
    : [];
  if (job.online) await reachAll(senders[0]!, names, heard);

  const answersMs: number[] = [];
  const stopped = new AbortController();
  let acknowledged = 0;
  const working = senders.map(async (sender) => {
    while (!stopped.signal.aborted && sender.refused < 10) {
      const recipient = Math.floor(Math.random() * names.length);
      const { number, title } = ledger.issue(recipient);
      const startedMs = performance.now();
      if (!(await sender.send(names[recipient]!, title))) continue;
      ledger.acknowledge(number);
      acknowledged += 1;
      answersMs.push(performance.now() - startedMs);
    }
  });

  await delay(job.warmupSeconds * 1000);
  await tell('begin');
  const startedMs = performance.now();
  const before = { acknowledged, deliveries: ledger.deliveries };
  answersMs.length = 0;
  ledger.restart();
  await delay(job.seconds * 1000);
  stopped.abort();
  const units = job.online ? ledger.deliveries - before.deliveries : acknowledged - before.acknowledged;
  const seconds = (performance.now() - startedMs) / 1000;
  await tell('end');
  await Promise.all(working);

  const latenciesMs = job.online ? ledger.latenciesMs : answersMs;
  const [p50Ms, p99Ms] = [quantile(latenciesMs, 0.5), quantile(latenciesMs, 0.99)];
  const refused = senders.reduce((total, sender) => total + sender.refused, 0);
  const faults = job.online
    ? await deliveryFaults(ledger, devices)
    : storageFaults(acknowledged, (await countStored(job, names)) - storedBefore);
  for (const owned of senders) owned[Symbol.dispose]();
  closeAll(devices);
  return { units, perSecond: units / seconds, p50Ms, p99Ms, faults: { ...faults, refused } };
}

/** Nothing tells when a subscription stands: sends to each recipient until something comes. */
export async function reachAll(sender: Sender, names: readonly string[], heard: ReadonlySet<number>): Promise<void> {
  for (let probe = 0; probe < PROBES; probe += 1) {
    const silent = names.filter((_, index) => !heard.has(index));
    if (silent.length === 0) return;
    for (const name of new Set(silent)) await sender.send(name, 'Are you there?');
    for (let waitedMs = 0; waitedMs < PROBE_MS && heard.size < names.length; waitedMs += LOOK_AGAIN_MS) {
      await delay(LOOK_AGAIN_MS);
    }
  }
  throw new Error(`${names.length - heard.size} of ${names.length} devices hear nothing`);
}

export type Balance = Pick<Faults, 'lost' | 'duplicated' | 'misdirected'>;

export async function deliveryFaults(ledger: Ledger, devices: readonly Device[]): Promise<Balance> {
  await ledger.settle();
  const dropped = devices.filter(({ lost }) => lost).length;
  if (dropped > 0) throw new Error(`the server ended ${dropped} connections`);
  return ledger.faults();
}

/** Nobody else sends to these users, and none of them reads. */
function storageFaults(acknowledged: number, stored: number): Balance {
  const missing = acknowledged - stored;
  return { lost: Math.max(0, missing), duplicated: Math.max(0, -missing), misdirected: 0 };
}

async function countStored(job: SendJob, names: readonly string[]): Promise<number> {
  using lane = await Lane.open(job.url);
  let stored = 0;
  for (const name of names) {
    const answer = await lane.request(graphqlRequest(job, name, '{ unreadCount }'));
    if (!isGood(answer)) throw new Error(`unread count: ${answer.body.toString()}`);
    stored += (JSON.parse(answer.body.toString()) as { data: { unreadCount: number } }).data.unreadCount;
  }
  return stored;
}
