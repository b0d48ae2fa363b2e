import { CompiledQuery, sql } from 'kysely';
import type { MikroORM as Database } from '@mikro-orm/postgresql';
import { Batcher } from './batcher.ts';
import type { InboxAddress } from './caller.ts';
import { type HeadRow, type InboxHead, headColumns, toHead } from './inbox-head.ts';
import { type Filter, filterConditions } from './inbox-filter.ts';
import { type Notification, type NotificationRow, notificationColumns, toNotification } from './notification.ts';

type Order = 'newest' | 'oldest';

export interface PageRequest {
  readonly filter: Filter;
  /** Newest first, or oldest first. */
  readonly order: Order;
  /** Most rows. */
  readonly limit: number;
  /** Only positions before this version. */
  readonly before?: number | undefined;
  /** Only positions after this version. */
  readonly after?: number | undefined;
  /** Rows to pass over; for page numbers only, its cost grows with it. */
  readonly offset?: number;
}

export interface Page {
  /** Of the moment at which the page was read; absent when the inbox does not exist yet. */
  readonly head: InboxHead | undefined;
  readonly notifications: Notification[];
}

type PageRow = HeadRow & (NotificationRow | { id: null });

interface Asked {
  readonly address: InboxAddress;
  readonly request: PageRequest;
}

/** Pages of one statement: what it reads, a few hundred rows as a rule, is made into objects in one go. */
const MAX_PAGES_TOGETHER = 16;

const MAX_STATEMENTS_IN_FLIGHT = 4;

/** Positions are positive bigints. */
const LEAST_POSITION = 0;
const GREATEST_POSITION = '9223372036854775807';

const DIRECTIONS = { newest: sql`desc`, oldest: sql`asc` } as const;

/**
 * Reads pages of inboxes. Callers that ask at about the same time share a statement, which halves what a page costs here
 * and in PostgreSQL; who is alone does not wait. What has to be looked for, row by row, is read by itself.
 */
export class PageReader {
  readonly #database: Database;
  /** One for each text of a statement; there are six. */
  readonly #batchers = new Map<string, Batcher<Asked, Page>>();

  constructor(database: Database) {
    this.#database = database;
  }

  read(address: InboxAddress, request: PageRequest): Promise<Page> {
    const { filter, order, offset = 0 } = request;
    if (filter.types || filter.priorities || offset > 0) return this.#readAlone(address, request);
    return this.#batcherOf(order, filter.unread).add({ address, request });
  }

  get #db() {
    return this.#database.em.getConnection().getClient();
  }

  #batcherOf(order: Order, unread: boolean | undefined): Batcher<Asked, Page> {
    const name = `${order} ${unread}`;
    const known = this.#batchers.get(name);
    if (known) return known;
    const text = this.#textOf(order, unread);
    const batcher = new Batcher<Asked, Page>({
      write: (asked) => this.#readTogether(text, asked),
      maxBatch: MAX_PAGES_TOGETHER,
      maxInFlight: MAX_STATEMENTS_IN_FLIGHT,
      maxQueued: Number.POSITIVE_INFINITY,
    });
    this.#batchers.set(name, batcher);
    return batcher;
  }

  /** Made once: nothing of it depends on who asks. By `offset 0` each inbox is looked up, whatever the planner believes. */
  #textOf(order: Order, unread: boolean | undefined): string {
    const direction = DIRECTIONS[order];
    return sql`
      select asked.nth::int, ${headColumns}, page.*
      from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::int[])
        with ordinality as asked (tenant_id, user_id, after, before, size, nth)
      cross join lateral (
        select * from inbox where tenant_id = asked.tenant_id and user_id = asked.user_id offset 0
      ) i
      left join lateral (
        select ${notificationColumns} from notification n
        where n.inbox_id = i.id and n.seq > asked.after and n.seq < asked.before and ${filterConditions({ unread })}
        order by n.seq ${direction} limit asked.size
      ) page on true
      order by asked.nth, page.seq ${direction}
    `.compile(this.#db).sql;
  }

  async #readTogether(text: string, asked: readonly Asked[]): Promise<Page[]> {
    const { rows } = await this.#db.executeQuery<PageRow & { nth: number }>(
      CompiledQuery.raw(text, [
        asked.map(({ address }) => address.tenantId),
        asked.map(({ address }) => address.userId),
        asked.map(({ request }) => request.after ?? LEAST_POSITION),
        asked.map(({ request }) => request.before ?? GREATEST_POSITION),
        asked.map(({ request }) => request.limit),
      ]),
    );
    let from = 0;
    return asked.map(({ address }, index) => {
      let to = from;
      while (rows[to]?.nth === index + 1) to += 1;
      const own = rows.slice(from, to);
      from = to;
      return toPage(own, address);
    });
  }

  async #readAlone(address: InboxAddress, request: PageRequest): Promise<Page> {
    const { tenantId, userId } = address;
    const { filter, order, limit, before, after, offset = 0 } = request;
    const direction = DIRECTIONS[order];
    const { rows } = await sql<PageRow>`
      select ${headColumns}, page.*
      from inbox i
      left join lateral (
        select ${notificationColumns} from notification n
        where n.inbox_id = i.id
          and n.seq > ${after ?? LEAST_POSITION}::bigint and n.seq < ${before ?? GREATEST_POSITION}::bigint
          and ${filterConditions(filter)}
        order by n.seq ${direction} limit ${limit} offset ${offset}
      ) page on true
      where i.tenant_id = ${tenantId} and i.user_id = ${userId}
      order by page.seq ${direction}
    `.execute(this.#db);
    return toPage(rows, address);
  }
}

function toPage(rows: readonly PageRow[], { tenantId, userId }: InboxAddress): Page {
  const first = rows[0];
  if (!first) return { head: undefined, notifications: [] };
  const inbox = { tenantId, userId, epoch: first.epoch };
  return {
    head: toHead(first),
    notifications: rows.flatMap((row) => (row.id === null ? [] : [toNotification(row, inbox)])),
  };
}
