import type { Client } from 'pg';
import { newEpoch } from '../src/services/cursor.ts';

export interface Filling {
  readonly tenantId: string;
  readonly userIds: readonly string[];
  /** New notifications of each user. */
  readonly rowsEach: number;
  /** Told after each step how many rows there are by now, of all inboxes together. */
  readonly onProgress?: (rows: number) => void;
  /** Ends it between two steps, with its reason. */
  readonly signal?: AbortSignal;
}

/** Rows of one statement: an inbox is locked for a moment only, and what an interruption leaves is whole. */
const STEP = 20_000;

/** From so many rows on the planner should know of them, and pages be marked as visible to all. */
const LARGE = 10_000;

/**
 * One statement for one step, as a send is: it takes the next versions of each inbox under its lock, and moves the
 * counters with them. `$3` rows each, of which those at even places are unread; places go on from `$4`.
 */
const FILL = `
  with moved as (
    insert into inbox as i (tenant_id, user_id, epoch, version, total, unread)
    select $1, asked.user_id, asked.epoch, $3::int, $3::int, ($4::int + $3::int) / 2 - $4::int / 2
    from unnest($2::text[], $5::text[]) as asked (user_id, epoch) order by asked.user_id
    on conflict (tenant_id, user_id) do update
      set version = i.version + excluded.version, total = i.total + excluded.total,
        unread = i.unread + excluded.unread
    returning i.id, i.version
  ), placed as (
    -- The clock is read once a row, so that an id and its row are of the same millisecond.
    select moved.id as inbox_id, moved.version - $3::int + nth as seq, $4::int + nth as place,
      clock_timestamp() as created_at
    from generate_series(1, $3::int) nth cross join moved
  )
  insert into notification (id, tenant_id, inbox_id, seq, version, sender_id, type, priority, channel, status, title,
    content, created_at, read_at)
  select
    -- A random UUID with the milliseconds in front, and version 4 made 7 (RFC 9562 section 5.7).
    encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) placing
      substring(int8send(floor(extract(epoch from created_at) * 1000)::bigint) from 3) from 1), 52, 1), 53, 1), 'hex')::uuid,
    $1, inbox_id, seq, seq, 'filler',
    (array['SYSTEM', 'APPROVAL', 'TASK', 'MESSAGE', 'ALERT'])[1 + place % 5],
    (array['LOW', 'NORMAL', 'NORMAL', 'NORMAL', 'HIGH', 'URGENT'])[1 + place % 6],
    'IN_APP', case when place % 2 = 0 then 'SENT' else 'READ' end,
    'Notification ' || seq, 'It was written by a program, to see how a large inbox behaves. It is as long as many are.',
    created_at, case when place % 2 = 0 then null else created_at end
  from placed`;

/**
 * Adds notifications to inboxes, which come into being where there are none: `rowsEach` to each, every second one
 * unread, at the versions after those that are there. Everything else is as sends would have left it; the read ones were
 * read in the moment they came, which took no version of its own. The database must have the newest schema. Rows go in
 * step by step; an interruption leaves whole steps.
 *
 * After many rows the tables are vacuumed and analyzed, as their statistics decide how they are read.
 */
export async function fillInboxes(client: Client, filling: Filling): Promise<void> {
  const { tenantId, userIds, rowsEach, onProgress, signal } = filling;
  const together = Math.max(1, Math.floor(STEP / Math.max(1, rowsEach)));
  for (let first = 0; first < userIds.length; first += together) {
    const users = userIds.slice(first, first + together);
    for (let done = 0; done < rowsEach; done += STEP) {
      signal?.throwIfAborted();
      const rows = Math.min(STEP, rowsEach - done);
      await client.query(FILL, [tenantId, users, rows, done, users.map(newEpoch)]);
      onProgress?.(first * rowsEach + users.length * (done + rows));
    }
  }
  if (userIds.length * rowsEach >= LARGE) await client.query('vacuum (analyze) notification, inbox');
}
