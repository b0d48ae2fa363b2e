import { setTimeout as delay } from 'node:timers/promises';
import { JWT_SECRET } from '../torture/cluster.ts';
import { Load } from '../torture/load.ts';
import { createInboxes } from '../torture/population.ts';
import { Random } from '../torture/random.ts';
import { Caller } from '../torture/request.ts';
import { readTable, withDatabase } from '../torture/table.ts';
import { Verdict } from '../torture/verdict.ts';
import { anyAct } from './acts.ts';
import { Arrivals } from './arrivals.ts';
import { Audience } from './audience.ts';
import type { Tolerance } from './growth.ts';
import { errorsIn } from './log-lines.ts';
import { addAccounts } from './logins.ts';
import { type Report, createReport } from './report.ts';
import { Sampler } from './sampler.ts';
import { greet } from './sending.ts';
import { addWebhooks, openSink } from './sink.ts';
import { type Stage, openStage } from './stage.ts';
import { Town } from './town.ts';

/** Servers that nobody harms answer; on a machine that has much else to do it may take a while. */
const PATIENCE_MS = 60_000;

export interface SoakOptions extends Tolerance {
  seed: number;
  durationMs: number;
  servers: number;
  clients: number;
  /** Acts a second. */
  rate: number;
  /** From one look at the servers to the next; every sixth is with a collection. */
  everyMs: number;
  /** Of the run, what is not judged. */
  warmUp: number;
  /** A module that each server loads before everything else. */
  preload: string | undefined;
  /** Ends the load early; the verdict is still given. */
  signal: AbortSignal;
  onProgress: (progress: Progress) => void;
}

export interface Progress {
  phase: 'starting' | 'soaking' | 'settling';
  elapsedMs: number;
  acts: number;
  deliveries: number;
  heapBytes: number;
}

/** What a run leaves must leave the database as well, or growth would be data. */
const SETTINGS = {
  JWT_SECRET,
  LOG_LEVEL: 'warn',
  LOG_FORMAT: 'json',
  MAX_CONNECTIONS_PER_USER: '1000',
  LOGIN_ATTEMPTS_PER_ADDRESS: '1000000',
  WEBHOOK_ALLOW_PRIVATE: 'true',
  RETENTION_NOTIFICATIONS: '5m',
  RETENTION_TOMBSTONES: '5m',
  RETENTION_DELIVERIES: '5m',
  IDEMPOTENCY_WINDOW: '5m',
  ACCESS_TOKEN_TTL: '5m',
  REFRESH_TOKEN_TTL: '5m',
};

const LOOKS_PER_COLLECTION = 6;
const PROGRESS_EVERY_MS = 500;
const SETTLE_MS = 60_000;
const LOOK_AGAIN_MS = 250;

/** Starts everything, puts it under load for as long as was asked, and judges what grew and what went wrong. */
export async function soak(options: SoakOptions): Promise<Report> {
  const { seed, durationMs, servers: count, clients, rate, everyMs, preload, signal, onProgress } = options;
  const random = new Random(seed);
  const inboxes = createInboxes(clients);
  const progress: Progress = { phase: 'starting', elapsedMs: 0, acts: 0, deliveries: 0, heapBytes: 0 };
  onProgress(progress);
  await using stage = await openStage({ env: SETTINGS, servers: count, preload });
  await using sink = await openSink();
  using caller = new Caller(PATIENCE_MS);
  const urls = stage.servers.map(({ url }) => url);
  const arrivals = new Arrivals();
  const verdict = new Verdict();
  const audience = new Audience({ inboxes, clients, urls, random: random.fork(), verdict, arrivals });
  const town = new Town({ caller, inboxes, urls, random: random.fork(), arrivals });
  await addAccounts(stage.databaseUrl, inboxes);
  await addWebhooks(town, sink);

  return await withDatabase(stage.databaseUrl, async (client) => {
    const sampler = new Sampler({ servers: stage.servers, client, everyMs, looksPerCollection: LOOKS_PER_COLLECTION });
    const started = performance.now();
    const tell = setInterval(() => {
      progress.elapsedMs = performance.now() - started;
      progress.acts = town.acts;
      progress.deliveries = audience.deliveries;
      progress.heapBytes = sampler.samples.findLast(({ heapBytes }) => heapBytes !== undefined)?.heapBytes ?? 0;
      onProgress(progress);
    }, PROGRESS_EVERY_MS);
    const settled = new AbortController();
    const leaving = new AbortController();
    const listening = audience.run(leaving.signal, settled.signal);
    try {
      await greetAll(town, arrivals);
      progress.phase = 'soaking';
      const ended = AbortSignal.any([signal, AbortSignal.timeout(durationMs)]);
      const load = new Load();
      await Promise.all([load.run(rate, () => anyAct(town), ended), sampler.run(ended)]);
      const loadMs = performance.now() - started;
      progress.phase = 'settling';
      await load.drained();
      settled.abort();
      await settle(stage, audience, arrivals, verdict);
      for (const [id, inbox] of arrivals.missing) verdict.add('lost', `${id} for ${inbox} was never told`);
      const errors = stage.servers.flatMap((server) => errorsIn(server.log()));
      return createReport({
        options,
        loadMs,
        town,
        audience,
        arrivals,
        sampler,
        webhooks: sink.received,
        errors,
        verdict,
      });
    } finally {
      clearInterval(tell);
      settled.abort();
      leaving.abort();
      await listening;
    }
  });
}

/** Resolves when the witness of each inbox listens: what came and went before that it would never be told of. */
async function greetAll(town: Town, arrivals: Arrivals): Promise<void> {
  await Promise.all(town.inboxes.map((inbox) => greet(town, inbox)));
  for (const deadline = performance.now() + SETTLE_MS; arrivals.missing.size > 0; await delay(LOOK_AGAIN_MS)) {
    if (performance.now() > deadline) throw new Error(`${arrivals.missing.size} inboxes hear nothing`);
  }
}

/** Waits until every device has what is stored and everything has come that was acknowledged; judges how it is then. */
async function settle(stage: Stage, audience: Audience, arrivals: Arrivals, verdict: Verdict): Promise<void> {
  const deadline = performance.now() + SETTLE_MS;
  for (;;) {
    const differences = new Verdict();
    const { inboxes } = await withDatabase(stage.databaseUrl, readTable);
    audience.judge(differences, inboxes);
    const isQuiet = differences.isClean && arrivals.missing.size === 0;
    if (isQuiet) return;
    if (performance.now() > deadline) {
      audience.judge(verdict, inboxes);
      return;
    }
    await delay(LOOK_AGAIN_MS);
  }
}
