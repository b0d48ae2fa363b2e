import type { MikroORM as Database } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { Batcher } from './batcher.ts';
import type { InboxAddress } from './caller.ts';
import { encodeCursor, newEpoch } from './cursor.ts';
import { STORM_SPACING_MS } from './inbox-log.ts';
import { milliseconds } from './notification.ts';
import { EMPTY_SENDER_HEAD, type Receipt, type SenderHead } from './receipt.ts';

/** Receipts after a version, in order, and the head of the same moment. */
export interface ReceiptPage {
  readonly head: SenderHead;
  readonly receipts: Receipt[];
  /** Whether `receipts` reach up to `head`. */
  readonly complete: boolean;
}

/** A sender whose log moved. */
export interface Numbered {
  readonly address: InboxAddress;
  readonly head: Pick<SenderHead, 'epoch' | 'version'>;
  /** Whether receipts may be left over, as a statement takes only so many. */
  readonly more: boolean;
}

interface Ask {
  readonly address: InboxAddress;
  readonly after: number;
}

interface HeadRow {
  epoch: string;
  head_version: string;
  horizon: string;
}

type PageRow = HeadRow & { nth: number } & (
    | { version: null }
    | { version: string; notification_id: string; recipient_id: string; is_read: boolean; changed_at_ms: number }
  );

const PAGE = 100;
const READERS_OF_STATEMENT = 50;
const HEADS_OF_STATEMENT = 500;
const STATEMENTS = 2;

/** Receipts of one sender that one statement numbers: it holds the head for milliseconds. */
const NUMBERED_TOGETHER = 1000;

/** Senders that one look for receipts without a version brings. */
const SENDERS_OF_LOOK = 500;

const toHead = ({ epoch, head_version, horizon }: HeadRow): SenderHead => ({
  epoch,
  version: Number(head_version),
  horizon: Number(horizon),
});

const tenants = (addresses: readonly InboxAddress[]): string[] => addresses.map(({ tenantId }) => tenantId);
const users = (addresses: readonly InboxAddress[]): string[] => addresses.map(({ userId }) => userId);

/**
 * The logs of senders: receipts in the order of their versions, which are drawn under the lock of the sender's head and
 * so are in commit order. Callers that read at about the same time share statements.
 */
export class ReceiptLog {
  readonly #database: Database;
  readonly #pageSize: number;
  readonly #heads: Batcher<InboxAddress, SenderHead>;
  readonly #pages: Batcher<Ask, ReceiptPage>;

