import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { Client } from 'pg';
import { connectDatabase } from '../../src/database/database.ts';
import { asEveryTenant, asTenant } from '../../src/scope.ts';
import type { Caller } from '../../src/services/caller.ts';
import type { NotificationPage } from '../../src/services/notifications.ts';
import { NO_EPOCH, encodeCursor } from '../../src/services/cursor.ts';
import { type TestApp, startApp } from '../support/app.ts';
import { createTestDatabase } from '../support/postgres.ts';

const ids = { notification: randomUUID(), contact: randomUUID(), scheduled: randomUUID() };

/** One row in each table for a tenant, as a version that knows of no scope would write it. */
const rowsOf: Readonly<Record<string, string>> = {
  inbox: `insert into inbox (tenant_id, user_id, epoch, version, total, unread) values ($1, 'uma', 'epoch-of-it', 2, 1, 1)`,
  notification: `insert into notification (id, tenant_id, inbox_id, seq, version, sender_id, type, priority, channel, status,
      title, content, created_at)
    select $2::uuid, tenant_id, id, 2, 2, 'sam', 'TASK', 'LOW', 'EMAIL', 'SENT', 'Title', 'Content', now()
    from inbox where tenant_id = $1`,
  tombstone: `insert into tombstone (tenant_id, inbox_id, notification_id, version, seq, deleted_at)
    select tenant_id, id, gen_random_uuid(), 1, 1, now() from inbox where tenant_id = $1`,
  app_user: `insert into app_user (tenant_id, id, username, password_hash, roles, created_at)
    values ($1, 'uma', 'uma', 'x', '{}', now())`,
  contact: `insert into contact (id, tenant_id, user_id, channel, address, created_at)
    values ($3::uuid, $1, 'uma', 'EMAIL', 'uma@example.com', now())`,
  delivery: `insert into delivery (id, tenant_id, notification_id, channel, address, status, attempts, created_at, changed_at)
    values (gen_random_uuid(), $1, $2::uuid, 'EMAIL', 'uma@example.com', 'SENT', 1, now(), now())`,
  idempotency_key: `insert into idempotency_key (tenant_id, sender_id, key, fingerprint, notification_id, created_at)
    values ($1, 'sam', 'key', 'x', $2::uuid, now())`,
  last_seen: `insert into last_seen (tenant_id, user_id, at) values ($1, 'uma', now())`,
  presence: `with here as (insert into instance (id, alive_at) values (gen_random_uuid(), now() + interval '1 day') returning id)
    insert into presence (tenant_id, user_id, instance_id, connections, updated_at)
    select $1, 'uma', id, 1, now() from here`,
  receipt: `insert into receipt (tenant_id, sender_id, notification_id, recipient_id, is_read, changed_at, version)
    values ($1, 'sam', $2::uuid, 'uma', true, now(), 1)`,
  refresh_token: `insert into refresh_token (hash, family_id, tenant_id, user_id, expires_at)
    values ('hash of ' || $1, gen_random_uuid(), $1, 'uma', now() + interval '1 day')`,
  revocation: `insert into revocation (id, tenant_id, user_id, session_id, expires_at)
    values (gen_random_uuid(), $1, 'uma', 'over', now() + interval '1 day')`,
  scheduled_send: `insert into scheduled_send (id, tenant_id, sender_id, recipient_id, type, priority, channel, title, content,
      send_at, created_at)
    values ($4::uuid, $1, 'sam', 'uma', 'TASK', 'LOW', 'IN_APP', 'Title', 'Content', now() + interval '1 day', now())`,
  sender_log: `insert into sender_log (tenant_id, user_id, epoch, version) values ($1, 'sam', 'epoch-of-it', 1)`,
  tenant_activity: `insert into tenant_activity (tenant_id, hour, kind, count)
    values ($1, date_trunc('hour', now()), 'sent IN_APP TASK', 7)`,
};
const tables = Object.keys(rowsOf);

/** Nothing is listening there: deliveries wait. */
const MAIL = { SMTP_URL: 'smtp://127.0.0.1:9', MAIL_FROM: 'bell@example.com', DELIVERY_RETRY_BASE: '1h' };

