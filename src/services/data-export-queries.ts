import { type RawBuilder, sql } from 'kysely';
import { type DataScope, inScope } from './data-scope.ts';

/** One kind of what is kept, and the rows of it that are of a scope. */
export interface ExportQuery {
  readonly kind: string;
  readonly rows: RawBuilder<unknown>;
}

/** What a notification is to both its sender and its recipient. */
const notificationColumns = sql`n.id, i.user_id as "recipientId", n.sender_id as "senderId", n.type, n.priority,
  n.channel, n.status, n.title, n.content, n.link, n.data, n.related_type as "relatedType", n.related_id as "relatedId",
  n.read_at as "readAt", n.created_at as "createdAt", n.expires_at as "expiresAt"`;

const placeColumns = sql`n.seq as position, n.version`;

const receiptColumns = sql`r.sender_id as "senderId", r.recipient_id as "recipientId",
  r.notification_id as "notificationId", r.is_read as "isRead", r.changed_at as "changedAt", r.version`;

const deliveryColumns = (address: RawBuilder<unknown>): RawBuilder<unknown> => sql`d.id,
  d.notification_id as "notificationId", d.channel, ${address} as address, d.contact_id as "contactId", d.status,
  d.attempts, d.last_error as "lastError", d.reference, d.content, d.created_at as "createdAt",
  d.attempted_at as "attemptedAt", d.due_at as "dueAt", d.changed_at as "changedAt"`;

const scheduledColumns = (targets: RawBuilder<unknown>): RawBuilder<unknown> => sql`s.id, s.sender_id as "senderId",
  s.recipient_id as "recipientId", s.type, s.priority, s.channel, s.title, s.content, s.link, s.data,
  s.related_type as "relatedType", s.related_id as "relatedId", ${targets} as targets, s.send_at as "sendAt",
  s.expires_at as "expiresAt", s.created_at as "createdAt"`;

/**
 * What is kept, kind by kind; the entities of `src/entities` are all here but `Instance`, which is of nobody. Hashes and
 * secrets are left out. `tenantChannels` are those whose addresses are the tenant’s, and so no user’s.
 */
export const exportQueries = (scope: DataScope, tenantChannels: readonly string[]): ExportQuery[] => [
  ...commonQueries(scope),
  ...(scope.userId === undefined
    ? tenantQueries(scope)
    : userQueries(scope.tenantId, scope.userId, scope, tenantChannels)),
];

const commonQueries = (scope: DataScope): ExportQuery[] => [
  {
    kind: 'account',
    rows: sql`select u.id as "userId", u.username, u.roles, u.created_at as "createdAt"
      from app_user u where ${inScope(scope, 'u', 'id')}`,
  },
  {
    kind: 'session',
    rows: sql`select r.user_id as "userId", r.family_id as "sessionId", r.expires_at as "expiresAt",
        r.used_at as "usedAt"
      from refresh_token r where ${inScope(scope, 'r', 'user_id')}`,
  },
  {
    kind: 'revocation',
    rows: sql`select r.user_id as "userId", r.session_id as "sessionId", r.created_at as "createdAt",
        r.expires_at as "expiresAt"
      from revocation r where ${inScope(scope, 'r', 'user_id')}`,
  },
  {
    kind: 'inbox',
    rows: sql`select i.user_id as "userId", i.epoch, i.version, i.total, i.unread, i.horizon
      from inbox i where ${inScope(scope, 'i', 'user_id')}`,
  },
  {
    kind: 'deletion',
    rows: sql`select i.user_id as "userId", t.notification_id as "notificationId", t.seq as position, t.version,
        t.deleted_at as "deletedAt"
      from tombstone t join inbox i on i.id = t.inbox_id where ${inScope(scope, 'i', 'user_id')}`,
  },
  {
    kind: 'receiptLog',
    rows: sql`select s.user_id as "userId", s.epoch, s.version, s.horizon
      from sender_log s where ${inScope(scope, 's', 'user_id')}`,
  },
  {
    kind: 'contact',
    rows: sql`select c.id, c.user_id as "userId", c.channel, c.address, c.created_at as "createdAt"
      from contact c where ${inScope(scope, 'c', 'user_id')}`,
  },
  {
    kind: 'idempotencyKey',
    rows: sql`select k.sender_id as "senderId", k.key, k.notification_id as "notificationId", k.created_at as "createdAt"
      from idempotency_key k where ${inScope(scope, 'k', 'sender_id')}`,
  },
  {
    kind: 'presence',
    rows: sql`select p.user_id as "userId", p.connections, p.updated_at as "updatedAt"
      from presence p where ${inScope(scope, 'p', 'user_id')}`,
  },
  {
    kind: 'lastSeen',
    rows: sql`select l.user_id as "userId", l.at from last_seen l where ${inScope(scope, 'l', 'user_id')}`,
  },
];