  /** Page sizes are those of the product unless a test says otherwise. */
  constructor(database: Database, { pageSize = PAGE } = {}) {
    this.#database = database;
    this.#pageSize = pageSize;
    const shared = { maxInFlight: STATEMENTS, spacingMs: STORM_SPACING_MS, maxQueued: Number.POSITIVE_INFINITY };
    this.#heads = new Batcher({
      write: (addresses) => this.#readHeads(addresses),
      maxBatch: HEADS_OF_STATEMENT,
      ...shared,
    });
    this.#pages = new Batcher({ write: (asks) => this.#readPages(asks), maxBatch: READERS_OF_STATEMENT, ...shared });
  }

  get #db() {
    return this.#database.em.getConnection().getClient();
  }

  /** The head of a sender's log; version 0 and no epoch when it does not exist yet. */
  head(address: InboxAddress): Promise<SenderHead> {
    return this.#heads.add(address);
  }

  /** The receipts after a version, a page of them. */
  after(address: InboxAddress, version: number): Promise<ReceiptPage> {
    return this.#pages.add({ address, after: version });
  }

  /** Senders with receipts that have no version yet; not all of them when there are hundreds. */
  async unnumbered(): Promise<InboxAddress[]> {
    const { rows } = await sql<{ tenant_id: string; sender_id: string }>`
      select distinct tenant_id, sender_id from receipt where version is null limit ${SENDERS_OF_LOOK}
    `.execute(this.#db);
    return rows.map(({ tenant_id: tenantId, sender_id: userId }) => ({ tenantId, userId }));
  }

  /**
   * Gives versions to the receipts of these senders that have none, in order, and moves their heads. Answers with those
   * whose logs have moved. The same sender must not be given twice.
   */
  async number(addresses: readonly InboxAddress[]): Promise<Numbered[]> {
    const rows = await this.#number(addresses);
    const strange = addresses.filter((_, index) => rows[index]?.epoch === null);
    if (strange.length > 0) {
      await this.#begin(strange);
      return [...toNumbered(addresses, rows), ...toNumbered(strange, await this.#number(strange))];
    }
    return toNumbered(addresses, rows);
  }

  /**
   * Heads are locked in sorted order. Receipts are looked at again as they are locked, after their head: those that
   * another instance has numbered meanwhile drop out, and leave no gap.
   */
  async #number(addresses: readonly InboxAddress[]): Promise<NumberedRow[]> {
    const { rows } = await sql<NumberedRow>`
      with asked as materialized (
        select * from unnest(${tenants(addresses)}::text[], ${users(addresses)}::text[])
          with ordinality as t (tenant_id, user_id, nth)
      ), head as materialized (
        select asked.nth, s.tenant_id, s.user_id, s.epoch, s.version
        from asked join sender_log s on s.tenant_id = asked.tenant_id and s.user_id = asked.user_id
        order by s.tenant_id, s.user_id for update of s
      ), open as materialized (
        select head.nth, head.version, r.id
        from head cross join lateral (
          select id from receipt
          where tenant_id = head.tenant_id and sender_id = head.user_id and version is null
          order by id limit ${sql.lit(NUMBERED_TOGETHER)} for update
        ) r
      ), numbered as (
        update receipt r set version = o.version + o.place
        from (select id, version, row_number() over (partition by nth order by id) as place from open) o
        where r.id = o.id
      ), moved as (
        update sender_log s set version = head.version + o.amount
        from (select nth, count(*) as amount from open group by nth) o join head on head.nth = o.nth
        where s.tenant_id = head.tenant_id and s.user_id = head.user_id
        returning head.nth, s.version, o.amount
      )
      select head.epoch, moved.version, coalesce(moved.amount, 0)::int as amount
      from asked left join head on head.nth = asked.nth left join moved on moved.nth = asked.nth
      order by asked.nth
    `.execute(this.#db);
    return rows;
  }

  async #begin(addresses: readonly InboxAddress[]): Promise<void> {
    await sql`
      insert into sender_log (tenant_id, user_id, epoch)
      select * from unnest(${tenants(addresses)}::text[], ${users(addresses)}::text[],
        ${addresses.map(newEpoch)}::text[]) as t (tenant_id, user_id, epoch)
      order by tenant_id, user_id
      on conflict do nothing
    `.execute(this.#db);
  }

  async #readHeads(addresses: readonly InboxAddress[]): Promise<SenderHead[]> {
    const { rows } = await sql<HeadRow & { nth: number }>`
      select asked.nth::int, s.epoch, s.version as head_version, s.horizon
      from unnest(${tenants(addresses)}::text[], ${users(addresses)}::text[])
        with ordinality as asked (tenant_id, user_id, nth)
      cross join lateral (
        select * from sender_log where tenant_id = asked.tenant_id and user_id = asked.user_id offset 0
      ) s
    `.execute(this.#db);
    const found = new Map(rows.map((row) => [row.nth - 1, toHead(row)]));
    return addresses.map((_, index) => found.get(index) ?? EMPTY_SENDER_HEAD);
  }

  /** By `offset 0` each head is looked up, whatever the planner believes. */
  async #readPages(asks: readonly Ask[]): Promise<ReceiptPage[]> {
    const addresses = asks.map(({ address }) => address);
    const { rows } = await sql<PageRow>`
      select asked.nth::int, s.epoch, s.version as head_version, s.horizon, r.*
      from unnest(${tenants(addresses)}::text[], ${users(addresses)}::text[], ${asks.map(({ after }) => after)}::bigint[])
        with ordinality as asked (tenant_id, user_id, after, nth)
      cross join lateral (
        select * from sender_log where tenant_id = asked.tenant_id and user_id = asked.user_id offset 0
      ) s
      left join lateral (
        select version, notification_id, recipient_id, is_read, ${milliseconds('changed_at')} as changed_at_ms
        from receipt
        where tenant_id = asked.tenant_id and sender_id = asked.user_id and version > asked.after
        order by version limit ${sql.lit(this.#pageSize)}
      ) r on true
      order by asked.nth, r.version
    `.execute(this.#db);
    const byAsk = Map.groupBy(rows, ({ nth }) => nth - 1);
    return asks.map((_, index) => this.#toPage(byAsk.get(index) ?? []));
  }

  #toPage(rows: readonly PageRow[]): ReceiptPage {
    const [first] = rows;
    if (!first) return { head: EMPTY_SENDER_HEAD, receipts: [], complete: true };
    const head = toHead(first);
    const receipts = rows.flatMap((row): Receipt[] => {
      if (row.version === null) return [];
      const version = Number(row.version);
      return [
        {
          cursor: encodeCursor(head.epoch, version),
          version,
          notificationId: row.notification_id,
          recipientId: row.recipient_id,
          readAt: row.is_read ? new Date(row.changed_at_ms) : null,
        },
      ];
    });
    return { head, receipts, complete: receipts.length < this.#pageSize };
  }
}

/** One for each that was asked, in order. */
interface NumberedRow {
  /** `null` when there is no such log yet. */
  epoch: string | null;
  version: string | null;
  amount: number;
}

function toNumbered(addresses: readonly InboxAddress[], rows: readonly NumberedRow[]): Numbered[] {
  return addresses.flatMap((address, index) => {
    const { epoch = null, version = null, amount = 0 } = rows[index] ?? {};
    if (epoch === null || version === null) return [];
    return [{ address, head: { epoch, version: Number(version) }, more: amount === NUMBERED_TOGETHER }];
  });
}
