import { setTimeout as delay } from 'node:timers/promises';
import { goFirst, keepTo, shareCores } from '../bench/cores.ts';
import { fillInboxes } from '../bench/fill-inboxes.ts';
import { LoadProcess } from '../bench/load-process.ts';
import type { Outcome, SteadyJob } from '../bench/load/jobs.ts';
import { tokenOf } from '../bench/load/people.ts';
import type { Places } from '../bench/profile.ts';
import type { Usage } from '../bench/probe.ts';
import type { ServerProcess } from '../bench/server-process.ts';
import { errorsIn } from '../soak/log-lines.ts';
import { countDescriptors } from '../soak/sampler.ts';
import { openStage } from '../soak/stage.ts';
import { JWT_SECRET } from '../torture/cluster.ts';
import { withDatabase } from '../torture/table.ts';
import { AttackerProcess } from './attacker-process.ts';
import type { Answers } from './attacker.ts';
import { clearCore } from './clear-core.ts';

export interface HostileOptions {
  attackMs: number;
  quietMs: number;
  clients: number;
  /** Sends a second; as many pages are read. */
  rate: number;
  kinds: readonly string[];
  /** Also shows where the server's time goes. */
  profile: boolean;
  /** Keeps everything else that runs on this machine off the server's core meanwhile. */
  isCoreCleared: boolean;
  /** Ends the run, without a verdict. */
  signal: AbortSignal;
  onProgress: (text: string, share: number) => void;
}

/** What the server held at a moment, after a collection. */
export interface Holding {
  readonly heapBytes: number;
  readonly rssBytes: number;
  readonly descriptors: number | undefined;
}

export interface Trial {
  readonly quiet: Outcome;
  readonly attacked: Outcome;
  readonly answers: Answers;
  /** The hostile client took processor time from the good ones and the database, as nobody may be put before it here. */
  readonly isInTheWay: boolean;
  /** Of the one core, in each run. */
  readonly load: { readonly quiet: number; readonly attacked: number };
  readonly holding: { readonly before: Holding; readonly peak: Holding; readonly after: Holding };
  readonly places: Places | undefined;
  /** Lines of the server's log. */
  readonly errors: readonly string[];
}

const TENANT = 'bench';
const HOSTILE_USER = 'mallory';
const HOSTILE_ROWS = 5000;

/** The good ones come from another address than the hostile one, which limits of addresses tell apart. */
const GOOD_ADDRESS = '127.0.0.2';

/** Everything else is as it is by default. */
const SETTINGS = { JWT_SECRET, LOG_LEVEL: 'warn', LOG_FORMAT: 'json' };

const MOST_WARMUP_S = 5;
const LOOK_MS = 1000;
/** Longer than anything of a hostile client may be held: an unfinished request, a socket that says nothing. */
const RECOVERY_MS = 35_000;

