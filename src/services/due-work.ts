import type { MikroORM as Database } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import type { Logger } from '../logger.ts';
import { asEveryTenant } from '../scope.ts';
import type { Hub } from './hub.ts';
import type { InboxDepartures } from './inbox-departures.ts';
import { isInInbox } from './inbox-filter.ts';
import type { ScheduledSends } from './scheduled-sends.ts';

export interface DueWorkOptions {
  database: Database;
  scheduled: ScheduledSends;
  departures: InboxDepartures;
  hub: Hub;
  logger: Logger;
  /** Sees to it that this instance makes attempts to deliver. */
  deliver: () => void;
  /** How often it looks; once a second unless a test says otherwise. */
  everyMs?: number;
}

/** What is due is late by this and the time that it takes. */
const EVERY_MS = 1000;

/** Notifications that expire in one step: a step holds their inboxes for milliseconds. */
const STEP = 500;

/**
 * Does what has a time of its own: sends what was scheduled, and lets go of what has expired. Once a second one query
 * looks at the next of each, by their indexes; nothing more happens while none is due. Instances that do so at once share
 * the work.
 */
export class DueWork implements AsyncDisposable {
  readonly #options: DueWorkOptions;
  readonly #timer: NodeJS.Timeout;
  #running: Promise<void> | undefined;
  #stopped = false;
  #failing = false;

  constructor(options: DueWorkOptions) {
    this.#options = options;
    this.#timer = setInterval(() => {
      this.#running ??= this.#tick().finally(() => {
        this.#running = undefined;
      });
    }, options.everyMs ?? EVERY_MS).unref();
  }

  /** Does all that is due by now. */
  run(): Promise<void> {
    return asEveryTenant(() => this.#run());
  }

  async #run(): Promise<void> {
    const { scheduled, deliver } = this.#options;
    const due = await this.#look();
    // Of an instance that has gone, or of one whose own attempts are late.
    if (due.deliveries) deliver();
    while (due.sends && !this.#stopped && (await scheduled.sendDue()));
    while (due.expiries && !this.#stopped && (await this.#expire()));
  }

  async #tick(): Promise<void> {
    try {
      await this.run();
      this.#failing = false;
    } catch (error) {
      // Once, and not every second while the database is away.
      if (!this.#failing) this.#options.logger.warn({ err: error }, 'what is due could not be done; trying on');
      this.#failing = true;
    }
  }

  /** The first entry of an index each: `limit` keeps PostgreSQL from reading the tables, whatever it believes of them. */
  async #look(): Promise<Record<'sends' | 'expiries' | 'deliveries', boolean>> {
    const { rows } = await sql<Record<'sends' | 'expiries' | 'deliveries', boolean | null>>`
      select (select s.send_at from scheduled_send s order by s.send_at limit 1) <= now() as sends,
        (
          select n.expires_at from notification n where n.expires_at is not null and ${isInInbox}
          order by n.expires_at limit 1
        ) <= now() as expiries,
        (
          select d.due_at from delivery d where d.due_at is not null order by d.due_at limit 1
        ) <= now() as deliveries
    `.execute(this.#options.database.em.getConnection().getClient());
    const { sends, expiries, deliveries } = rows[0] ?? {};
    return { sends: sends === true, expiries: expiries === true, deliveries: deliveries === true };
  }

  /** One step; says whether it found anything. */
  async #expire(): Promise<boolean> {
    const { departures, hub } = this.#options;
    const departed = await departures.expire(STEP);
    for (const { address, event } of departed) hub.publish(address, event);
    return departed.length > 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#running;
  }
}
