import type { MikroORM as Database } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import type { Logger } from '../logger.ts';
import { asEveryTenant } from '../scope.ts';
import type { Notification, NotificationType } from './notification.ts';

export interface TenantActivityOptions {
  database: Database;
  logger: Logger;
}

/** What was sent in some hours. */
export interface Sent {
  readonly channel: string;
  readonly type: NotificationType;
  readonly today: number;
  readonly last24Hours: number;
}

/** Of what was sent in some hours, how many have been read. */
export type Read = Pick<Sent, 'today' | 'last24Hours'>;

interface Entry {
  readonly tenantId: string;
  readonly hour: number;
  readonly kind: string;
  count: number;
}

const HOUR_MS = 3_600_000;
const WRITE_EVERY_MS = 5000;

/** Days that the table reaches back. */
export const ACTIVITY_DAYS = 90;

/** Rows of one statement. */
const STEP = 1000;

/** Most time that the last words may take: the database may be away. */
const LEAVE_MS = 1000;

const hourOf = (ms: number): number => Math.floor(ms / HOUR_MS);

/** When a UUIDv7 was made, in milliseconds since 1970 (RFC 9562 section 5.7). */
const timeOf = (id: string): number => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);

/**
 * What each tenant does, by the hour: a few rows for an hour, whatever is sent in it, so that statistics never count
 * notifications. Adds up in memory and writes every five seconds; best effort, as said of the table.
 */
export class TenantActivity implements AsyncDisposable {
  readonly #options: TenantActivityOptions;
  readonly #timer: NodeJS.Timeout;
  #entries = new Map<string, Entry>();
  #written: Promise<void> = Promise.resolve();
  #isTroubled = false;

  constructor(options: TenantActivityOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#tryToFlush(), WRITE_EVERY_MS).unref();
  }

  get #db() {
    return this.#options.database.em.getConnection().getClient();
  }

  /** Something came to an inbox of its tenant just now. */
  sent({ tenantId, channel, type }: Pick<Notification, 'tenantId' | 'channel' | 'type'>): void {
    this.#add(tenantId, hourOf(Date.now()), `sent ${channel} ${type}`, 1);
  }

  /** These were marked as read, or as unread again. They count in the hours in which they were sent, as their ids say. */
  read(tenantId: string, ids: readonly string[], isRead: boolean): void {
    const now = hourOf(Date.now());
    for (const id of ids) {
      const hour = hourOf(timeOf(id));
      if (hour <= now && hour > now - ACTIVITY_DAYS * 24) this.#add(tenantId, hour, 'read', isRead ? 1 : -1);
    }
  }

  #add(tenantId: string, hour: number, kind: string, count: number): void {
    const key = `${hour} ${kind} ${tenantId}`;
    const entry = this.#entries.get(key);
    if (entry) entry.count += count;
    else this.#entries.set(key, { tenantId, hour, kind, count });
  }

  /** Resolves when all that was counted so far is written. Rejects when the database is out of reach; it is kept then. */
  flush(): Promise<void> {
    this.#written = this.#written.catch(() => {}).then(() => this.#write());
    return this.#written;
  }

  /**
   * A tenant's activity since midnight (UTC), and in the current hour and the 23 before it: of some five hundred rows at
   * most, by their key.
   */
  async of(tenantId: string): Promise<{ sent: Sent[]; read: Read }> {
    const { rows } = await sql<{ kind: string; today: number; last_24_hours: number }>`
      select kind, sum(count)::float8 as last_24_hours,
        coalesce(sum(count) filter (where hour >= date_trunc('day', now(), 'UTC')), 0)::float8 as today
      from tenant_activity
      where tenant_id = ${tenantId} and hour > date_trunc('hour', now(), 'UTC') - interval '24 hours'
      group by kind
    `.execute(this.#db);
    let read: Read = { today: 0, last24Hours: 0 };
    const sent: Sent[] = [];
    for (const { kind, today, last_24_hours: last24Hours } of rows) {
      const [what, channel, type] = kind.split(' ') as [string, string, NotificationType];
      if (what === 'read') read = { today, last24Hours };
      else sent.push({ channel, type, today, last24Hours });
    }
    return { sent, read };
  }

  async #write(): Promise<void> {
    const entries = [...this.#entries.values()];
    this.#entries = new Map();
    for (let from = 0; from < entries.length; from += STEP) {
      try {
        await asEveryTenant(() => this.#store(entries.slice(from, from + STEP)));
      } catch (error) {
        for (const { tenantId, hour, kind, count } of entries.slice(from)) this.#add(tenantId, hour, kind, count);
        throw error;
      }
    }
  }

  /** In the order of the key, so that instances never wait for each other in a circle. */
  async #store(entries: readonly Entry[]): Promise<void> {
    await sql`
      insert into tenant_activity as a (tenant_id, hour, kind, count)
      select tenant_id, to_timestamp(hour * 3600::float8), kind, count
      from unnest(
        ${entries.map(({ tenantId }) => tenantId)}::text[],
        ${entries.map(({ hour }) => hour)}::int[],
        ${entries.map(({ kind }) => kind)}::text[],
        ${entries.map(({ count }) => count)}::bigint[]
      ) as given (tenant_id, hour, kind, count)
      order by tenant_id, hour, kind
      on conflict (tenant_id, hour, kind) do update set count = a.count + excluded.count
    `.execute(this.#db);
  }

  async #tryToFlush(): Promise<void> {
    try {
      await this.flush();
      this.#isTroubled = false;
    } catch (error) {
      // Once, and not every few seconds while the database is away.
      if (!this.#isTroubled) this.#options.logger.warn({ err: error }, 'statistics could not be written; trying on');
      this.#isTroubled = true;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(() => late.resolve(), LEAVE_MS);
    await Promise.race([this.#tryToFlush(), late.promise]);
    clearTimeout(timer);
  }
}
