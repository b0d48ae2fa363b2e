import { z } from 'zod';
import type { MikroORM as Database } from '@mikro-orm/postgresql';
import type { Config } from '../config.ts';
import { badInput, forbidden } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { Topics } from '../pubsub/topics.ts';
import { Attendance, type Crowd } from './attendance.ts';
import { type Caller, type InboxAddress, hasRole } from './caller.ts';
import { reachDatabase } from './database-failure.ts';
import type { EventSource } from './event-source.ts';
import { check, idRule } from './notification-rules.ts';
import { PresenceTable, type UserPresence } from './presence-table.ts';
import { PresenceWatch, type WatchOptions } from './presence-watch.ts';

export type { UserPresence } from './presence-table.ts';

export interface PresenceOptions {
  config: Pick<Config, 'defaultPageSize' | 'maxPageSize' | 'maxWaitingEvents' | 'sweepInterval'>;
  database: Database;
  topics: Topics;
  logger: Logger;
}

/** Relay's arguments for paging forward. */
export interface ForwardPaging {
  first?: number | null | undefined;
  after?: string | null | undefined;
}

export interface OnlineUserPage {
  readonly users: readonly UserPresence[];
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
}

/** Users that one caller may ask about at once. */
const MAX_ASKED = 100;

const askedRule = z.array(idRule('A user.')).superRefine((ids, context) => {
  if (ids.length === 0) context.addIssue({ code: 'custom', message: 'must not be empty' });
  if (ids.length > MAX_ASKED) context.addIssue({ code: 'custom', message: `must be at most ${MAX_ASKED} ids` });
});

/** The place of a user in the list of those who are online. */
export const onlineCursor = ({ userId }: UserPresence): string => Buffer.from(userId).toString('base64url');

/** Before the first one: no id is empty. */
const BEGINNING = '';

/** @throws CarillonError BAD_USER_INPUT for what `onlineCursor` never made. */
function decodeOnlineCursor(cursor: string): string {
  const userId = Buffer.from(cursor, 'base64url').toString();
  if (!idRule('').safeParse(userId).success || Buffer.from(userId).toString('base64url') !== cursor) {
    throw badInput('after', 'after is not a cursor.');
  }
  return userId;
}

/**
 * Who is online: has a live connection to any instance. Everything is within the caller's tenant; users of another one,
 * and users that nobody knows, are offline and were never seen.
 *
 * All methods throw CarillonError: BAD_USER_INPUT with the field, UNAVAILABLE when the database is out of reach.
 */
export class Presence implements AsyncDisposable {
  readonly #limits: PresenceOptions['config'];
  readonly #table: PresenceTable;
  readonly #watch: PresenceWatch;
  readonly #attendance: Attendance;

  constructor({ config, database, topics, logger }: PresenceOptions) {
    this.#limits = config;
    this.#table = new PresenceTable(database);
    this.#watch = new PresenceWatch({
      table: this.#table,
      topics,
      logger,
      maxWaitingEvents: config.maxWaitingEvents,
      sweepIntervalMs: config.sweepInterval,
    });
    this.#attendance = new Attendance({
      table: this.#table,
      logger,
      onChanged: (address) => this.#watch.changed(address),
    });
  }

  /** Users that somebody here watches. */
  get watchedCount(): number {
    return this.#watch.watchedCount;
  }

  /** Begins to store who is connected to this process. */
  follow(crowd: Crowd): void {
    this.#attendance.follow(crowd);
  }

  /** Takes note that a user has so many connections here now, and had so many before. Never waits, never fails. */
  counted(address: InboxAddress, connections: number, before: number): void {
    this.#attendance.counted(address, connections, before);
  }

  /** The present state of each user, in the order asked; 1 to 100, the same one may be asked for twice. */
  async isOnline(caller: Caller, userIds: readonly string[]): Promise<UserPresence[]> {
    return reachDatabase(this.#table.read(this.#addresses(caller, userIds)));
  }

  /**
   * A page of all who are online in the tenant, in the order of their ids.
   *
   * @throws CarillonError FORBIDDEN for callers without the role `admin`.
   */
  async onlineUsers(caller: Caller, { first, after }: ForwardPaging): Promise<OnlineUserPage> {
    if (!hasRole(caller, 'admin')) throw forbidden('Listing who is online needs the role admin.');
    const { defaultPageSize, maxPageSize } = this.#limits;
    const size = first ?? defaultPageSize;
    if (size < 1 || size > maxPageSize) throw badInput('first', `first must be from 1 to ${maxPageSize}.`);
    const from = after == null ? BEGINNING : decodeOnlineCursor(after);
    const { tenantId } = caller;
    const [users, hasPreviousPage] = await reachDatabase(
      Promise.all([
        this.#table.online(tenantId, from, size + 1),
        from !== BEGINNING && this.#table.isAnyOnlineUpTo(tenantId, from),
      ]),
    );
    return { users: users.slice(0, size), hasNextPage: users.length > size, hasPreviousPage };
  }

  /**
   * First the present state of each user, once, then each change. 1 to 100 users. Attached when the promise resolves.
   * Ends with SlowConsumerError when too many wait.
   */
  async watch(
    caller: Caller,
    userIds: readonly string[],
    options: WatchOptions = {},
  ): Promise<EventSource<UserPresence>> {
    const addresses = this.#addresses(caller, [...new Set(userIds)]);
    return reachDatabase(this.#watch.watch(addresses, options));
  }

  #addresses({ tenantId }: Caller, userIds: readonly string[]): InboxAddress[] {
    return check(askedRule, userIds, 'userIds').map((userId) => ({ tenantId, userId }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#attendance[Symbol.asyncDispose]();
    await this.#watch[Symbol.asyncDispose]();
  }
}
