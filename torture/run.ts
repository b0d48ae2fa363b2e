import { setTimeout as delay } from 'node:timers/promises';
import { type Cluster, type Node, startCluster } from './cluster.ts';
import { Device } from './device.ts';
import { dials } from './dials.ts';
import type { FaultName } from './faults.ts';
import { Ledger } from './ledger.ts';
import { Load } from './load.ts';
import { Owners } from './owners.ts';
import { type Inbox, createInboxes, placeDevices } from './population.ts';
import { Random } from './random.ts';
import { type Report, createReport } from './report.ts';
import { Caller } from './request.ts';
import { Senders } from './senders.ts';
import { settle, topicsLeft } from './settle.ts';
import { storm } from './storm.ts';
import { readTable, withDatabase } from './table.ts';
import { judge } from './verdict.ts';

export interface TortureOptions {
  seed: number;
  /** How long faults are made. */
  durationMs: number;
  clients: number;
  /** Sends a second. */
  rate: number;
  /** Mean time from one fault to the next. */
  everyMs: number;
  kinds: readonly FaultName[];
  /** Keeps the logs of the servers, whatever the outcome. */
  keepsLogs: boolean;
  /** Ends the faults early; the verdict is still given. */
  signal: AbortSignal;
  onProgress: (progress: Progress) => void;
}

/** Where a run stands. */
export interface Progress {
  phase: 'starting' | 'storm' | 'settling' | 'judging';
  elapsedMs: number;
  lastFault: FaultName | undefined;
  faultCount: number;
  sends: number;
  deliveries: number;
}

/** Owners act this often for each send. */
const ACTS_PER_SEND = 0.3;

const PROGRESS_EVERY_MS = 500;

const LAST_LOSS_MS = 2000;

/** Starts everything, makes faults under load, heals, waits until every device has caught up, and judges. */
export async function torture(options: TortureOptions): Promise<Report> {
  const { seed, durationMs, clients, rate, everyMs, kinds, signal, onProgress } = options;
  const random = new Random(seed);
  const inboxes = createInboxes(clients);
  const ledger = new Ledger();
  const faults = new Map<FaultName, number>();
  const progress: Progress = {
    phase: 'starting',
    elapsedMs: 0,
    lastFault: undefined,
    faultCount: 0,
    sends: 0,
    deliveries: 0,
  };
  onProgress(progress);
  await using cluster = await startCluster();
  using caller = new Caller();
  const urls = cluster.nodes.map(({ url }) => url);
  const devices = createDevices(inboxes, clients, urls, random);
  const senders = new Senders({ caller, ledger, inboxes, urls, random: random.fork() });
  const owners = new Owners({ caller, ledger, inboxes, urls, random: random.fork() });

  const started = performance.now();
  const tell = setInterval(() => {
    progress.elapsedMs = performance.now() - started;
    progress.sends = ledger.sends.size;
    progress.deliveries = devices.reduce((sum, { taken }) => sum + taken.length, 0);
    onProgress(progress);
  }, PROGRESS_EVERY_MS);
  const leaving = new AbortController();
  const listening = Promise.all(devices.map((device) => device.run(leaving.signal)));
  try {
    progress.phase = 'storm';
    const ended = AbortSignal.any([signal, AbortSignal.timeout(durationMs)]);
    const load = new Load();
    const silence = new AbortController();
    const raging = storm(
      { cluster, devices, senders, random: random.fork(), signal: ended },
      { everyMs, kinds },
      (name) => {
        faults.set(name, (faults.get(name) ?? 0) + 1);
        progress.faultCount += 1;
        progress.lastFault = name;
      },
    );
    await Promise.all([
      load.run(rate, () => senders.any(), silence.signal),
      load.run(rate * ACTS_PER_SEND, () => owners.any(), silence.signal),
      raging.then(() => loseLastPublished(random.pick(cluster.nodes))).finally(() => silence.abort()),
    ]);
    const stormMs = performance.now() - started;
    progress.phase = 'settling';
    cluster.heal();
    const laggards = await settle({ cluster, devices, inboxes, senders, load, caller });
    progress.phase = 'judging';
    leaving.abort();
    await listening;
    const leaks = await topicsLeft(cluster);
    const table = await withDatabase(cluster.databaseUrl, readTable);
    const verdict = judge(ledger, table, devices);
    for (const laggard of laggards) verdict.add('lost', laggard);
    const instances = cluster.nodes.map(({ instance }) => instance);
    const report = createReport({ options, stormMs, ledger, devices, faults, instances, leaks, verdict });
    if (report.exitCode !== 0 || options.keepsLogs) keepLogs(cluster, report);
    return report;
  } finally {
    clearInterval(tell);
    leaving.abort();
    await listening;
    // A last beat for requests that are under way: they fail with the servers.
    await delay(0);
  }
}

/**
 * What the other servers publish at the very end does not reach this one, with nothing after it that could reveal the
 * loss. Of one server only: what a publisher is not answered to, it publishes again.
 */
async function loseLastPublished({ redis }: Node): Promise<void> {
  redis.hold('down');
  await delay(LAST_LOSS_MS);
  redis.cut();
}

function keepLogs(cluster: Cluster, report: Report): void {
  cluster.keepLogs();
  report.logs = cluster.directory;
}

function createDevices(inboxes: readonly Inbox[], clients: number, urls: readonly string[], random: Random): Device[] {
  return placeDevices(inboxes, clients, random.fork()).map(
    ({ inbox, kind }, index) =>
      new Device({ name: `device-${index}`, inbox, kind, dial: dials[kind], urls, random: random.fork() }),
  );
}
