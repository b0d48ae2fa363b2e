import { setTimeout as delay } from 'node:timers/promises';
import type { MikroORM as Database } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { type RemovalStep, type RemovedKind, removalSteps } from './data-removal-steps.ts';
import type { DataScope } from './data-scope.ts';
import { DEAD_AFTER_MS } from './presence-table.ts';

export interface RemovalProgress {
  /** What is being done. */
  readonly text: string;
  /** How much of it all is done, from 0 to 1. */
  readonly share: number;
}

export interface DataRemovalOptions {
  database: Database;
  onProgress?: (progress: RemovalProgress) => void;
  /** Ends it between two batches, by rejecting with its reason. Running it again finishes it. */
  signal?: AbortSignal;
}

/**
 * By then every server has read the revocations, which takes a second, ended the connections, and, two seconds after
 * those, would have written that their users are gone.
 */
const NOTICED_MS = 4500;

/** By then every server has written the statistics that it had counted: it does so every five seconds. */
const COUNTED_MS = 6000;

/**
 * Deletes everything that is kept of a scope, in batches that hold few rows for milliseconds; answers with how many rows of
 * each kind. What was stored already when it began is gone when it resolves. Where servers run it goes over everything
 * twice, so that what they were still about to write for the user is gone too. What others send afterwards is kept.
 */
export async function removeData(
  scope: DataScope,
  { database, onProgress, signal }: DataRemovalOptions,
): Promise<Map<RemovedKind, number>> {
  const db = database.em.getConnection().getClient();
  const removed = new Map<RemovedKind, number>();
  const steps = removalSteps(scope);
  const pass = async (): Promise<void> => {
    for (const [nth, step] of steps.entries()) {
      let share = 0;
      const tell = (): void => onProgress?.({ text: textOf(step, removed), share: (nth + share) / steps.length });
      tell();
      await step.run({
        db,
        signal,
        onRemoved(kind, rows) {
          if (rows > 0) removed.set(kind, (removed.get(kind) ?? 0) + rows);
          tell();
        },
        onShare(done) {
          share = done;
          tell();
        },
      });
    }
  };
  const sinceMs = performance.now();
  await pass();
  if (!(await isServed(database))) return removed;
  onProgress?.({ text: 'until every server has taken note', share: 1 });
  const waitMs = (scope.userId === undefined ? COUNTED_MS : NOTICED_MS) - (performance.now() - sinceMs);
  if (waitMs > 0) await delay(waitMs, undefined, { signal });
  await pass();
  return removed;
}

/** Whether a server works on the database now, or did so within the last fifteen seconds. */
export async function isServed(database: Database): Promise<boolean> {
  const { rows } = await sql`
    select from instance where alive_at > now() - ${DEAD_AFTER_MS} * interval '1 millisecond' limit 1
  `.execute(database.em.getConnection().getClient());
  return rows.length > 0;
}

const textOf = ({ kind }: RemovalStep, removed: ReadonlyMap<RemovedKind, number>): string =>
  `${kind}, ${(removed.get(kind) ?? 0).toLocaleString('en-US')} so far`;
