import { createHash } from 'node:crypto';
import { CompiledQuery, sql } from 'kysely';
import type { MikroORM as Database } from '@mikro-orm/postgresql';
import { CarillonError } from '../errors.ts';
import { inboxKey } from './caller.ts';
import { NO_EPOCH, encodeCursor, newEpoch } from './cursor.ts';
import type { InboxEvent } from './inbox-event.ts';
import { type Notification, milliseconds } from './notification.ts';
import type { SendContent } from './notification-rules.ts';

/** A send that passed every rule, ready to be stored. */
export interface SendItem extends SendContent {
  readonly id: string;
  readonly tenantId: string;
  readonly recipientId: string;
  readonly senderId: string;
  /** The JSON text of `data`. */
  readonly dataJson: string | null;
}

export interface SendResult {
  readonly notification: Notification;
  /** What changed; absent when an idempotency key answered with an earlier notification. */
  readonly event?: InboxEvent;
}

interface StoredRow {
  nth: number;
  epoch: string;
  version: string;
  unread: number;
  total: number;
  created_at_ms: number;
}

interface EarlierRow {
  tenant_id: string;
  sender_id: string;
  key: string;
  fingerprint: string;
  notification_id: string;
  created_at_ms: number;
  epoch: string | null;
  seq: string | null;
}

/** The same for two sends exactly when they would make the same notification. */
function fingerprint(item: SendItem): string {
  const { recipientId, type, priority, channel, title, content, link, dataJson, relatedType, relatedId } = item;
  const parts = [recipientId, type, priority, channel, title, content, link, dataJson, relatedType, relatedId];
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url');
}

/** Names a sender's key in maps. */
const keyName = (tenantId: string, senderId: string, key: string): string => JSON.stringify([tenantId, senderId, key]);

export const exclusiveKeyOf = ({ tenantId, senderId, idempotencyKey }: SendItem): string | undefined =>
  idempotencyKey === null ? undefined : keyName(tenantId, senderId, idempotencyKey);

/** Sends to one inbox wait for its row: those of two statements would wait for each other's commit. */
export const inboxKeyOf = ({ tenantId, recipientId: userId }: SendItem): string => inboxKey({ tenantId, userId });

const toStored = (
  item: SendItem,
  stored: { id: string; epoch: string; seq: number; createdAtMs: number },
): Notification => ({
  id: stored.id,
  cursor: encodeCursor(stored.epoch, stored.seq),
  changeCursor: encodeCursor(stored.epoch, stored.seq),
  tenantId: item.tenantId,
  recipientId: item.recipientId,
  senderId: item.senderId,
  type: item.type,
  priority: item.priority,
  channel: item.channel,
  status: 'SENT',
  title: item.title,
  content: item.content,
  link: item.link,
  data: item.data,
  relatedType: item.relatedType,
  relatedId: item.relatedId,
  readAt: null,
  createdAt: new Date(stored.createdAtMs),
});

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
      $16::text[]
    ) with ordinality as t (
      id, tenant_id, user_id, sender_id, type, priority, channel, title, content, link, data, related_type,
      related_id, key, fingerprint, epoch, nth
    )
  ), claimed as (
    insert into idempotency_key as k (tenant_id, sender_id, key, fingerprint, notification_id, created_at)
    select tenant_id, sender_id, key, fingerprint, id, now() from input where key is not null
    order by tenant_id, sender_id, key
    on conflict (tenant_id, sender_id, key) do update
      set fingerprint = excluded.fingerprint, notification_id = excluded.notification_id,
        created_at = excluded.created_at
      where k.created_at <= now() - $17::float8 * interval '1 millisecond'
    returning k.notification_id
  ), accepted as materialized (
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
    select a.id, a.nth, a.sender_id, a.type, a.priority, a.channel, a.title, a.content, a.link, a.data,
      a.related_type, a.related_id, m.id as inbox_id, m.epoch, m.version - a.places + a.place as version,
      m.total - a.places + a.place as total, m.unread - a.places + a.place as unread
    from accepted a join moved m on m.tenant_id = a.tenant_id and m.user_id = a.user_id
  ), written as (
    insert into notification (id, inbox_id, seq, version, sender_id, type, priority, channel, status, title, content,
      link, data, related_type, related_id, created_at)
    select id, inbox_id, version, version, sender_id, type, priority, channel, 'SENT', title, content, link,
      data::json, related_type, related_id, now()
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
    insert into notification (id, inbox_id, seq, version, sender_id, type, priority, channel, status, title, content,
      link, data, related_type, related_id, created_at)
    select $1::uuid, id, version, version, $4::text, $5::text, $6::text, $7::text, 'SENT', $8::text, $9::text,
      $10::text, $11::json, $12::text, $13::text, now()
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
  ];
}

