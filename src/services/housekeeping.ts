import { sql } from 'kysely';
import type { MikroORM as Database } from '@mikro-orm/postgresql';
import type { Logger } from '../logger.ts';
import { asEveryTenant } from '../scope.ts';
import type { Retention } from './retention.ts';
import type { Sessions } from './sessions.ts';

export interface HousekeepingOptions {
  database: Database;
  sessions: Sessions;
  retention: Retention;
  idempotencyWindowMs: number;
  logger: Logger;
}

const EVERY_MS = 600_000;

/** Rows of one step: a step holds its locks for milliseconds. */
const STEP = 1000;

/** Forgets what has run out: idempotency keys, sessions, tombstones, receipts, activity, deliveries and, where a retention is set, notifications. In small steps, beside the traffic. */
export class Housekeeping implements AsyncDisposable {
  readonly #options: HousekeepingOptions;
  readonly #timer: NodeJS.Timeout;
  #running: Promise<void> | undefined;
  #stopped = false;

  constructor(options: HousekeepingOptions) {
    this.#options = options;
    this.#timer = setInterval(() => {
      this.#running ??= this.run()
        .catch((error: unknown) => options.logger.warn({ err: error }, 'housekeeping failed; trying again later'))
        .finally(() => {
          this.#running = undefined;
        });
    }, EVERY_MS).unref();
  }

  /** One round. */
  run(): Promise<void> {
    return asEveryTenant(() => this.#run());
  }

  async #run(): Promise<void> {
    const { sessions, retention } = this.#options;
    await sessions.purge();
    while (!this.#stopped && (await retention.forgetTombstones()));
    while (!this.#stopped && (await retention.forgetReceipts()));
    while (!this.#stopped && (await retention.forgetActivity()));
    while (!this.#stopped && (await retention.deleteNotifications()));
    while (!this.#stopped && (await retention.forgetDeliveries()));
    while (!this.#stopped && (await this.#forgetKeys()) === STEP);
  }

  async #forgetKeys(): Promise<number> {
    const { database, idempotencyWindowMs } = this.#options;
    const { numAffectedRows } = await sql`
      delete from idempotency_key where (tenant_id, sender_id, key) in (
        select tenant_id, sender_id, key from idempotency_key
        where created_at <= now() - ${idempotencyWindowMs}::float8 * interval '1 millisecond'
        order by created_at limit ${STEP} for update skip locked
      )
    `.execute(database.em.getConnection().getClient());
    return Number(numAffectedRows ?? 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#running;
  }
}
