import { CompiledQuery, type Kysely } from 'kysely';
import type { MikroORM as Database } from '@mikro-orm/postgresql';
import type { CarillonError } from '../errors.ts';
import { newEpoch } from './cursor.ts';
import { recordDeliveries } from './delivery-log.ts';
import { createEarlierSends, orEarlier } from './earlier-sends.ts';
import { type SendItem, type SendResult, fingerprint, toStored } from './send-item.ts';

interface StoredRow {
  nth: number;
  epoch: string;
  version: string;
  unread: number;
  total: number;
  created_at_ms: number;
}

/** Claims the keys of `input` for its rows; a key that is taken keeps its row out. `window` is a parameter, in milliseconds. */
export const claimKeys = (window: string): string => `claimed as (
    insert into idempotency_key as k (tenant_id, sender_id, key, fingerprint, notification_id, created_at)
    select tenant_id, sender_id, key, fingerprint, id, now() from input where key is not null
    order by tenant_id, sender_id, key
    on conflict (tenant_id, sender_id, key) do update
      set fingerprint = excluded.fingerprint, notification_id = excluded.notification_id,
        created_at = excluded.created_at
      where k.created_at <= now() - ${window}::float8 * interval '1 millisecond'
    returning k.notification_id
  )`;

/** Stores a batch; its text is one, so that nothing of it is made anew for each statement. See `parameters`. */
const STORE = `
  with input as (
    select *
    from unnest(
      $1::uuid[], $2::text[], $3::text[],
      $4::text[], $5::text[], $6::text[],
      $7::text[], $8::text[], $9::text[],
      $10::text[], $11::text[], $12::text[],
      $13::text[], $14::text[],
      $15::text[],
      $16::text[],
      $18::timestamptz[]
    ) with ordinality as t (
      id, tenant_id, user_id, sender_id, type, priority, channel, title, content, link, data, related_type,
      related_id, key, fingerprint, epoch, expires_at, nth
    )
  ), ${claimKeys('$17')}, accepted as materialized (
    select input.*,
      row_number() over (partition by tenant_id, user_id order by nth) as place,
      count(*) over (partition by tenant_id, user_id) as places
    from input
    where key is null or id in (select notification_id from claimed)
  ), moved as (
    insert into inbox as i (tenant_id, user_id, epoch, version, total, unread)
    select tenant_id, user_id, min(epoch), count(*), count(*), count(*)
    from accepted group by tenant_id, user_id order by tenant_id, user_id
    on conflict (tenant_id, user_id) do update
      set version = i.version + excluded.version, total = i.total + excluded.total,
        unread = i.unread + excluded.unread
    returning i.id, i.tenant_id, i.user_id, i.epoch, i.version, i.total, i.unread
  ), placed as materialized (
    select a.id, a.nth, a.tenant_id, a.sender_id, a.type, a.priority, a.channel, a.title, a.content, a.link, a.data,
      a.related_type, a.related_id, a.expires_at, m.id as inbox_id, m.epoch, m.version - a.places + a.place as version,
      m.total - a.places + a.place as total, m.unread - a.places + a.place as unread
    from accepted a join moved m on m.tenant_id = a.tenant_id and m.user_id = a.user_id
  ), written as (
    insert into notification (id, tenant_id, inbox_id, seq, version, sender_id, type, priority, channel, status, title, content,
      link, data, related_type, related_id, created_at, expires_at)
    select id, tenant_id, inbox_id, version, version, sender_id, type, priority, channel, 'SENT', title, content, link,
      data::json, related_type, related_id, now(), expires_at
    from placed
  )
  select nth::int, epoch, version, unread::int, total::int,
    (extract(epoch from now()) * 1000)::float8 as created_at_ms
  from placed
`;

/**
 * The same for one send without an idempotency key, which nobody else can keep out: a server that is not busy stores them
 * one by one, and this takes PostgreSQL half the time.
 */
const STORE_ONE = `
  with moved as (
    insert into inbox as i (tenant_id, user_id, epoch, version, total, unread)
    values ($2::text, $3::text, $14::text, 1, 1, 1)
    on conflict (tenant_id, user_id) do update
      set version = i.version + 1, total = i.total + 1, unread = i.unread + 1
    returning i.id, i.epoch, i.version, i.total, i.unread
  ), written as (
    insert into notification (id, tenant_id, inbox_id, seq, version, sender_id, type, priority, channel, status, title, content,
      link, data, related_type, related_id, created_at, expires_at)
    select $1::uuid, $2::text, id, version, version, $4::text, $5::text, $6::text, $7::text, 'SENT', $8::text, $9::text,
      $10::text, $11::json, $12::text, $13::text, now(), $15::timestamptz
    from moved
  )
  select 1 as nth, epoch, version, unread::int, total::int,
    (extract(epoch from now()) * 1000)::float8 as created_at_ms
  from moved
`;

