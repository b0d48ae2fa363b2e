import { sql } from 'kysely';
import type { MikroORM as Database } from '@mikro-orm/postgresql';
import { Batcher } from './batcher.ts';
import type { InboxAddress } from './caller.ts';
import { EMPTY_HEAD, type HeadRow, type InboxHead, headColumns, toHead } from './inbox-head.ts';
import { type Filter, filterConditions, isInInbox } from './inbox-filter.ts';
import { type Page, PageReader, type PageRequest } from './inbox-page-reader.ts';
import { type Notification, type NotificationRow, notificationColumns, toNotification } from './notification.ts';

/** After a restart thousands ask within a second: a tenth of one more is a small price for hundreds of statements. */
export const STORM_SPACING_MS = 100;

/** Inboxes whose heads one statement reads. */
const HEADS_OF_STATEMENT = 500;

/** Reads of the log. What each method answers is of one statement, and so belongs to one moment. */
export class InboxLog {
  readonly #database: Database;
  readonly #heads: Batcher<InboxAddress, InboxHead>;
  readonly #headsOfListeners: Batcher<InboxAddress, InboxHead>;
  readonly #pages: PageReader;

  constructor(database: Database) {
    this.#database = database;
    const batcher = (spacingMs: number) =>
      new Batcher<InboxAddress, InboxHead>({
        write: async (addresses) => {
          const found = await this.heads(addresses);
          return addresses.map((_address, index) => found.get(index) ?? EMPTY_HEAD);
        },
        maxBatch: HEADS_OF_STATEMENT,
        spacingMs,
        maxInFlight: 2,
        maxQueued: Number.POSITIVE_INFINITY,
      });
    this.#heads = batcher(0);
    this.#headsOfListeners = batcher(STORM_SPACING_MS);
    this.#pages = new PageReader(database);
  }

  get #db() {
    return this.#database.em.getConnection().getClient();
  }

  /** The head of each inbox that exists, by its place in `addresses`. */
  async heads(addresses: readonly InboxAddress[]): Promise<Map<number, InboxHead>> {
    const { rows } = await sql<HeadRow & { nth: number }>`
      select asked.nth::int, ${headColumns}
      from unnest(${addresses.map((one) => one.tenantId)}::text[], ${addresses.map((one) => one.userId)}::text[])
        with ordinality as asked (tenant_id, user_id, nth)
      join inbox i using (tenant_id, user_id)
    `.execute(this.#db);
    return new Map(rows.map((row) => [row.nth - 1, toHead(row)]));
  }

  /**
   * The head of an inbox; version 0 and no epoch when it does not exist yet. Callers that ask at about the same time
   * share a statement.
   */
  head(address: InboxAddress): Promise<InboxHead> {
    return this.#heads.add(address);
  }

  /** The same for whoever begins to listen, who waits a moment for company when many come at once. */
  headForListener(address: InboxAddress): Promise<InboxHead> {
    return this.#headsOfListeners.add(address);
  }

  async find({ tenantId, userId }: InboxAddress, id: string): Promise<Notification | undefined> {
    const { rows } = await sql<NotificationRow & { epoch: string }>`
      select ${notificationColumns}, i.epoch
      from notification n join inbox i on i.id = n.inbox_id
      where n.id = ${id}::uuid and i.tenant_id = ${tenantId} and i.user_id = ${userId} and ${isInInbox}
    `.execute(this.#db);
    const row = rows[0];
    return row && toNotification(row, { tenantId, userId, epoch: row.epoch });
  }

  /** One of a tenant, recalled or not; with `senderId` only if it is of that sender. */
  async findSent(tenantId: string, senderId: string | undefined, id: string): Promise<Notification | undefined> {
    const isMeant = senderId === undefined ? sql`true` : sql`n.sender_id = ${senderId}`;
    const { rows } = await sql<NotificationRow & { epoch: string; user_id: string }>`
      select ${notificationColumns}, i.epoch, i.user_id
      from notification n join inbox i on i.id = n.inbox_id
      where n.id = ${id}::uuid and i.tenant_id = ${tenantId} and ${isMeant}
    `.execute(this.#db);
    const row = rows[0];
    return row && toNotification(row, { tenantId, userId: row.user_id, epoch: row.epoch });
  }

  page(address: InboxAddress, request: PageRequest): Promise<Page> {
    return this.#pages.read(address, request);
  }

  /** How many match. Without types and priorities the inbox row knows; else the matching rows are counted. */
  async count({ tenantId, userId }: InboxAddress, filter: Filter): Promise<number> {
    if (!filter.types && !filter.priorities) {
      const head = await this.head({ tenantId, userId });
      if (filter.unread === undefined) return head.totalCount;
      return filter.unread ? head.unreadCount : head.totalCount - head.unreadCount;
    }
    const { rows } = await sql<{ count: number }>`
      select count(*)::int as count from notification n join inbox i on i.id = n.inbox_id
      where i.tenant_id = ${tenantId} and i.user_id = ${userId} and ${filterConditions(filter)}
    `.execute(this.#db);
    return rows[0]?.count ?? 0;
  }
}