const tenantQueries = (scope: DataScope): ExportQuery[] => [
  {
    kind: 'notification',
    rows: sql`select ${notificationColumns}, ${placeColumns}
      from notification n join inbox i on i.id = n.inbox_id where ${inScope(scope, 'i')}`,
  },
  { kind: 'receipt', rows: sql`select ${receiptColumns} from receipt r where ${inScope(scope, 'r')}` },
  {
    kind: 'delivery',
    rows: sql`select ${deliveryColumns(sql`d.address`)} from delivery d where ${inScope(scope, 'd')}`,
  },
  {
    kind: 'scheduledSend',
    rows: sql`select ${scheduledColumns(sql`s.targets`)} from scheduled_send s where ${inScope(scope, 's')}`,
  },
  {
    kind: 'activity',
    rows: sql`select a.hour, a.kind as activity, a.count from tenant_activity a where ${inScope(scope, 'a')}`,
  },
];

function userQueries(
  tenantId: string,
  userId: string,
  scope: DataScope,
  tenantChannels: readonly string[],
): ExportQuery[] {
  const ownInbox = sql`select id from inbox where tenant_id = ${tenantId} and user_id = ${userId}`;
  const ownContacts = sql`select id from contact where tenant_id = ${tenantId} and user_id = ${userId}`;
  const ownAddress = sql`case when d.channel = any(${tenantChannels}::text[]) then null else d.address end`;
  // Where it goes beside the inbox is the recipient’s: a sender sees the channels.
  const ownTargets = sql`case when s.recipient_id = ${userId} then (
      select json_agg(t) from json_array_elements(s.targets) t where not t->>'channel' = any(${tenantChannels}::text[])
    ) else (select json_agg(json_build_object('channel', t->>'channel')) from json_array_elements(s.targets) t) end`;
  return [
    {
      kind: 'notificationReceived',
      rows: sql`select ${notificationColumns}, ${placeColumns}
        from notification n join inbox i on i.id = n.inbox_id where ${inScope(scope, 'i', 'user_id')}`,
    },
    {
      // Of older versions the tenant may be missing. What one sent to oneself is among what one received.
      kind: 'notificationSent',
      rows: sql`select ${notificationColumns}
        from notification n join inbox i on i.id = n.inbox_id
        where n.sender_id = ${userId} and (n.tenant_id = ${tenantId} or n.tenant_id is null)
          and i.tenant_id = ${tenantId} and i.user_id <> ${userId}`,
    },
    {
      kind: 'receiptGiven',
      rows: sql`select ${receiptColumns} from receipt r where ${inScope(scope, 'r', 'recipient_id')}`,
    },
    {
      kind: 'receiptGot',
      rows: sql`select ${receiptColumns} from receipt r where ${inScope(scope, 'r', 'sender_id')}`,
    },
    {
      kind: 'delivery',
      rows: sql`select ${deliveryColumns(ownAddress)} from delivery d
        where d.tenant_id = ${tenantId} and (
          d.notification_id in (select n.id from notification n where n.inbox_id in (${ownInbox}))
          or d.notification_id in (select t.notification_id from tombstone t where t.inbox_id in (${ownInbox}))
          or d.contact_id in (${ownContacts}) or d.content->>'recipientId' = ${userId}
        )`,
    },
    {
      kind: 'scheduledSend',
      rows: sql`select ${scheduledColumns(ownTargets)} from scheduled_send s
        where ${inScope(scope, 's', 'sender_id', 'recipient_id')}`,
    },
  ];
}
