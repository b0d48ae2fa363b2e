import type { MikroORM as Database } from '@mikro-orm/postgresql';
import { CompiledQuery, sql } from 'kysely';
import type { Config } from '../config.ts';
import { type CarillonError, badInput, notFound } from '../errors.ts';
import type { Activity } from './activity.ts';
import { Batcher } from './batcher.ts';
import { type Caller, hasRole } from './caller.ts';
import { reachDatabase } from './database-failure.ts';
import type { Target } from './delivery.ts';
import { createEarlierSends, orEarlier } from './earlier-sends.ts';
import type { Hub } from './hub.ts';
import { type Json, type Notification, milliseconds } from './notification.ts';
import type { Rules } from './notification-rules.ts';
import { type SendItem, type SendResult, exclusiveKeyOf, fingerprint, toPending } from './send-item.ts';
import { claimKeys, storeOutward } from './send-writer.ts';

export interface ScheduledSendsOptions {
  database: Database;
  config: Pick<Config, 'maxQueuedSends' | 'maxSendBatch' | 'idempotencyWindow' | 'defaultPageSize' | 'maxPageSize'>;
  rules: Rules;
  hub: Hub;
  activity: Pick<Activity, 'sent'>;
}

type ScheduledRow = Record<'id' | 'tenant_id' | 'sender_id' | 'recipient_id' | 'title' | 'content', string> &
  Record<'link' | 'related_type' | 'related_id' | 'data_json', string | null> &
  Pick<SendItem, 'type' | 'priority' | 'channel'> & {
    send_at_ms: number;
    expires_at_ms: number | null;
    created_at_ms: number;
    targets: Target[] | null;
  };

/** Stores a batch, given as one JSON array of rows, with their idempotency keys. */
const SCHEDULE = `
  with input as (
    select * from json_to_recordset($1::json) as t (id uuid, tenant_id text, sender_id text, recipient_id text, type text,
      priority text, channel text, title text, content text, link text, data text, related_type text, related_id text,
      send_at timestamptz, expires_at timestamptz, targets json, key text, fingerprint text)
  ), ${claimKeys('$2')}
  insert into scheduled_send (id, tenant_id, sender_id, recipient_id, type, priority, channel, title, content, link, data,
    related_type, related_id, send_at, expires_at, targets, created_at)
  select id, tenant_id, sender_id, recipient_id, type, priority, channel, title, content, link, data::json, related_type,
    related_id, send_at, expires_at, targets, now()
  from input where key is null or id in (select notification_id from claimed)
  returning id, (extract(epoch from created_at) * 1000)::float8 as created_at_ms
`;

const columns = sql`
  id, tenant_id, sender_id, recipient_id, type, priority, channel, title, content, link, data::text as data_json,
  related_type, related_id, targets, ${milliseconds('send_at')} as send_at_ms, ${milliseconds('expires_at')} as expires_at_ms,
  ${milliseconds('created_at')} as created_at_ms`;

/**
 * Sends that wait for their time. They are checked and given their ids when they are scheduled; in due time each is
 * stored and told like any other send, once, on however many instances.
 */
export class ScheduledSends {
  readonly #options: ScheduledSendsOptions;
  readonly #additions: Batcher<SendItem, SendResult>;

