import { Client } from 'pg';

export interface StoredNotification {
  id: string;
  seq: number;
  version: number;
  isRead: boolean;
  key: string | null;
}

/** One inbox as the table has it. */
export interface StoredInbox {
  epoch: string;
  version: number;
  total: number;
  unread: number;
  notifications: Map<string, StoredNotification>;
  /** Ids of what was deleted or recalled, and the version of that. */
  tombstones: Map<string, number>;
}

/** All that is stored: inboxes by `tenant/user`, idempotency keys by `tenant key` with the id that they stand for. */
export interface Table {
  inboxes: Map<string, StoredInbox>;
  keys: Map<string, string>;
}

export const inboxName = (tenantId: string, userId: string): string => `${tenantId}/${userId}`;
export const keyName = (tenantId: string, key: string): string => `${tenantId} ${key}`;

/** Runs `use` with a connection of its own, past all links. */
export async function withDatabase<T>(url: string, use: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url, application_name: 'torture' });
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

/** The version of each inbox. */
export async function readHeads(client: Client): Promise<Map<string, number>> {
  const { rows } = await client.query<{ tenant_id: string; user_id: string; version: string }>(
    'select tenant_id, user_id, version from inbox',
  );
  return new Map(rows.map((row) => [inboxName(row.tenant_id, row.user_id), Number(row.version)]));
}

/** Statements of the servers that are under way at this moment. */
export async function countStatements(client: Client): Promise<number> {
  const { rows } = await client.query<{ count: number }>(
    `select count(*)::int as count from pg_stat_activity where application_name = 'carillon' and state <> 'idle'`,
  );
  return rows[0]?.count ?? 0;
}

/** Reads everything, at one moment. */
export async function readTable(client: Client): Promise<Table> {
  await client.query('begin isolation level repeatable read read only');
  const inboxes = await client.query<{
    id: string;
    tenant_id: string;
    user_id: string;
    epoch: string;
    version: string;
    total: number;
    unread: number;
  }>('select id, tenant_id, user_id, epoch, version, total, unread from inbox');
  const notifications = await client.query<{
    inbox_id: string;
    id: string;
    seq: string;
    version: string;
    is_read: boolean;
    is_recalled: boolean;
    related_id: string | null;
  }>(`select inbox_id, id, seq, version, read_at is not null as is_read, status = 'RECALLED' as is_recalled, related_id
    from notification`);
  const tombstones = await client.query<{ inbox_id: string; notification_id: string; version: string }>(
    'select inbox_id, notification_id, version from tombstone',
  );
  const keys = await client.query<{ tenant_id: string; key: string; notification_id: string }>(
    'select tenant_id, key, notification_id from idempotency_key',
  );
  await client.query('commit');

  const byId = new Map<string, StoredInbox>();
  const byName = new Map<string, StoredInbox>();
  for (const { id, tenant_id, user_id, epoch, version, total, unread } of inboxes.rows) {
    const inbox = { epoch, version: Number(version), total, unread, notifications: new Map(), tombstones: new Map() };
    byId.set(id, inbox);
    byName.set(inboxName(tenant_id, user_id), inbox);
  }
  for (const { inbox_id, id, seq, version, is_read: isRead, is_recalled, related_id: key } of notifications.rows) {
    if (is_recalled) {
      byId.get(inbox_id)?.tombstones.set(id, Number(version));
      continue;
    }
    const stored = { id, seq: Number(seq), version: Number(version), isRead, key };
    byId.get(inbox_id)?.notifications.set(id, stored);
  }
  for (const { inbox_id, notification_id, version } of tombstones.rows) {
    byId.get(inbox_id)?.tombstones.set(notification_id, Number(version));
  }
  return {
    inboxes: byName,
    keys: new Map(keys.rows.map((row) => [keyName(row.tenant_id, row.key), row.notification_id])),
  };
}
