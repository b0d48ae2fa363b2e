import type { MikroORM as Database } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { Batcher } from './batcher.ts';
import type { InboxAddress } from './caller.ts';
import type { InboxEvent } from './inbox-event.ts';
import { isInInbox } from './inbox-filter.ts';
import { STORM_SPACING_MS } from './inbox-log.ts';
import { EMPTY_HEAD, type HeadRow, type InboxHead, headColumns, toHead } from './inbox-head.ts';
import { type NotificationRow, notificationColumns, toNotification } from './notification.ts';

/** A page of changes, all of one moment. */
export interface Replay {
  readonly head: InboxHead;
  readonly events: readonly InboxEvent[];
  /** Whether `events` reach up to `head`. */
  readonly complete: boolean;
  /** Whether deletions that the reader has to be told of are forgotten by now: it has to fetch anew. */
  readonly expired: boolean;
}

interface Ask {
  address: InboxAddress;
  /** Only changes after this version. */
  after: number;
  /** Up to here the reader knows of additions: what was added later and is gone by now never reached it. */
  start: number;
  /** The head at the reader's first page: what was deleted by then is in none of its pages. */
  known: number;
  additionsOnly: boolean;
}

interface ChangeRow extends NotificationRow {
  at: string;
  kind: 'added' | 'changed' | 'deleted';
}

type Row = HeadRow & { nth: number } & (ChangeRow | { kind: null });

/** Rows of a reader's first page: few, as many readers come at once after a restart, and most missed little. */
const FIRST_PAGE = 20;
const FURTHER_PAGE = 50;

/** Readers that share one statement: no answer holds up everything else for longer than two thousand rows do. */
const READERS_OF_FIRST = 100;
const READERS_OF_FURTHER = 5;

const STATEMENTS = 2;

/** Larger than any version, and safe as a number. */
const NO_LIMIT = Number.MAX_SAFE_INTEGER;

/**
 * Reads what changed in inboxes after given versions: additions that still stand, with their present state, and changes
 * and deletions of what was there before; each at its version, in order. What came and went meanwhile is left out, and
 * counts are those of the head. Readers that ask at about the same time share statements.
 */
export class InboxReplays {
  readonly #first: Batcher<Ask, Replay>;
  readonly #further: Batcher<Ask, Replay>;

  /** Page sizes are in rows of each kind; those of the product unless a test says otherwise. */
  constructor(database: Database, { firstPage = FIRST_PAGE, furtherPage = FURTHER_PAGE } = {}) {
    const batcher = (limit: number, maxBatch: number) =>
      new Batcher<Ask, Replay>({
        write: (asks) => readForAll(database, asks, limit),
        maxBatch,
        maxInFlight: STATEMENTS,
        spacingMs: STORM_SPACING_MS,
        maxQueued: Number.POSITIVE_INFINITY,
      });
    this.#first = batcher(firstPage, READERS_OF_FIRST);
    this.#further = batcher(furtherPage, READERS_OF_FURTHER);
  }

  /**
   * A reader of all that comes after a version, page by page; one page at a time. With `everyDeletion` for somebody who
   * may know of later additions: what came and went is told of, too, by its deletion.
   */
  after(address: InboxAddress, version: number, { additionsOnly = false, everyDeletion = false } = {}): ReplayReader {
    const start = everyDeletion ? NO_LIMIT : version;
    return new ReplayReader({ address, after: version, start, known: NO_LIMIT, additionsOnly }, (ask, isFirst) =>
      (isFirst ? this.#first : this.#further).add(ask),
    );
  }
}

/** Pages through the changes after a version. */
export class ReplayReader {
  #ask: Ask;
  #isFirst = true;
  readonly #read: (ask: Ask, isFirst: boolean) => Promise<Replay>;

  constructor(ask: Ask, read: (ask: Ask, isFirst: boolean) => Promise<Replay>) {
    this.#ask = ask;
    this.#read = read;
  }

