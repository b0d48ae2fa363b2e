import type { MikroORM as Database } from '@mikro-orm/postgresql';
import { CompiledQuery, type Kysely, type RawBuilder, sql } from 'kysely';
import { v7 as uuidv7 } from 'uuid';
import type { Outbound, Outcome } from './channel.ts';
import { type Delivery, type DeliveryStatus, type Target, contentOf } from './delivery.ts';
import { type InboxDoorbell, touchInbox } from './inbox-touch.ts';
import { type Notification, milliseconds } from './notification.ts';

/** An attempt that has begun. */
export interface Attempt {
  readonly outbound: Outbound;
  readonly channel: string;
  readonly contactId: string | null;
  /** Whether the contact that it was meant for is gone. */
  readonly contactIsGone: boolean;
  /** The how-manyth it is, from 1. */
  readonly nth: number;
}

/** Something SENT of which its far side may know more. */
export interface Question {
  readonly channel: string;
  readonly reference: string;
}

interface AttemptRow {
  id: string;
  channel: string;
  address: string;
  contact_id: string | null;
  known_contact: string | null;
  secret: string | null;
  previous_secret: string | null;
  attempts: number;
  content: Outbound['notification'];
}

interface DeliveryRow {
  id: string;
  notification_id: string;
  channel: string;
  status: DeliveryStatus;
  attempts: number;
  last_error: string | null;
  created_at_ms: number;
  attempted_at_ms: number | null;
  due_at_ms: number | null;
  changed_at_ms: number;
}

type Executor = Pick<Kysely<unknown>, 'executeQuery'>;

const soon = (ms: number) => sql`now() + ${ms}::float8 * interval '1 millisecond'`;

/** Records deliveries, given as one JSON array of rows, each with its job. */
const RECORD = `
  with recorded as (
    insert into delivery (id, tenant_id, notification_id, channel, address, contact_id, status, attempts, content,
      created_at, due_at, changed_at)
    select id, tenant_id, notification_id, channel, address, contact_id, 'PENDING', 0, content, now(), now(), now()
    from json_to_recordset($1::json) as t (id uuid, tenant_id text, notification_id uuid, channel text, address text,
      contact_id uuid, content json)
    returning id
  )
  select graphile_worker.add_job('deliver', json_build_object('id', id)) from recorded
`;

/**
 * Records deliveries of notifications, in the transaction that stores these: both are there after the commit, or neither.
 */
export async function recordDeliveries(
  transaction: Executor,
  sent: readonly { notification: Notification; targets: readonly Target[] }[],
): Promise<void> {
  const rows = sent.flatMap(({ notification, targets }) =>
    targets.map(({ channel, address, contactId }) => ({
      id: uuidv7(),
      tenant_id: notification.tenantId,
      notification_id: notification.id,
      channel,
      address,
      contact_id: contactId,
      content: contentOf(notification),
    })),
  );
  if (rows.length > 0) await transaction.executeQuery(CompiledQuery.raw(RECORD, [JSON.stringify(rows)]));
}

/**
 * Deliveries and how they stand. Each change of one is a change of its notification: it is told in the inbox's log, in
 * the same transaction.
 */
