import { type Kysely, type RawBuilder, sql } from 'kysely';
import { changeAll, deleteByWalk } from './bounded-changes.ts';
import { type DataScope, inScope } from './data-scope.ts';
import { clearDetached, detachInboxes, detachedCount } from './detached-inboxes.ts';
import { cancelOrphanedJobs, revokeTokens } from './data-removal-ends.ts';

/** What is counted, as the command prints it. */
export type RemovedKind =
  | 'accounts'
  | 'sessions'
  | 'presence'
  | 'scheduled sends'
  | 'inboxes'
  | 'notifications'
  | 'deletions remembered'
  | 'deliveries'
  | 'notifications of others, the sender taken out'
  | 'deliveries of others, the sender taken out'
  | 'receipts'
  | 'logs of receipts'
  | 'idempotency keys'
  | 'contacts'
  | 'hours of statistics'
  | 'jobs';

export interface RemovalWork {
  readonly db: Kysely<unknown>;
  readonly signal: AbortSignal | undefined;
  readonly onRemoved: (kind: RemovedKind, rows: number) => void;
  /** How much of the step is done, from 0 to 1. */
  readonly onShare: (share: number) => void;
}

export interface RemovalStep {
  /** What it is mostly about. */
  readonly kind: RemovedKind;
  run(work: RemovalWork): Promise<void>;
}

/** Deletes what is meant of a table, or, with a change, changes it. */
const step = (
  kind: RemovedKind,
  table: string,
  isMeant: RawBuilder<boolean>,
  change?: RawBuilder<unknown>,
): RemovalStep => ({
  kind,
  run: ({ db, signal, onRemoved }) =>
    changeAll({ db, signal, onChanged: (rows) => onRemoved(kind, rows) }, table, isMeant, change),
});

/** The same for a table in which no index leads to what is meant. */
const walk = (
  kind: RemovedKind,
  table: string,
  type: 'uuid' | 'bigint',
  isMeant: RawBuilder<boolean>,
): RemovalStep => ({
  kind,
  run: ({ db, signal, onRemoved }) =>
    deleteByWalk({ db, signal, onChanged: (rows) => onRemoved(kind, rows) }, table, type, isMeant),
});

/**
 * The steps in an order in which each finds what it needs, also when an earlier run was killed anywhere: tokens end before
 * the account is gone by which their owners are known; inboxes are taken away before the tokens of whoever is connected
 * end; and contacts go after the deliveries that are found by them.
 */
export function removalSteps(scope: DataScope): RemovalStep[] {
  const { tenantId, userId } = scope;
  const revoke = ({ db }: RemovalWork): Promise<void> => revokeTokens(db, scope);
  const ofUser = (...columns: string[]): RawBuilder<boolean> => inScope(scope, 't', ...columns);
  const isOfDelivery =
    userId === undefined
      ? ofUser()
      : sql<boolean>`t.tenant_id = ${tenantId} and (t.content->>'recipientId' = ${userId} or t.contact_id in (
          select c.id from contact c where c.tenant_id = ${tenantId} and c.user_id = ${userId}
        ))`;
  return [
    { kind: 'sessions', run: revoke },
    step('sessions', 'refresh_token', ofUser('user_id')),
    step('accounts', 'app_user', ofUser('id')),
    walk('scheduled sends', 'scheduled_send', 'uuid', ofUser('sender_id', 'recipient_id')),
    { kind: 'inboxes', run: (work) => detach(work, scope) },
    { kind: 'sessions', run: revoke },
    step('presence', 'presence', ofUser('user_id')),
    step('presence', 'last_seen', ofUser('user_id')),
    { kind: 'notifications', run: clear },
    walk('deliveries', 'delivery', 'uuid', isOfDelivery),
    ...(userId === undefined ? [] : anonymousSteps(tenantId, userId)),
    walk('receipts', 'receipt', 'bigint', ofUser('sender_id', 'recipient_id')),
    step('logs of receipts', 'sender_log', ofUser('user_id')),
    step('idempotency keys', 'idempotency_key', ofUser('sender_id')),
    step('contacts', 'contact', ofUser('user_id')),
    ...(userId === undefined ? [step('hours of statistics', 'tenant_activity', ofUser())] : []),
    { kind: 'jobs', run: async ({ db, onRemoved }) => onRemoved('jobs', await cancelOrphanedJobs(db)) },
  ];
}

async function detach({ db, signal }: RemovalWork, scope: DataScope): Promise<void> {
  for (;;) {
    signal?.throwIfAborted();
    if (await detachInboxes(db, scope)) return;
  }
}

async function clear({ db, signal, onRemoved, onShare }: RemovalWork): Promise<void> {
  const all = await detachedCount(db);
  let done = 0;
  for (;;) {
    signal?.throwIfAborted();
    const { inboxes, notifications, tombstones, deliveries, isDone } = await clearDetached(db);
    if (isDone) return;
    onRemoved('inboxes', inboxes);
    onRemoved('notifications', notifications);
    onRemoved('deletions remembered', tombstones);
    onRemoved('deliveries', deliveries);
    done += notifications;
    // Recalled ones are in no count.
    onShare(all === 0 ? 0 : Math.min(1, done / all));
  }
}

/**
 * What the user sent to others is theirs, and stays without a sender. No version moves and nobody is told. Content that
 * waits to be delivered keeps the order of its keys.
 */
function anonymousSteps(tenantId: string, userId: string): RemovalStep[] {
  const notifications = 'notifications of others, the sender taken out';
  const ofOldVersion = sql<boolean>`t.tenant_id is null and t.sender_id = ${userId} and exists (
    select from inbox i where i.id = t.inbox_id and i.tenant_id = ${tenantId}
  )`;
  const nobody = sql`sender_id = null`;
  return [
    step(notifications, 'notification', sql`t.tenant_id = ${tenantId} and t.sender_id = ${userId}`, nobody),
    step(notifications, 'notification', ofOldVersion, nobody),
    step(
      'deliveries of others, the sender taken out',
      'delivery',
      sql`t.due_at is not null and t.tenant_id = ${tenantId} and t.content->>'senderId' = ${userId}`,
      sql`content = (
        select json_object_agg(key, case when key = 'senderId' then 'null'::json else value end)
        from json_each(t.content)
      )`,
    ),
  ];
}