let resources: AsyncDisposableStack;
let app: TestApp;
/** A connection that says nothing of a scope, like one of an older version. */
let old: Client;

beforeAll(async () => {
  resources = new AsyncDisposableStack();
  const { url: databaseUrl } = resources.use(await createTestDatabase());
  app = resources.use(await startApp({ databaseUrl, env: { RATE_LIMITS: 'off', ...MAIL } }));
  old = new Client({ connectionString: app.databaseUrl });
  await old.connect();
  resources.defer(() => old.end());
  await fill('acme', ids);
  await fill('globex', { notification: randomUUID(), contact: randomUUID(), scheduled: randomUUID() });
});
afterAll(async () => resources.disposeAsync());

async function fill(tenantId: string, { notification, contact, scheduled }: typeof ids): Promise<void> {
  const given = [tenantId, notification, contact, scheduled];
  for (const text of Object.values(rowsOf)) {
    // Those that a statement names; which these are is written in it.
    const used = given.filter((_, index) => text.includes(`$${index + 1}`));
    const numbered = used.reduce(
      (all, value, index) => all.replaceAll(`$${given.indexOf(value) + 1}`, `$${index + 1}`),
      text,
    );
    await old.query(numbered, used);
  }
}

/** What runs, as it did before there was a scope, or within one that is set as PostgreSQL takes it. */
async function within<T>(scope: string, run: () => Promise<T>): Promise<T> {
  await old.query('begin');
  try {
    await old.query("select set_config('carillon.scope', $1, true)", [scope]);
    return await run();
  } finally {
    await old.query('rollback');
  }
}

const tenantsIn = async (table: string): Promise<string[]> =>
  (await old.query<{ tenant_id: string }>(`select distinct tenant_id from ${table} order by 1`)).rows.map(
    ({ tenant_id: tenantId }) => tenantId,
  );

describe('in PostgreSQL', () => {
  test('every table with something of tenants has a policy, which holds for its owner too', async () => {
    const { rows } = await old.query<{ name: string; is_walled: boolean }>(`
      select relname as name, relrowsecurity and relforcerowsecurity and exists (
        select from pg_policy where polrelid = c.oid and polname = 'carillon_scope' and polcmd = '*'
      ) as is_walled
      from pg_class c where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace order by 1`);
    const open = rows.filter(({ is_walled: isWalled }) => !isWalled).map(({ name }) => name);
    // The names of migrations, and processes that are alive.
    expect(open).toEqual(['carillon_migration', 'instance']);
    expect(rows.map(({ name }) => name).filter((name) => !open.includes(name))).toEqual(tables.toSorted());
  });

  test('the role of these tests is one that is bound', async () => {
    const { rows } = await old.query('select rolsuper, rolbypassrls from pg_roles where rolname = current_user');
    expect(rows).toEqual([{ rolsuper: false, rolbypassrls: false }]);
    expect(app.logged.join('')).not.toContain('row-level security does not bind');
  });

  describe.each(tables)('%s', (table) => {
    test('shows the rows of the tenants in the scope, and of no other', async () => {
      expect(await within('{"acme"}', () => tenantsIn(table))).toEqual(['acme']);
      expect(await within('{"acme","globex"}', () => tenantsIn(table))).toEqual(['acme', 'globex']);
      expect(await within('all', () => tenantsIn(table))).toEqual(['acme', 'globex']);
      for (const nothing of ['{}', '{""}', '{"acm"}', '{"acme globex"}']) {
        expect(await within(nothing, () => tenantsIn(table))).toEqual([]);
      }
    });

    test('lets nobody change, delete or add what is of another tenant', async () => {
      const changed = await within('{"acme"}', async () => [
        (await old.query(`update ${table} set tenant_id = 'acme' where tenant_id = 'globex'`)).rowCount,
        (await old.query(`delete from ${table} where tenant_id = 'globex'`)).rowCount,
      ]);
      expect(changed).toEqual([0, 0]);
      const give = within('{"acme"}', () => old.query(`update ${table} set tenant_id = 'globex'`));
      await expect(give).rejects.toMatchObject({ code: '42501' });
    });
  });

  test('a version that knows of no scope goes on seeing everything', async () => {
    const connection = new Client({ connectionString: app.databaseUrl });
    await connection.connect();
    const { rows } = await connection.query('select distinct tenant_id from notification order by 1');
    await connection.end();
    expect(rows).toEqual([{ tenant_id: 'acme' }, { tenant_id: 'globex' }]);
  });

  test.each(['notification', 'tombstone'])(
    'rows of %s from before it knew its tenant are of their inbox’s',
    async (table) => {
      const own = async () => (await old.query(`select from ${table}`)).rowCount;
      await old.query('begin');
      try {
        await old.query(`update ${table} set tenant_id = null`);
        const seen = [];
        for (const scope of ['all', '{"acme"}', '{"acme","globex"}', '{"other"}']) {
          await old.query("select set_config('carillon.scope', $1, true)", [scope]);
          seen.push(await own());
        }
        expect(seen).toEqual([2, 1, 2, 0]);
      } finally {
        await old.query('rollback');
      }
    },
  );
});

