import { readdir } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';
import type { ServerProcess } from '../bench/server-process.ts';

/** One look at one server. */
export interface Sample {
  readonly hours: number;
  readonly server: string;
  readonly rssBytes: number;
  /** What is in use after a collection; absent where none was forced. */
  readonly heapBytes?: number;
  /** Of the processor, since the look before; 1 is one core. */
  readonly load: number;
  readonly lagMs: number;
  /** Open files and sockets; Linux only. */
  readonly descriptors?: number;
}

/** One look at the database. */
export interface DatabaseSample {
  readonly hours: number;
  readonly connections: number;
  readonly rows: Readonly<Record<string, number>>;
}

export interface SamplerOptions {
  readonly servers: readonly ServerProcess[];
  readonly client: Client;
  readonly everyMs: number;
  /** So many looks from one forced collection to the next. */
  readonly looksPerCollection: number;
}

const TABLES = [
  'inbox',
  'notification',
  'tombstone',
  'receipt',
  'idempotency_key',
  'scheduled_send',
  'delivery',
  'refresh_token',
  'revocation',
  'presence',
  'graphile_worker.jobs',
];

const HOUR_MS = 3_600_000;

/** Looks at the servers and at the database again and again. */
export class Sampler {
  readonly samples: Sample[] = [];
  readonly databaseSamples: DatabaseSample[] = [];
  readonly #options: SamplerOptions;
  readonly #startedMs = performance.now();
  readonly #before = new Map<string, { cpuMicros: number; atMs: number }>();

  constructor(options: SamplerOptions) {
    this.#options = options;
  }

  /** Until the signal; the first and the last look are with a collection. @throws Error when a server has ended. */
  async run(signal: AbortSignal): Promise<void> {
    const { everyMs, looksPerCollection } = this.#options;
    for (let look = 0; ; look += 1) {
      const isLast = signal.aborted;
      await this.#look(isLast || look % looksPerCollection === 0);
      if (isLast) return;
      await delay(everyMs, undefined, { signal }).catch(() => {});
    }
  }

  async #look(collects: boolean): Promise<void> {
    const { servers, client } = this.#options;
    for (const server of servers) this.samples.push(await this.#sample(server, collects));
    this.databaseSamples.push(await readDatabase(client, this.#hours()));
  }

  async #sample(server: ServerProcess, collects: boolean): Promise<Sample> {
    const { lagMs = 0, cpuMicros } = await server.usage('lag');
    const atMs = performance.now();
    const before = this.#before.get(server.name);
    const { heapBytes, rssBytes } = await server.usage(collects ? 'memory' : 'cpu');
    const descriptors = await countDescriptors(server.pid);
    this.#before.set(server.name, { cpuMicros: (await server.usage('cpu')).cpuMicros, atMs });
    return {
      hours: this.#hours(),
      server: server.name,
      rssBytes,
      ...(collects ? { heapBytes } : {}),
      load: before ? (cpuMicros - before.cpuMicros) / 1000 / (atMs - before.atMs) : 0,
      lagMs,
      ...(descriptors === undefined ? {} : { descriptors }),
    };
  }

  #hours(): number {
    return (performance.now() - this.#startedMs) / HOUR_MS;
  }
}

/** Open files and sockets of a process; nothing where the system does not tell. */
export async function countDescriptors(pid: number): Promise<number | undefined> {
  try {
    return (await readdir(`/proc/${pid}/fd`)).length;
  } catch {
    return undefined;
  }
}

async function readDatabase(client: Client, hours: number): Promise<DatabaseSample> {
  const { rows: activity } = await client.query<{ count: number }>(
    `select count(*)::int as count from pg_stat_activity where application_name like 'carillon%'`,
  );
  const counts = TABLES.map((table) => `select '${table}' as name, count(*)::int as count from ${table}`);
  const { rows } = await client.query<{ name: string; count: number }>(counts.join(' union all '));
  return {
    hours,
    connections: activity[0]?.count ?? 0,
    rows: Object.fromEntries(rows.map(({ name, count }) => [name, count])),
  };
}