  /** The next page. A page that failed can be asked for again. */
  async next(): Promise<Replay> {
    const replay = await this.#read(this.#ask, this.#isFirst);
    const { head, events, complete } = replay;
    const reached = complete ? Math.max(head.version, this.#ask.after) : (events.at(-1)?.version ?? this.#ask.after);
    const known = this.#isFirst ? head.version : this.#ask.known;
    this.#ask = { ...this.#ask, after: reached, known };
    this.#isFirst = false;
    return replay;
  }

  /** What the next page may hold of events, about; none of its first one, which every reader has. */
  get toPayFor(): number {
    return this.#isFirst ? 0 : FURTHER_PAGE;
  }

  /** The version up to which pages have been read. */
  get reached(): number {
    return this.#ask.after;
  }
}

/** Those who ask the same share an answer: after a restart a user's devices, or many subscriptions of one client, do. */
async function readForAll(database: Database, asks: readonly Ask[], limit: number): Promise<Replay[]> {
  const places = new Map<string, number>();
  const different: Ask[] = [];
  const placeOf = asks.map((ask) => {
    const { address, after, start, known, additionsOnly } = ask;
    const key = JSON.stringify([address.tenantId, address.userId, after, start, known, additionsOnly]);
    const place = places.get(key) ?? different.push(ask) - 1;
    places.set(key, place);
    return place;
  });
  const replays = await readChanges(database, different, limit);
  return placeOf.map((place) => replays[place] as Replay);
}

async function readChanges(database: Database, asks: readonly Ask[], limit: number): Promise<Replay[]> {
  const column = <T>(read: (ask: Ask) => T) => asks.map(read);
  // Rows that changed together are one event, which is never cut: "with ties". A reader that began with nothing is told of
  // no deletion from before its first page, and need not pass over them. A recalled row is what a tombstone is of others.
  const { rows } = await sql<Row>`
    select asked.nth::int, ${headColumns}, change.*
    from unnest(
      ${column(({ address }) => address.tenantId)}::text[], ${column(({ address }) => address.userId)}::text[],
      ${column(({ after }) => after)}::bigint[], ${column(({ start }) => start)}::bigint[],
      ${column(({ known }) => known)}::bigint[], ${column(({ additionsOnly }) => additionsOnly)}::boolean[]
    ) with ordinality as asked (tenant_id, user_id, after, start, known, additions_only, nth)
    join inbox i on i.tenant_id = asked.tenant_id and i.user_id = asked.user_id
    left join lateral (
      (select n.seq as at, 'added' as kind, ${notificationColumns} from notification n
        where n.inbox_id = i.id and n.seq > asked.after and ${isInInbox} order by n.seq limit ${sql.lit(limit)})
      union all
      (select n.version, 'changed', ${notificationColumns} from notification n
        where n.inbox_id = i.id and n.version > asked.after and n.version > n.seq and not asked.additions_only
          and (${isInInbox} or n.seq <= asked.start or n.version > asked.known)
        order by n.version fetch first ${sql.lit(limit)} rows with ties)
      union all
      (select t.version, 'deleted', t.notification_id, t.seq, t.version, null, null, null, null, null, null, null, null,
          null, null, null, null, null, null from tombstone t
        where t.inbox_id = i.id and not asked.additions_only
          and t.version > case when asked.start = 0 then greatest(asked.after, asked.known) else asked.after end
          and (t.seq <= asked.start or t.version > asked.known)
        order by t.version fetch first ${sql.lit(limit)} rows with ties)
    ) change on true
    order by asked.nth, change.at
  `.execute(database.em.getConnection().getClient());

  const byAsk = new Map<number, Row[]>();
  for (const row of rows) {
    const group = byAsk.get(row.nth - 1);
    if (group) group.push(row);
    else byAsk.set(row.nth - 1, [row]);
  }
  return asks.map((ask, index) => toReplay(byAsk.get(index) ?? [], ask, limit));
}

function toReplay(rows: readonly Row[], ask: Ask, limit: number): Replay {
  const { address, after } = ask;
  const [first] = rows;
  if (!first) return { head: EMPTY_HEAD, events: [], complete: true, expired: false };
  const head = toHead(first);
  const changes = rows.filter((row): row is Row & ChangeRow => row.kind !== null);
  // Whoever began with nothing has nothing that could be deleted, but for what the earlier pages told.
  const needed = ask.start === 0 ? ask.known : after;
  const expired = !ask.additionsOnly && head.horizon > needed;
  return { head, expired, ...toEvents(changes, { ...head, ...address }, after, limit) };
}

/** Joins rows that changed together, and stops where one of the cut lists may hold something earlier. */
function toEvents(
  rows: readonly ChangeRow[],
  head: InboxHead & InboxAddress,
  after: number,
  limit: number,
): { events: readonly InboxEvent[]; complete: boolean } {
  let end = Number.POSITIVE_INFINITY;
  for (const kind of ['added', 'changed', 'deleted'] as const) {
    const ofKind = rows.filter((row) => row.kind === kind);
    if (ofKind.length >= limit) end = Math.min(end, Number(ofKind.at(-1)?.at));
  }
  const events: InboxEvent[] = [];
  let ids: string[] = [];
  for (const row of rows) {
    const version = Number(row.at);
    if (version > end) break;
    const last = events.at(-1);
    if (last?.version === version) {
      ids.push(row.id);
      continue;
    }
    const change = {
      epoch: head.epoch,
      version,
      previousVersion: last?.version ?? after,
      unreadCount: head.unreadCount,
      totalCount: head.totalCount,
    };
    ids = [row.id];
    const recalled = row.status === 'RECALLED';
    if (row.kind === 'deleted' || recalled) events.push({ ...change, kind: 'deleted', ids, recalled });
    else if (row.kind === 'changed' && row.read_at_ms !== null) {
      events.push({ ...change, kind: 'read', ids, readAt: new Date(row.read_at_ms) });
    } else {
      const kind = row.kind === 'added' ? 'added' : 'updated';
      events.push({ ...change, kind, notification: toNotification(row, head) });
    }
  }
  return { events, complete: end === Number.POSITIVE_INFINITY };
}