const callerAt = (tenantId: string, userId: string): Caller => ({
  tenantId,
  userId,
  roles: ['admin'],
  expiresAtMs: Number.POSITIVE_INFINITY,
  issuedAtMs: 0,
  sessionId: undefined,
});

type Call = (uma: Caller, sam: Caller) => Promise<unknown>;
const services = () => app.app.context.services;

/** The counts of a page are asked for only by whoever wants them. */
async function listed(page: Promise<NotificationPage>) {
  const { totalCount, unreadCount, ...rest } = await page;
  return { ...rest, counts: await Promise.all([totalCount(), unreadCount()]) };
}

/** What answers a stranger with nothing. */
const reads: Readonly<Record<string, Call>> = {
  find: async (uma) => (await services().notifications.find(uma, ids.notification)) ?? 'nothing',
  get: (uma) => services().notifications.get(uma, ids.notification),
  list: (uma) => listed(services().notifications.list(uma, { first: 5 })),
  'a filtered list': (uma) => listed(services().notifications.list(uma, { first: 5 }, { types: ['TASK'] })),
  listPage: (uma) => services().notifications.listPage(uma, 1, 5, {}),
  unreadCount: (uma) => services().notifications.unreadCount(uma),
  'a filtered count': (uma) => services().notifications.unreadCount(uma, { types: ['TASK'] }),
  state: (uma) => services().notifications.state(uma),
  'sent, a list': (_uma, sam) => services().sent.list(sam, { first: 5 }),
  'sent, a page': (_uma, sam) => services().sent.listPage(sam, 1, 5),
  'receipts, the cursor': (_uma, sam) => services().receipts.cursor(sam),
  'contacts of one': (uma) => services().contacts.list(uma, 'uma'),
  'contacts of all': (uma) => services().contacts.list(uma),
  scheduled: (_uma, sam) => services().scheduled.list(sam, 5),
  deliveries: () => services().deliveries.of({ id: ids.notification, channel: 'EMAIL' }),
  isOnline: (uma) => services().presence.isOnline(uma, ['uma']),
  onlineUsers: (uma) => services().presence.onlineUsers(uma, {}),
  stats: async (uma) => {
    const { onlineUsers, connections, last24Hours } = await services().stats.read(uma);
    return { onlineUsers, connections, last24Hours };
  },
  'a user by id': async ({ tenantId }) => (await app.app.context.users.byId(tenantId, 'uma')) ?? 'nobody',
  'a user by name': async ({ tenantId }) => (await app.app.context.users.byName('uma', tenantId)) ?? 'nobody',
  users: ({ tenantId }) => app.app.context.users.list(tenantId),
};