export class DeliveryLog {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  get #db() {
    return this.#database.em.getConnection().getClient();
  }

  /** Of each notification, in the order of their making. */
  async of(notificationIds: readonly string[]): Promise<Delivery[][]> {
    const { rows } = await sql<DeliveryRow>`
      select id, notification_id, channel, status, attempts, last_error, ${milliseconds('created_at')} as created_at_ms,
        ${milliseconds('attempted_at')} as attempted_at_ms, ${milliseconds('due_at')} as due_at_ms,
        ${milliseconds('changed_at')} as changed_at_ms
      from delivery where notification_id = any(${notificationIds}::uuid[]) order by id
    `.execute(this.#db);
    const byNotification = Map.groupBy(rows, (row) => row.notification_id);
    return notificationIds.map((id) => (byNotification.get(id) ?? []).map(toDelivery));
  }

  /** Begins an attempt, unless nothing is left to do. Within `leaseMs` it must come to an end. */
  async begin(id: string, leaseMs: number): Promise<Attempt | undefined> {
    const { rows } = await sql<AttemptRow>`
      update delivery d set attempts = d.attempts + 1, attempted_at = now(), due_at = ${soon(leaseMs)}
      from (
        select d.id, c.id as contact, c.secret, case when c.previous_until > now() then c.previous_secret end as previous
        from delivery d left join contact c on c.id = d.contact_id where d.id = ${id}::uuid
      ) known
      where d.id = known.id and d.status = 'PENDING'
      returning d.id, d.channel, d.address, d.contact_id, d.attempts, d.content, known.contact as known_contact,
        known.secret, known.previous as previous_secret
    `.execute(this.#db);
    const [row] = rows;
    return row && toAttempt(row);
  }

  /** It has arrived, or is carried on by somebody who is asked in `askInMs` what became of it. */
  arrived(id: string, outcome: Outcome, askInMs?: number): Promise<InboxDoorbell | undefined> {
    const reference = outcome.status === 'SENT' ? (outcome.reference ?? null) : null;
    const ask = askInMs === undefined ? sql`null` : soon(askInMs);
    // Even when it was recalled meanwhile: what is out is out.
    return this.#change(
      id,
      sql`
        update delivery set status = ${outcome.status}, last_error = null, content = null, due_at = ${ask},
          reference = coalesce(${reference}::text, reference), changed_at = now()
        where id = ${id}::uuid and status in ('PENDING', 'SENT', 'CANCELLED') returning notification_id`,
      askInMs === undefined ? undefined : { task: 'confirm', payload: { id, nth: 1 }, inMs: askInMs },
    );
  }

  /** The attempt has failed, and another one follows. */
  retry(id: string, nth: number, lastError: string, inMs: number): Promise<InboxDoorbell | undefined> {
    return this.#change(
      id,
      sql`
        update delivery set last_error = ${lastError}, due_at = ${soon(inMs)}
        where id = ${id}::uuid and attempts = ${nth} and status = 'PENDING' returning notification_id`,
      { task: 'deliver', payload: { id }, inMs },
    );
  }

  /** It will not arrive. */
  failed(id: string, lastError: string): Promise<InboxDoorbell | undefined> {
    return this.#change(
      id,
      sql`
        update delivery set status = 'FAILED', last_error = ${lastError}, content = null, due_at = null, changed_at = now()
        where id = ${id}::uuid and status in ('PENDING', 'SENT') returning notification_id`,
    );
  }

  /** What to ask of something SENT. */
  async question(id: string): Promise<Question | undefined> {
    const { rows } = await sql<Question>`
      select channel, reference from delivery where id = ${id}::uuid and status = 'SENT' and reference is not null
    `.execute(this.#db);
    return rows[0];
  }

  /** The far side did not know yet: it is asked again, or, without a time, never more. */
  async askAgain(id: string, nth: number, inMs: number | undefined): Promise<void> {
    await this.#db.transaction().execute(async (transaction) => {
      const due = inMs === undefined ? sql`null` : soon(inMs);
      await sql`update delivery set due_at = ${due} where id = ${id}::uuid`.execute(transaction);
      if (inMs !== undefined) await addJob('confirm', { id, nth }, inMs).execute(transaction);
    });
  }

  /** Removes an address that is of no use any more. */
  async dropContact(contactId: string): Promise<void> {
    await sql`delete from contact where id = ${contactId}::uuid`.execute(this.#db);
  }

  /** `update` answers with the notification of what it changed; a job is added if it did. */
  async #change(
    id: string,
    update: RawBuilder<unknown>,
    job?: { task: string; payload: object; inMs: number },
  ): Promise<InboxDoorbell | undefined> {
    return this.#db.transaction().execute(async (transaction) => {
      // First, as a recall does that cancels deliveries: two that took them in different orders would wait for each other.
      await sql`
        select from inbox i join notification n on n.inbox_id = i.id join delivery d on d.notification_id = n.id
        where d.id = ${id}::uuid for update of i
      `.execute(transaction);
      const { rows } = await (update as RawBuilder<{ notification_id: string }>).execute(transaction);
      const [changed] = rows;
      if (!changed) return undefined;
      if (job) await addJob(job.task, job.payload, job.inMs).execute(transaction);
      return touchInbox(transaction, changed.notification_id);
    });
  }
}

const addJob = (task: string, payload: object, inMs: number) =>
  sql`select graphile_worker.add_job(${task}, ${JSON.stringify(payload)}::json, run_at => ${soon(inMs)})`;

const toAttempt = (row: AttemptRow): Attempt => ({
  outbound: {
    id: row.id,
    notification: { ...row.content, createdAt: new Date(row.content.createdAt) },
    address: row.address,
    secrets: [row.secret, row.previous_secret].filter((secret) => secret !== null),
  },
  channel: row.channel,
  contactId: row.contact_id,
  contactIsGone: row.contact_id !== null && row.known_contact === null,
  nth: row.attempts,
});

const toDelivery = (row: DeliveryRow): Delivery => ({
  id: row.id,
  channel: row.channel,
  status: row.status,
  attempts: row.attempts,
  lastError: row.last_error,
  createdAt: new Date(row.created_at_ms),
  lastAttemptAt: row.attempted_at_ms === null ? null : new Date(row.attempted_at_ms),
  nextAttemptAt: row.status !== 'PENDING' || row.due_at_ms === null ? null : new Date(row.due_at_ms),
  statusAt: new Date(row.changed_at_ms),
});