/** What `STORE_ONE` takes, in its order. */
function parametersOfOne(item: SendItem): unknown[] {
  return [
    item.id,
    item.tenantId,
    item.recipientId,
    item.senderId,
    item.type,
    item.priority,
    item.channel,
    item.title,
    item.content,
    item.link,
    item.dataJson,
    item.relatedType,
    item.relatedId,
    newEpoch(),
    item.expiresAt,
  ];
}

/** What `STORE` takes, in its order. */
function parameters(items: readonly SendItem[], idempotencyWindowMs: number): unknown[] {
  const column = <K extends keyof SendItem>(name: K) => items.map((item) => item[name]);
  return [
    column('id'),
    column('tenantId'),
    column('recipientId'),
    column('senderId'),
    column('type'),
    column('priority'),
    column('channel'),
    column('title'),
    column('content'),
    column('link'),
    column('dataJson'),
    column('relatedType'),
    column('relatedId'),
    column('idempotencyKey'),
    items.map((item) => (item.idempotencyKey === null ? null : fingerprint(item))),
    items.map(newEpoch),
    idempotencyWindowMs,
    items.some(({ expiresAt }) => expiresAt !== null) ? column('expiresAt') : null,
  ];
}

/**
 * Stores sends, any number to any inboxes, in one statement: notifications, positions, counters and idempotency keys.
 * Answers in their order; `undefined` for an item that a taken key keeps out.
 *
 * Keys, then inboxes, are locked in sorted order, so that two such statements never wait for each other in a circle.
 */
export async function storeSends(
  db: Pick<Kysely<unknown>, 'executeQuery'>,
  items: readonly SendItem[],
  idempotencyWindowMs: number,
): Promise<(SendResult | undefined)[]> {
  const [first] = items;
  const statement =
    first && items.length === 1 && first.idempotencyKey === null
      ? CompiledQuery.raw(STORE_ONE, parametersOfOne(first))
      : CompiledQuery.raw(STORE, parameters(items, idempotencyWindowMs));
  const { rows } = await db.executeQuery<StoredRow>(statement);
  const stored = new Map(rows.map((row) => [row.nth - 1, row]));
  return items.map((item, index) => {
    const row = stored.get(index);
    return row && toResult(item, row);
  });
}

function toResult(item: SendItem, row: StoredRow): SendResult {
  const version = Number(row.version);
  const { epoch, created_at_ms: createdAtMs } = row;
  const notification = toStored(item, { id: item.id, epoch, seq: version, createdAtMs });
  return {
    notification,
    event: {
      kind: 'added',
      epoch,
      version,
      previousVersion: version - 1,
      unreadCount: row.unread,
      totalCount: row.total,
      notification,
    },
  };
}

/**
 * Stores sends as `storeSends` does. A key that is taken keeps its item out; that item answers with the earlier
 * notification, or with CONFLICT when its content differs.
 */
export function createSendWriter(database: Database, idempotencyWindowMs: number) {
  const earlierOf = createEarlierSends(database);
  return async function write(items: readonly SendItem[]): Promise<(SendResult | CarillonError)[]> {
    const results = await storeSends(database.em.getConnection().getClient(), items, idempotencyWindowMs);
    return orEarlier(items, results, earlierOf);
  };
}

/**
 * The same for sends that go out of the house as well: what they deliver is recorded in the transaction that stores them.
 */
export function createOutwardSendWriter(database: Database, idempotencyWindowMs: number) {
  const earlierOf = createEarlierSends(database);
  return async function write(items: readonly SendItem[]): Promise<(SendResult | CarillonError)[]> {
    const db = database.em.getConnection().getClient();
    const results = await db
      .transaction()
      .execute((transaction) => storeOutward(transaction, items, idempotencyWindowMs));
    return orEarlier(items, results, earlierOf);
  };
}

/** Stores sends as `storeSends` does, and records what they deliver. */
export async function storeOutward(
  transaction: Pick<Kysely<unknown>, 'executeQuery'>,
  items: readonly SendItem[],
  idempotencyWindowMs: number,
): Promise<(SendResult | undefined)[]> {
  const results = await storeSends(transaction, items, idempotencyWindowMs);
  const stored = items.flatMap(({ targets }, index) => {
    const notification = results[index]?.notification;
    return notification && targets.length > 0 ? [{ notification, targets }] : [];
  });
  await recordDeliveries(transaction, stored);
  return results;
}