  constructor(options: ScheduledSendsOptions) {
    this.#options = options;
    this.#additions = new Batcher<SendItem, SendResult>({
      write: (items) => this.#write(items),
      exclusiveKey: exclusiveKeyOf,
      maxBatch: options.config.maxSendBatch,
      maxInFlight: 1,
      maxQueued: options.config.maxQueuedSends,
    });
  }

  get #db() {
    return this.#options.database.em.getConnection().getClient();
  }

  /**
   * Keeps a send, which passed every rule, until its `sendAt`. Answers with the notification as PENDING, or with an
   * earlier one for an idempotency key that is taken.
   *
   * @throws CarillonError CONFLICT for such a key with other content, RATE_LIMITED when too many wait to be stored.
   */
  async add(item: SendItem): Promise<Notification> {
    return (await reachDatabase(this.#additions.add(item))).notification;
  }

  /**
   * What the caller has scheduled and is not sent yet, soonest first.
   *
   * @throws CarillonError BAD_USER_INPUT for `first`.
   */
  async list(caller: Caller, first: number | null | undefined): Promise<Notification[]> {
    const { defaultPageSize, maxPageSize } = this.#options.config;
    const most = first ?? defaultPageSize;
    if (most < 1 || most > maxPageSize) throw badInput('first', `first must be from 1 to ${maxPageSize}.`);
    const { rows } = await reachDatabase(
      sql<ScheduledRow>`
        select ${columns} from scheduled_send s
        where s.tenant_id = ${caller.tenantId} and s.sender_id = ${caller.userId} order by s.send_at, s.id limit ${most}
      `.execute(this.#db),
    );
    return rows.map((row) => toPending(toItem(row), row.created_at_ms));
  }

  /**
   * Takes back what is not sent yet: for its sender, and for admins of the tenant.
   *
   * @throws CarillonError NOT_FOUND for what is not there, is sent already, or is not the caller's to cancel.
   */
  async cancel(caller: Caller, id: string): Promise<{ id: string }> {
    const known = this.#options.rules.id(id);
    if (known === undefined) throw notFound('scheduled notification');
    const { rows } = await reachDatabase(
      sql<{ id: string }>`
        delete from scheduled_send where id = ${known}::uuid and tenant_id = ${caller.tenantId}
          and (${hasRole(caller, 'admin')} or sender_id = ${caller.userId})
        returning id
      `.execute(this.#db),
    );
    const [cancelled] = rows;
    if (!cancelled) throw notFound('scheduled notification');
    return cancelled;
  }

  /**
   * Sends one batch of those whose time has come, soonest first: each leaves the schedule and enters its inbox in one
   * transaction, and those that another instance is sending are passed over. Says whether there may be more.
   */
  async sendDue(): Promise<boolean> {
    const { maxSendBatch, idempotencyWindow } = this.#options.config;
    const sent = await this.#db.transaction().execute(async (transaction) => {
      const { rows } = await sql<ScheduledRow>`
        delete from scheduled_send where id in (
          select s.id from scheduled_send s where s.send_at <= now() order by s.send_at limit ${maxSendBatch}
          for update skip locked
        )
        returning ${columns}
      `.execute(transaction);
      if (rows.length === 0) return [];
      const items = rows.toSorted((a, b) => a.send_at_ms - b.send_at_ms || (a.id < b.id ? -1 : 1)).map(toItem);
      // Their keys were claimed when they were scheduled.
      return storeOutward(transaction, items, idempotencyWindow);
    });
    for (const result of sent) {
      if (!result?.event) continue;
      this.#options.activity.sent(result.notification);
      const { tenantId, recipientId: userId } = result.notification;
      this.#options.hub.publish({ tenantId, userId }, result.event);
    }
    return sent.length === maxSendBatch;
  }

  /** Resolves when all that was taken is stored. */
  drain(): Promise<void> {
    return this.#additions.drain();
  }

  async #write(items: readonly SendItem[]): Promise<(SendResult | CarillonError)[]> {
    const { database, config } = this.#options;
    const { rows } = await this.#db.executeQuery<{ id: string; created_at_ms: number }>(
      CompiledQuery.raw(SCHEDULE, [JSON.stringify(items.map(toInput)), config.idempotencyWindow]),
    );
    const scheduledAt = new Map(rows.map((row) => [row.id, row.created_at_ms]));
    const results = items.map((item): SendResult | undefined => {
      const createdAtMs = scheduledAt.get(item.id);
      return createdAtMs === undefined ? undefined : { notification: toPending(item, createdAtMs) };
    });
    return orEarlier(items, results, createEarlierSends(database));
  }
}

/** A row of `SCHEDULE`. */
const toInput = (item: SendItem) => ({
  id: item.id,
  tenant_id: item.tenantId,
  sender_id: item.senderId,
  recipient_id: item.recipientId,
  type: item.type,
  priority: item.priority,
  channel: item.channel,
  title: item.title,
  content: item.content,
  link: item.link,
  data: item.dataJson,
  related_type: item.relatedType,
  related_id: item.relatedId,
  send_at: item.sendAt,
  expires_at: item.expiresAt,
  targets: item.targets.length > 0 ? item.targets : null,
  key: item.idempotencyKey,
  fingerprint: item.idempotencyKey === null ? null : fingerprint(item),
});

const toItem = (row: ScheduledRow): SendItem => ({
  id: row.id,
  tenantId: row.tenant_id,
  senderId: row.sender_id,
  recipientId: row.recipient_id,
  type: row.type,
  priority: row.priority,
  channel: row.channel,
  title: row.title,
  content: row.content,
  link: row.link,
  data: row.data_json === null ? null : (JSON.parse(row.data_json) as Json),
  dataJson: row.data_json,
  relatedType: row.related_type,
  relatedId: row.related_id,
  channels: [],
  addresses: [],
  targets: row.targets ?? [],
  idempotencyKey: null,
  sendAt: new Date(row.send_at_ms),
  expiresAt: row.expires_at_ms === null ? null : new Date(row.expires_at_ms),
});
