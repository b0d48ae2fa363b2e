import type { Runner, TaskList } from 'graphile-worker';
import { Pool } from 'pg';
import type { Logger } from '../logger.ts';
import { apart } from '../tracing/spans.ts';

export interface DeliveryQueueOptions {
  /** Of the database that holds the jobs. */
  url: string;
  /** Jobs at once. */
  concurrency: number;
  /** No job takes longer than this, unless whoever works on it is dead. */
  leaseMs: number;
  tasks: TaskList;
  logger: Logger;
}

/** How often jobs are looked for whose worker has died. */
const RESCUE_MS = 5000;

/** After a start that failed. */
const RETRY_MS = 1000;

/** How often a worker looks for jobs that have become due; it hears of new ones at once. */
const POLL_MS = 1000;

/** What attempts under way get to end by themselves when the server stops. */
const STOP_MS = 1000;

/** The pool beyond the connections that take jobs: one listens, one ends jobs. */
const SPARE_CONNECTIONS = 2;
const MOST_CONNECTIONS = 4;

/**
 * The workers of this instance on the queue in PostgreSQL, which all instances share. They begin when they are first
 * needed, and then stay: a server that sends nothing outside pays nothing for them.
 */
export class DeliveryQueue implements AsyncDisposable {
  readonly #options: DeliveryQueueOptions;
  #running: Promise<Runner | undefined> | undefined;
  #pool: Pool | undefined;
  #rescue: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: DeliveryQueueOptions) {
    this.#options = options;
  }

  /** Sees to it that this instance works on the queue. */
  start(): void {
    if (this.#stopped || this.#running) return;
    // A send sets it off, and it goes on for as long as the process.
    this.#running = apart(() => this.#run()).catch((error: unknown) => {
      this.#options.logger.warn({ err: error }, 'the queue of deliveries could not be worked on; trying again');
      setTimeout(() => {
        this.#running = undefined;
      }, RETRY_MS).unref();
      return undefined;
    });
  }

  async #run(): Promise<Runner> {
    const { url, concurrency, tasks, logger } = this.#options;
    // Only now: it takes longer to load than most of what a start does.
    const { Logger: QueueLogger, run } = await import('graphile-worker');
    this.#pool ??= createPool(url, Math.min(concurrency, MOST_CONNECTIONS) + SPARE_CONNECTIONS, logger);
    const runner = await run(
      {
        pgPool: this.#pool,
        concurrency,
        noHandleSignals: true,
        pollInterval: POLL_MS,
        gracefulShutdownAbortTimeout: STOP_MS,
        logger: new QueueLogger(() => (level, message, meta) => {
          // It warns of a pool with fewer connections than jobs. That is meant: a job waits for others' servers, not for
          // the database.
          const isAboutPool = meta?.['concurrency'] !== undefined;
          const isTrouble = (level === 'error' || level === 'warning') && !isAboutPool;
          logger[isTrouble ? 'warn' : 'debug']({ err: meta?.['error'] }, `queue of deliveries: ${message}`);
        }),
      },
      tasks,
      [],
    );
    runner.promise.then(
      () => this.#ended(),
      (error: unknown) => {
        logger.warn({ err: error }, 'the workers of deliveries have ended; beginning again');
        this.#ended();
      },
    );
    this.#rescue = setInterval(() => void this.#rescueJobs(), RESCUE_MS).unref();
    return runner;
  }

  #ended(): void {
    clearInterval(this.#rescue);
    this.#running = undefined;
    if (!this.#stopped) setTimeout(() => this.start(), RETRY_MS).unref();
  }

  /** Frees the jobs of workers that have died; by itself the library waits for hours. */
  async #rescueJobs(): Promise<void> {
    try {
      await this.#pool?.query(
        `select graphile_worker.force_unlock_workers(array_agg(distinct locked_by)) from graphile_worker.jobs
         where locked_at < now() - $1::float8 * interval '1 millisecond' having count(*) > 0`,
        [this.#options.leaseMs],
      );
    } catch (error) {
      this.#options.logger.debug({ err: error }, 'jobs of dead workers could not be looked for');
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#rescue);
    const runner = await this.#running;
    await runner?.stop().catch((error: unknown) => {
      this.#options.logger.debug({ err: error }, 'the workers of deliveries had ended already');
    });
    await this.#pool?.end();
  }
}

/** Connections that are lost are made anew by whoever needs one; without the listeners they would end the process. */
function createPool(url: string, max: number, logger: Logger): Pool {
  const pool = new Pool({ connectionString: url, max, application_name: 'carillon-deliveries' });
  const onError = (error: Error): void => logger.debug({ err: error }, 'a connection of the queue broke');
  pool.on('error', onError);
  pool.on('connect', (client) => client.on('error', onError));
  return pool;
}
