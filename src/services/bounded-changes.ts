import { setTimeout as delay } from 'node:timers/promises';
import { type Kysely, type RawBuilder, sql } from 'kysely';

/** What all steps of a change of many rows share. */
export interface BoundedChange {
  readonly db: Kysely<unknown>;
  /** Ends it between two statements, by rejecting with its reason. */
  readonly signal: AbortSignal | undefined;
  /** Told after each statement how many rows it changed. */
  readonly onChanged: (rows: number) => void;
}

/** Rows of one statement: it holds them for milliseconds. */
const BATCH = 500;

/** Rows that one statement looks at where no index leads to those that are meant. */
const PAGE = 5000;

const LOOK_AGAIN_MS = 20;

/** Nobody holds a row for longer, but a server whose database does not answer. */
const PATIENCE_MS = 30_000;

const key = { uuid: '00000000-0000-0000-0000-000000000000', bigint: '-1' } as const;

const verb = (table: string, change: RawBuilder<unknown> | undefined): RawBuilder<unknown> =>
  change ? sql`update ${sql.table(table)} t set ${change}` : sql`delete from ${sql.table(table)} t`;

/**
 * Deletes all rows `t` of a table that an index leads to, or, with `change`, changes them so that they are meant no more.
 * Rows that somebody holds are passed over, so that it never waits for whoever waits for it, and looked at again.
 *
 * @throws Error when somebody does not let go of one.
 */
export async function changeAll(
  { db, signal, onChanged }: BoundedChange,
  table: string,
  isMeant: RawBuilder<boolean>,
  change?: RawBuilder<unknown>,
): Promise<void> {
  let sinceMs = performance.now();
  for (;;) {
    signal?.throwIfAborted();
    const { rows } = await sql<{ n: number }>`
      with changed as (
        ${verb(table, change)} where t.ctid = any(array(
          select t.ctid from ${sql.table(table)} t where ${isMeant} limit ${sql.lit(BATCH)} for update skip locked
        )) returning 1
      ) select count(*)::int as n from changed
    `.execute(db);
    const n = rows[0]?.n ?? 0;
    onChanged(n);
    if (n === BATCH) continue;
    const { rows: left } = await sql`select from ${sql.table(table)} t where ${isMeant} limit 1`.execute(db);
    if (left.length === 0) return;
    if (n > 0) sinceMs = performance.now();
    if (performance.now() - sinceMs > PATIENCE_MS) {
      throw new Error(`rows of ${table} are held by another session: end it, and run this again`);
    }
    await delay(LOOK_AGAIN_MS, undefined, { signal });
  }
}

/**
 * Deletes rows `t` of a table that no index leads to, by a walk over all of it in the order of its `id`. Rows that
 * somebody holds are passed over; another walk finds them.
 */
export async function deleteByWalk(
  { db, signal, onChanged }: BoundedChange,
  table: string,
  type: keyof typeof key,
  isMeant: RawBuilder<boolean>,
): Promise<void> {
  for (let last: string | null = key[type]; last !== null; ) {
    signal?.throwIfAborted();
    const { rows }: { rows: { last: string | null; n: number }[] } = await sql<{ last: string | null; n: number }>`
      with page as materialized (
        select p.id from ${sql.table(table)} p where p.id > ${last}::${sql.raw(type)} order by p.id limit ${sql.lit(PAGE)}
      ), gone as (
        delete from ${sql.table(table)} t where t.ctid = any(array(
          select t.ctid from ${sql.table(table)} t join page using (id) where ${isMeant} for update of t skip locked
        )) returning 1
      )
      select (select id from page order by id desc limit 1)::text as last, count(*)::int as n from gone
    `.execute(db);
    last = rows[0]?.last ?? null;
    onChanged(rows[0]?.n ?? 0);
  }
}