/** What finds nothing to change. */
const changes: Readonly<Record<string, Call>> = {
  markRead: (uma) => services().notifications.markRead(uma, ids.notification),
  markUnread: (uma) => services().notifications.markUnread(uma, ids.notification),
  batchMarkRead: (uma) => services().notifications.batchMarkRead(uma, [ids.notification]),
  markAllRead: (uma) => services().notifications.markAllRead(uma, null),
  delete: (uma) => services().notifications.delete(uma, ids.notification),
  recall: (_uma, sam) => services().recalls.recall(sam, ids.notification),
  recallMany: (_uma, sam) => services().recalls.recallMany(sam, [ids.notification]),
  'contacts, remove': (uma) => services().contacts.remove(uma, ids.contact),
  'contacts, rotateSecret': (uma) => services().contacts.rotateSecret(uma, ids.contact),
  'scheduled, cancel': (_uma, sam) => services().scheduled.cancel(sam, ids.scheduled),
  'users, remove': ({ tenantId }) => app.app.context.users.remove(tenantId, 'uma'),
};

const SEND = { recipientId: 'uma', title: 'Title', content: 'Content' };

/** What is refused, as it would add something, or listen. */
const intrusions: Readonly<Record<string, Call>> = {
  send: (_uma, sam) => services().notifications.send(sam, SEND),
  'send with a key': (_uma, sam) => services().notifications.send(sam, { ...SEND, idempotencyKey: 'another' }),
  'send by a channel': (_uma, sam) =>
    services().notifications.send(sam, {
      ...SEND,
      channels: ['EMAIL'],
      addresses: [{ channel: 'EMAIL', address: 'a@b.c' }],
    }),
  'send later': (_uma, sam) => services().notifications.send(sam, { ...SEND, sendAt: new Date(Date.now() + 60_000) }),
  'contacts, add': (uma) => services().contacts.add(uma, { channel: 'EMAIL', address: 'b@example.com', userId: 'uma' }),
  'users, add': ({ tenantId }) =>
    app.app.context.users.add({ tenantId, username: 'new', password: 'correct horse', roles: [] }),
  changes: (uma) => services().notifications.changes(uma),
  'changes from the beginning': (uma) => services().notifications.changes(uma, { after: encodeCursor(NO_EPOCH, 0) }),
  additions: (uma) => services().notifications.additions(uma),
  receipts: (_uma, sam) => services().receipts.stream(sam),
  'presence, watch': (uma) => services().presence.watch(uma, ['uma']),
  'typing, listen': (uma) => services().typing.listen(uma, 'conversation'),
  'typing, set': (uma) => services().typing.set(uma, { to: 'sam', conversation: 'conversation', typing: true }),
};

/** Everything that is stored, but what is added up by the hour of what was asked. */
async function stored(): Promise<unknown> {
  const parts = tables
    .filter((table) => table !== 'tenant_activity')
    .map((table) => `select '${table}' as name, (select json_agg(t order by t::text) from ${table} t) as rows`);
  return (await old.query(parts.join(' union all '))).rows;
}

async function outcomeOf(call: Call, tenantId: string): Promise<unknown> {
  const answer = await call(callerAt(tenantId, 'uma'), callerAt(tenantId, 'sam')).catch((error: unknown) => error);
  return answer instanceof Error ? { failed: (answer as Error & { code?: string }).code } : { answered: answer };
}

describe('a service that is called for a tenant other than the one in the scope', () => {
  let before: unknown;
  beforeAll(async () => {
    before = await stored();
  });
  afterEach(async () => {
    expect(await stored()).toEqual(before);
  });

  test.each(Object.entries(reads))('%s shows nothing', async (_name, call) => {
    const nothing = await asTenant('nobody', () => outcomeOf(call, 'nobody'));
    expect(await asTenant('globex', () => outcomeOf(call, 'acme'))).toEqual(nothing);
    expect(await outcomeOf(call, 'acme')).toEqual(nothing);
    // There is something to be seen.
    expect(await asTenant('acme', () => outcomeOf(call, 'acme'))).not.toEqual(nothing);
  });

  test.each(Object.entries(changes))('%s changes nothing', async (_name, call) => {
    const nothing = await asTenant('nobody', () => outcomeOf(call, 'nobody'));
    expect(await asTenant('globex', () => outcomeOf(call, 'acme'))).toEqual(nothing);
    expect(await outcomeOf(call, 'acme')).toEqual(nothing);
  });

  test.each(Object.entries(intrusions))('%s is refused', async (_name, call) => {
    for (const refused of [await asTenant('globex', () => outcomeOf(call, 'acme')), await outcomeOf(call, 'acme')]) {
      expect(refused).toHaveProperty('failed');
    }
  });
});