/**
 * Stores sends, any number to any inboxes, in one statement: notifications, positions, counters and idempotency keys.
 *
 * Keys, then inboxes, are locked in sorted order, so that two such statements never wait for each other in a circle.
 * A key that is taken keeps its item out; that item answers with the earlier notification, or with CONFLICT when its
 * content differs.
 */
export function createSendWriter(database: Database, idempotencyWindowMs: number) {
  return async function write(items: readonly SendItem[]): Promise<(SendResult | CarillonError)[]> {
    const db = database.em.getConnection().getClient();
    const [first] = items;
    const statement =
      first && items.length === 1 && first.idempotencyKey === null
        ? CompiledQuery.raw(STORE_ONE, parametersOfOne(first))
        : CompiledQuery.raw(STORE, parameters(items, idempotencyWindowMs));
    const { rows } = await db.executeQuery<StoredRow>(statement);

    const stored = new Map(rows.map((row) => [row.nth - 1, row]));
    const kept = items.filter((_, index) => !stored.has(index));
    const earlier = kept.length === 0 ? new Map<string, EarlierRow>() : await findEarlier(kept);
    return items.map((item, index) => {
      const row = stored.get(index);
      return row ? toResult(item, row) : toEarlier(item, earlier.get(exclusiveKeyOf(item) as string));
    });
  };

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

  function toEarlier(item: SendItem, row: EarlierRow | undefined): SendResult | CarillonError {
    if (!row || row.fingerprint !== fingerprint(item)) {
      return new CarillonError('CONFLICT', 'This idempotency key was already used with other content.', {
        field: 'idempotencyKey',
      });
    }
    const { notification_id: id, created_at_ms: createdAtMs } = row;
    return {
      notification: toStored(item, { id, epoch: row.epoch ?? NO_EPOCH, seq: Number(row.seq ?? 0), createdAtMs }),
    };
  }

  /** What the taken keys stand for. The content is the repeated item's own: the fingerprint says that it is the same. */
  async function findEarlier(items: readonly SendItem[]): Promise<Map<string, EarlierRow>> {
    const { rows } = await sql<EarlierRow>`
      select k.tenant_id, k.sender_id, k.key, k.fingerprint, k.notification_id,
        ${milliseconds('k.created_at')} as created_at_ms, i.epoch, coalesce(n.seq, t.seq) as seq
      from unnest(${items.map((item) => item.tenantId)}::text[], ${items.map((item) => item.senderId)}::text[],
        ${items.map((item) => item.idempotencyKey)}::text[], ${items.map((item) => item.recipientId)}::text[])
        as asked (tenant_id, sender_id, key, user_id)
      join idempotency_key k using (tenant_id, sender_id, key)
      left join inbox i on i.tenant_id = asked.tenant_id and i.user_id = asked.user_id
      left join notification n on n.id = k.notification_id
      left join tombstone t on t.inbox_id = i.id and t.notification_id = k.notification_id
    `.execute(database.em.getConnection().getClient());
    return new Map(rows.map((row) => [keyName(row.tenant_id, row.sender_id, row.key), row]));
  }
}
