import type { MikroORM as Database } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { exportQueries } from './data-export-queries.ts';
import type { DataScope } from './data-scope.ts';

export interface DataExportOptions {
  database: Database;
  /** Channels whose addresses are the tenant’s: a user’s export has none of them. */
  tenantChannels: readonly string[];
  /** Takes whole lines. The next ones are read once it has resolved. */
  write: (lines: string) => Promise<void>;
  /** Called with what is being read, and how many lines there are so far. */
  onProgress?: (kind: string, lines: number) => void;
  /** Ends it between two pages, by rejecting with its reason. */
  signal?: AbortSignal;
}

/** Of the form of the lines. A kind or a field that is added does not change it. */
export const EXPORT_VERSION = 1;

/** Rows of one read: with content of the greatest length, some megabytes. */
const PAGE = 200;

/** Line breaks between the tokens of stored JSON; inside its strings there are none. */
const BREAKS = /[\r\n]+/g;

/**
 * Writes everything that is kept of a scope as JSON Lines, all of one moment: objects with their `kind`, of which the
 * first is `export` and says what it is, and the last, `end`, how many of each there are. Without it something is missing.
 * Times are RFC 3339 in UTC. Holds one page at a time, however much there is, and no lock that writers would meet.
 */
export async function exportData(
  scope: DataScope,
  { database, tenantChannels, write, onProgress, signal }: DataExportOptions,
): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  let lines = 0;
  const db = database.em.getConnection().getClient();
  await db
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(async (transaction) => {
      // A page of a rare kind may take the read of a whole table.
      await sql`set local statement_timeout = 0`.execute(transaction);
      await sql`set local timezone = 'UTC'`.execute(transaction);
      const { rows } = await sql<{ now: string }>`select to_json(now())->>0 as now`.execute(transaction);
      await write(lineOf('export', { version: EXPORT_VERSION, ...scope, at: rows[0]?.now }));
      for (const { kind, rows: query } of exportQueries(scope, tenantChannels)) {
        onProgress?.(kind, lines);
        await sql`declare page no scroll cursor for select row_to_json(x)::text as line from (${query}) x`.execute(
          transaction,
        );
        for (;;) {
          signal?.throwIfAborted();
          const page = await sql<{ line: string }>`fetch ${sql.lit(PAGE)} from page`.execute(transaction);
          if (page.rows.length === 0) break;
          await write(page.rows.map(({ line }) => labelled(kind, line)).join(''));
          counts.set(kind, (counts.get(kind) ?? 0) + page.rows.length);
          lines += page.rows.length;
          onProgress?.(kind, lines);
        }
        await sql`close page`.execute(transaction);
      }
      await write(lineOf('end', { counts: Object.fromEntries(counts) }));
    });
  return counts;
}

const lineOf = (kind: string, rest: object): string => `${JSON.stringify({ kind, ...rest })}\n`;

/** The object that PostgreSQL wrote, with its kind before everything else. */
const labelled = (kind: string, object: string): string =>
  `{"kind":${JSON.stringify(kind)},${object.slice(1).replaceAll(BREAKS, ' ')}\n`;