/** Measures good clients alone, and then the same beside one hostile client. @throws Error when the server ends. */
export async function hostile(options: HostileOptions): Promise<Trial> {
  const { attackMs, quietMs, clients, rate, kinds, profile, isCoreCleared, signal, onProgress } = options;
  const cores = shareCores();
  keepTo(process.pid, cores?.others);
  onProgress('starting', 0);
  // They share a core with the hostile client, which in truth has a machine of its own.
  const isShared = cores !== undefined;
  await using stage = await openStage({ env: SETTINGS, servers: 1, cores });
  const [server] = stage.servers as [ServerProcess];
  await using load = new LoadProcess(cores?.others);
  const isInTheWay = isShared && !goFirst(load.pid, 2);
  using _cleared = isCoreCleared ? clearCore(cores) : undefined;
  await withDatabase(stage.databaseUrl, (client) =>
    fillInboxes(client, { tenantId: TENANT, userIds: [HOSTILE_USER], rowsEach: HOSTILE_ROWS }),
  );
  const job = (seconds: number): SteadyJob => ({
    kind: 'steady',
    url: server.url,
    secret: JWT_SECRET,
    tenantId: TENANT,
    from: GOOD_ADDRESS,
    users: { prefix: 'good ', count: clients },
    rate,
    reads: rate,
    seconds,
    warmupSeconds: Math.min(MOST_WARMUP_S, seconds / 2),
  });
  const putDatabaseFirst = async (): Promise<void> => {
    if (isShared) await stage.putConnectionsFirst();
  };
  const cpu = { begin: 0, end: 0 };
  const share = (ms: number): number => (cpu.end - cpu.begin) / 1000 / ms;

  // V8 looks through a heap sooner that has been collected, and PostgreSQL logs whole pages after a checkpoint, which comes
  // every five minutes: both runs begin with both.
  await holdingOf(server);
  await stage.checkpoint();
  onProgress('quiet', 0.02);
  const run = interruptible(load, signal);
  await using cleanup = new AsyncDisposableStack();
  // Looking takes time as well, so it is done in both runs.
  const watch = (look: (usage: Usage) => Promise<void>): Watch =>
    cleanup.use(
      new Watch(async () => {
        // Connections are made as they are needed.
        await putDatabaseFirst();
        await look(await server.usage('cpu'));
      }),
    );
  let watched: Watch | undefined;
  const quiet = await run(job(quietMs / 1000), async (moment) => {
    if (moment === 'begin') {
      await putDatabaseFirst();
      cpu.begin = (await server.usage('cpu')).cpuMicros;
      watched = watch(async () => void (await countDescriptors(server.pid)));
    } else if (moment === 'end') {
      await watched?.stop();
      cpu.end = (await server.usage('cpu')).cpuMicros;
    }
  });
  const quietLoad = share(quietMs);

  const target = { url: server.url, userId: HOSTILE_USER, token: tokenOf(job(0), HOSTILE_USER) };
  const before = await holdingOf(server);
  await stage.checkpoint();
  let peak = before;
  let attacker: AttackerProcess | undefined;
  let answers: Answers = {};
  let places: Places | undefined;
  cleanup.defer(() => attacker?.[Symbol.asyncDispose]());
  const attacked = await run(job(attackMs / 1000), async (moment) => {
    if (moment === 'begin') {
      await putDatabaseFirst();
      cpu.begin = (await server.usage(profile ? 'profile' : 'cpu')).cpuMicros;
      attacker = new AttackerProcess(target, { kinds, cores: cores?.others });
      const startedMs = performance.now();
      watched = watch(async ({ heapBytes, rssBytes }) => {
        onProgress('under attack', 0.1 + (0.8 * (performance.now() - startedMs)) / attackMs);
        const descriptors = await countDescriptors(server.pid);
        peak = {
          heapBytes: Math.max(peak.heapBytes, heapBytes),
          rssBytes: Math.max(peak.rssBytes, rssBytes),
          descriptors: descriptors === undefined ? undefined : Math.max(peak.descriptors ?? 0, descriptors),
        };
      });
    } else if (moment === 'end') {
      await watched?.stop();
      const usage = await server.usage(profile ? 'places' : 'cpu');
      cpu.end = usage.cpuMicros;
      places = usage.places;
      answers = (await attacker?.stop()) ?? {};
    }
  });
  onProgress('after the attack', 0.92);
  await delay(RECOVERY_MS);
  const after = await holdingOf(server);
  return {
    quiet,
    attacked,
    answers,
    isInTheWay,
    load: { quiet: quietLoad, attacked: share(attackMs) },
    holding: { before, peak, after },
    places,
    errors: errorsIn(server.log()),
  };
}

/** Looks at something once a second, until it is stopped. What goes wrong meanwhile is told by `stop`. */
class Watch implements AsyncDisposable {
  readonly #over = new AbortController();
  readonly #looking: Promise<void>;

  constructor(look: () => Promise<void>) {
    this.#looking = this.#watch(look);
    this.#looking.catch(() => {});
  }

  async #watch(look: () => Promise<void>): Promise<void> {
    const { signal } = this.#over;
    while (!signal.aborted) {
      await look();
      await delay(LOOK_MS, undefined, { signal }).catch(() => {});
    }
  }

  stop(): Promise<void> {
    this.#over.abort();
    return this.#looking;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop().catch(() => {});
  }
}

/** A load whose jobs fail, with its reason, as soon as the signal comes. */
function interruptible(load: LoadProcess, signal: AbortSignal): LoadProcess['run'] {
  const interrupted = new Promise<never>((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason));
  });
  interrupted.catch(() => {});
  return (job, onMoment) => Promise.race([load.run(job, onMoment), interrupted]);
}

async function holdingOf(server: ServerProcess): Promise<Holding> {
  const { heapBytes, rssBytes } = await server.usage('memory');
  return { heapBytes, rssBytes, descriptors: await countDescriptors(server.pid) };
}
