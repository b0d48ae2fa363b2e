import type { MikroORM as Database } from '@mikro-orm/postgresql';
import { forbidden } from '../errors.ts';
import type { Scrapes } from '../metrics/scrapes.ts';
import { type Caller, hasRole } from './caller.ts';
import { reachDatabase } from './database-failure.ts';
import { type NotificationType, notificationTypes } from './notification.ts';
import { PresenceTable } from './presence-table.ts';
import type { Read, Sent, TenantActivity } from './tenant-activity.ts';

export interface StatsOptions {
  database: Database;
  activity: TenantActivity;
  /** Every channel that a send may name. */
  channelNames: readonly string[];
  scrapes: Pick<Scrapes, 'pushes'>;
}

/** What was sent in some hours. */
export interface SendStats {
  readonly sends: number;
  /** Of these, how many have been read by now, and how many have not. */
  readonly read: number;
  readonly unread: number;
  /** From 0 to 1; `null` when nothing was sent. */
  readonly readShare: number | null;
  readonly byType: readonly { readonly type: NotificationType; readonly sends: number }[];
  readonly byChannel: readonly { readonly channel: string; readonly sends: number }[];
}

export interface Stats {
  readonly onlineUsers: number;
  readonly connections: number;
  readonly today: SendStats;
  readonly last24Hours: SendStats;
  /** From 0 to 1; `null` before the first push. */
  readonly pushSuccessRate: number | null;
}

/**
 * Figures of a tenant, for its admins. They are read of rows that are few, whatever the number of notifications: who is
 * connected, and what was done by the hour.
 */
export class StatsReader {
  readonly #options: StatsOptions;
  readonly #presence: PresenceTable;

  constructor(options: StatsOptions) {
    this.#options = options;
    this.#presence = new PresenceTable(options.database);
  }

  /** @throws CarillonError FORBIDDEN for callers without the role `admin`, UNAVAILABLE without the database. */
  async read(caller: Caller): Promise<Stats> {
    if (!hasRole(caller, 'admin')) throw forbidden('Statistics need the role admin.');
    const { activity, scrapes, channelNames } = this.#options;
    // What this instance has counted is in the answer.
    await reachDatabase(activity.flush());
    const [{ users, connections }, { sent, read }, { delivered, failed }] = await reachDatabase(
      Promise.all([this.#presence.count(caller.tenantId), activity.of(caller.tenantId), scrapes.pushes()]),
    );
    return {
      onlineUsers: users,
      connections,
      today: statsOf(sent, read, 'today', channelNames),
      last24Hours: statsOf(sent, read, 'last24Hours', channelNames),
      pushSuccessRate: delivered + failed === 0 ? null : delivered / (delivered + failed),
    };
  }
}

function statsOf(sent: readonly Sent[], reads: Read, hours: keyof Read, channels: readonly string[]): SendStats {
  const sum = (matches: (one: Sent) => boolean): number =>
    sent.reduce((total, one) => (matches(one) ? total + one[hours] : total), 0);
  const sends = sum(() => true);
  // What was read may have been counted in another hour than it was sent in, as what waited for its time.
  const read = Math.min(Math.max(reads[hours], 0), sends);
  return {
    sends,
    read,
    unread: sends - read,
    readShare: sends === 0 ? null : read / sends,
    byType: notificationTypes.map((type) => ({ type, sends: sum((one) => one.type === type) })),
    byChannel: channels.map((channel) => ({ channel, sends: sum((one) => one.channel === channel) })),
  };
}
