import type { MikroORM as Database } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { newEpoch } from './cursor.ts';

export interface NewEpochsOptions {
  database: Database;
  onProgress?: (done: number, all: number) => void;
  /** Ends it between two batches, by rejecting with its reason. */
  signal?: AbortSignal;
}

/** Logs of one statement. */
const BATCH = 1000;

/**
 * Gives every inbox and every sender's log a new epoch, so that no cursor from before fits: every client fetches anew. In
 * batches, each a statement of its own. One that was stopped is begun again: a second new epoch is as good as the first.
 */
export async function drawNewEpochs({ database, onProgress, signal }: NewEpochsOptions) {
  const db = database.em.getConnection().getClient();
  const { rows } = await sql<{ inboxes: number; logs: number }>`
    select (select count(*) from inbox)::float8 as inboxes, (select count(*) from sender_log)::float8 as logs
  `.execute(db);
  const all = (rows[0]?.inboxes ?? 0) + (rows[0]?.logs ?? 0);

  let inboxes = 0;
  for (let last: string | undefined = '0'; last !== undefined; ) {
    signal?.throwIfAborted();
    const { rows: found } = await sql<{ id: string }>`
      select id from inbox where id > ${last}::bigint order by id limit ${BATCH}
    `.execute(db);
    const ids = found.map(({ id }) => id);
    await sql`
      update inbox i set epoch = new.epoch
      from unnest(${ids}::bigint[], ${ids.map(newEpoch)}::text[]) as new (id, epoch) where i.id = new.id
    `.execute(db);
    inboxes += ids.length;
    last = ids.at(-1);
    onProgress?.(inboxes, all);
  }

  let logs = 0;
  for (let last: { tenant_id: string; user_id: string } | undefined = { tenant_id: '', user_id: '' }; last; ) {
    signal?.throwIfAborted();
    const { rows: found }: { rows: { tenant_id: string; user_id: string }[] } = await sql<{
      tenant_id: string;
      user_id: string;
    }>`
      select tenant_id, user_id from sender_log where (tenant_id, user_id) > (${last.tenant_id}, ${last.user_id})
      order by tenant_id, user_id limit ${BATCH}
    `.execute(db);
    await sql`
      update sender_log s set epoch = new.epoch
      from unnest(${found.map((one) => one.tenant_id)}::text[], ${found.map((one) => one.user_id)}::text[],
        ${found.map(newEpoch)}::text[]) as new (tenant_id, user_id, epoch)
      where s.tenant_id = new.tenant_id and s.user_id = new.user_id
    `.execute(db);
    logs += found.length;
    last = found.at(-1);
    onProgress?.(inboxes + logs, all);
  }
  return { inboxes, logs };
}
