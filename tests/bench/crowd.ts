import type { Client } from 'pg';
import type { InboxAddress } from '../../src/services/caller.ts';

/** A log that is large where it matters, written by SQL: one large inbox, and thousands of small ones beside it. */
export interface Crowd {
  readonly large: InboxAddress;
  readonly small: readonly InboxAddress[];
  /** Additions that each ever had; a fifth of them is gone. */
  readonly additions: { large: number; small: number };
  /** Who sent all that there is, and who sent little. */
  readonly senders: { readonly large: InboxAddress; readonly small: readonly InboxAddress[] };
  /**
   * The version at which an inbox with so many additions became quiet: up to here each addition was followed by a
   * change or the deletion of it; from here on there are additions only.
   */
  quietFrom(additions: number): number;
  /** The version of its head. */
  headOf(additions: number): number;
}

/** Of everybody in it. */
export const TENANT = 'crowd';
const TABLES = ['inbox', 'notification', 'tombstone', 'receipt', 'sender_log'];
const SMALL_INBOXES = 5000;
const SMALL = 50;
/** Each with 25 receipts. */
const SMALL_SENDERS = 5000;
/** So many of them have five receipts without a version yet. */
const FORGETFUL_SENDERS = 200;

/** Additions that the large inbox ever had. */
export const LARGE = 375_000;

/** Of four additions in the first part of a log two are read, one is marked as unread, and one is deleted. */
const BUSY_SHARE = 0.8;
const busy = (additions: number): number => additions * BUSY_SHARE;

/** What became of an addition `s` of `n`: its position, the version of its last change, and whether it is read or gone. */
const FATE = `
  select id as inbox_id, s, n, s <= n * ${BUSY_SHARE} as was_busy,
    case when s <= n * ${BUSY_SHARE} then 2 * s - 1 else s + n * ${BUSY_SHARE} end::bigint as seq,
    case when s <= n * ${BUSY_SHARE} then 2 * s else s + n * ${BUSY_SHARE} end::bigint as version,
    s <= n * ${BUSY_SHARE} and s % 4 = 0 as is_gone,
    s <= n * ${BUSY_SHARE} and s % 2 = 1 as is_read,
    now() - (10000000 - i) * interval '10 milliseconds' as at, i`;

/** The rows of different inboxes lie side by side, as they do when they come over time: of five, three are of the large one. */
const ARRIVALS = `
  select i, case when i % 5 < 3 then 1 else 2 + (2 * (i / 5) + i % 5 - 3) % ${SMALL_INBOXES} end as id,
    case when i % 5 < 3 then 3 * (i / 5) + i % 5 + 1 else (2 * (i / 5) + i % 5 - 3) / ${SMALL_INBOXES} + 1 end as s,
    case when i % 5 < 3 then ${LARGE} else ${SMALL} end as n
  from generate_series(0, ${LARGE + SMALL * SMALL_INBOXES - 1}) i`;

/**
 * Fills an empty database; takes a few seconds. Nothing is analyzed, and never will be by PostgreSQL's own decision: the
 * statistics are the caller's.
 */
export async function gatherCrowd(client: Client): Promise<Crowd> {
  for (const table of TABLES) {
    await client.query(`alter table ${table} set (autovacuum_enabled = off)`);
  }
  await client.query('begin');
  // Half a million looks at whether the inbox exists are saved.
  await client.query('set local session_replication_role = replica');
  const gone = (additions: string) => `${additions} * ${BUSY_SHARE} / 4`;
  await client.query(`
    insert into inbox (id, tenant_id, user_id, epoch, version, total, unread)
    select u, '${TENANT}', 'user ' || u, lpad(u::text, 11, '0'), n * (1 + ${BUSY_SHARE}), n - ${gone('n')},
      n - 3 * ${gone('n')}
    from (select u, case when u = 1 then ${LARGE} else ${SMALL} end as n
      from generate_series(1, ${SMALL_INBOXES + 1}) u) as users`);
  await client.query(`select setval(pg_get_serial_sequence('inbox', 'id'), ${SMALL_INBOXES + 1})`);
  await client.query(`
    insert into notification (id, tenant_id, inbox_id, seq, version, sender_id, type, priority, channel, status, title,
      content, created_at, read_at)
    select (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '70008000' || lpad(to_hex(i), 12, '0'))::uuid,
      '${TENANT}', inbox_id, seq, version, 'sender', (array['SYSTEM', 'APPROVAL', 'TASK', 'MESSAGE', 'ALERT'])[1 + s % 5],
      (array['LOW', 'NORMAL', 'HIGH', 'URGENT'])[1 + s % 4], 'IN_APP', case when is_read then 'READ' else 'SENT' end,
      'Notification ' || seq, repeat('Some words of it. ', 8), at, case when is_read then at end
    from (${FATE} from (${ARRIVALS}) as arrivals) as fates where not is_gone order by i`);
  await client.query(`
    insert into tombstone (tenant_id, inbox_id, notification_id, version, seq, deleted_at)
    select '${TENANT}', inbox_id, gen_random_uuid(), version, seq, at
    from (${FATE} from (${ARRIVALS}) as arrivals) as fates where is_gone order by i`);
  await client.query(`
    insert into receipt (tenant_id, sender_id, notification_id, recipient_id, is_read, changed_at, version)
    select tenant_id, sender_id, id, 'user ' || inbox_id, true, read_at, row_number() over (order by id)
    from notification where read_at is not null order by id`);
  await client.query(`
    insert into receipt (tenant_id, sender_id, notification_id, recipient_id, is_read, changed_at, version)
    select '${TENANT}', 'sender ' || s, gen_random_uuid(), 'user 1', true, now(), case when n <= 20 or s > ${FORGETFUL_SENDERS} then n end
    from generate_series(1, 25) n, generate_series(1, ${SMALL_SENDERS}) s order by n, s`);
  await client.query(`
    insert into sender_log (tenant_id, user_id, epoch, version)
    select tenant_id, sender_id, lpad(row_number() over ()::text, 11, '0'), max(version)
    from receipt group by tenant_id, sender_id`);
  await client.query('commit');
  const address = (user: number): InboxAddress => ({ tenantId: TENANT, userId: `user ${user}` });
  const sender = (userId: string): InboxAddress => ({ tenantId: TENANT, userId });
  return {
    senders: {
      large: sender('sender'),
      small: Array.from({ length: SMALL_SENDERS }, (_, index) => sender(`sender ${index + 1}`)),
    },
    large: address(1),
    small: Array.from({ length: SMALL_INBOXES }, (_, index) => address(index + 2)),
    additions: { large: LARGE, small: SMALL },
    quietFrom: (additions) => 2 * busy(additions),
    headOf: (additions) => additions + busy(additions),
  };
}

/** The planner multiplies the rows per page that the catalog tells by the pages that the file has. */
export async function pretendRows(client: Client, factor: number): Promise<void> {
  await client.query(
    `update pg_class set reltuples = reltuples * $1
     where relkind in ('r', 'i') and reltuples > 0 and (relname ~ '^(inbox|notification|tombstone|receipt|sender_log)')`,
    [factor],
  );
}