test.each(Object.entries(intrusions))('%s is let through for the tenant in the scope', async (_name, call) => {
  const outcome = await asTenant('acme', () => outcomeOf(call, 'acme'));
  expect(outcome).toHaveProperty('answered');
  const { answered } = outcome as { answered: { return?: () => Promise<unknown> } | undefined };
  await answered?.return?.();
});

describe('a connection of the server', () => {
  test('sees nothing where nobody has said for whom', async () => {
    const execute = (text: string) => app.app.context.database.em.getConnection().execute<object[]>(text);
    for (const table of tables) {
      expect(await execute(`select 1 from ${table}`)).toEqual([]);
      expect(await asEveryTenant(() => execute(`select 1 from ${table}`))).not.toEqual([]);
    }
  });

  test('keeps nothing of the scope of the statement before, in a transaction that failed either', async () => {
    await using database = await disposable({ rowLevelSecurity: true });
    const seen = () => database.em.getConnection().execute<{ n: number }[]>('select count(*)::int as n from inbox');
    expect(await asTenant('acme', seen)).toEqual([{ n: 1 }]);
    expect(await seen()).toEqual([{ n: 0 }]);
    const failure = new Error('on purpose');
    const failing = asEveryTenant(() =>
      database.em.fork().transactional(async (em) => {
        await em.execute('select count(*) from inbox where tenant_id = ?', ['acme']);
        throw failure;
      }),
    );
    await expect(failing).rejects.toBe(failure);
    expect(await seen()).toEqual([{ n: 0 }]);
  });

  test('is not held to anything with ROW_LEVEL_SECURITY=off', async () => {
    await using database = await disposable({ rowLevelSecurity: false });
    const rows = await database.em.getConnection().execute<object[]>('select from inbox');
    expect(rows.length).toBeGreaterThan(1);
  });
});

async function disposable({ rowLevelSecurity }: { rowLevelSecurity: boolean }) {
  const database = await connectDatabase({ url: app.databaseUrl, poolMax: 1, timeoutMs: 10_000, rowLevelSecurity });
  return Object.assign(database, { [Symbol.asyncDispose]: () => database.close(true) });
}

describe('statements that several tenants share', () => {
  const strange = [
    '{}',
    '{"a","b"}',
    "it's",
    'a\\b',
    '\\"',
    'a,b',
    ' ',
    'NULL',
    'all',
    '"',
    '日本 🔔',
    "'); drop table inbox; --",
  ];

  test('serve each of them, whatever their ids look like, and nobody else', async () => {
    const { notifications } = services();
    const callers = strange.map((tenantId) => callerAt(tenantId, 'uma'));
    const each = <T>(work: (caller: Caller, index: number) => Promise<T>) =>
      Promise.all(callers.map((caller, index) => asTenant(caller.tenantId, () => work(caller, index))));
    await each((caller, index) => notifications.send(caller, { title: `For ${index}`, content: caller.tenantId }));
    const pages = await each((caller) => notifications.list(caller, { first: 5 }));
    expect(pages.map(({ notifications: [first, second] }) => [first?.title, first?.content, second])).toEqual(
      strange.map((tenantId, index) => [`For ${index}`, tenantId, undefined]),
    );
    expect(await each((caller) => notifications.unreadCount(caller))).toEqual(strange.map(() => 1));
    await each((caller) => notifications.markAllRead(caller, null));
    expect(await each((caller) => notifications.unreadCount(caller))).toEqual(strange.map(() => 0));
    // A neighbour in the statement opens it for itself alone: this one's own scope has none of them.
    const counts = await asTenant('all', () => Promise.all(callers.map((caller) => notifications.state(caller))));
    expect(counts.filter(({ totalCount }) => totalCount > 0)).toHaveLength(1);
  });
});
