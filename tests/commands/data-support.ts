import { randomUUID } from 'node:crypto';
import type { Client } from 'pg';
import { type Person, TEST_SECRET, type TestApp, person } from '../support/app.ts';
import { type CommandResult, runCommand } from '../process/server.ts';

/** The settings that the command needs. */
export const settings = (url: string): Record<string, string> => ({ DATABASE_URL: url, JWT_SECRET: TEST_SECRET });

export const data = (url: string, args: readonly string[]): Promise<CommandResult> =>
  runCommand('data', args, { env: settings(url) });

export type Line = Record<string, unknown> & { kind: string };

/** The lines of an export, each of which must be an object of its own. */
export const linesOf = (text: string): Line[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);

export const SECRETS = ['hash-of-a-password', 'hash-of-a-token', 'whsec_present', 'whsec_before'] as const;

/** Somebody of a tenant, of whom there is something in every table, and what of it the tests look for. */
export interface Populated {
  readonly uma: Person;
  /** Sends to uma, reads what uma sent. */
  readonly sam: Person;
  /** Has nothing to do with uma. */
  readonly wim: Person;
  /** In uma's inbox now; recalled and deleted ones are not. */
  readonly received: string[];
  readonly recalled: string;
  readonly deleted: string;
  readonly toSelf: string;
  readonly sent: string[];
  readonly scheduledByUma: string;
  readonly scheduledForUma: string;
  readonly umaAddress: string;
  readonly samAddress: string;
  /** Of deliveries that wait. */
  readonly toUma: string;
  readonly toSam: string;
}

const LATER = new Date(Date.now() + 3_600_000).toISOString();

/** Puts something of everybody into every table of a tenant that names users, by the doors where there is one for it. */
export async function populate(app: TestApp, client: Client, tenantId: string): Promise<Populated> {
  const [uma, sam, wim] = [person({ tenantId }), person({ tenantId }), person({ tenantId })];
  const rest = async (who: Person, method: string, path: string, body?: unknown, headers = {}) => {
    const answer = await app.rest(method, `/api/v1/notifications${path}`, { token: who.token, body, headers });
    if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
    return answer.body as { id: string };
  };
  const send = async (from: Person, to: Person, more: object = {}, headers = {}) => {
    const content = {
      user_id: to.id,
      title: `of ${tenantId}`,
      content: from.id === wim.id ? 'wim' : 'c',
      ...more,
    };
    return (await rest(from, 'POST', '', content, headers)).id;
  };

  const read = await send(sam, uma, { data: { '2': 'b', '1': ['a'], ' ': 'c\nd' } });
  const deleted = await send(sam, uma);
  const recalled = await send(sam, uma);
  const kept = await send(sam, uma, {}, { 'idempotency-key': 'sam to uma' });
  const toSelf = await send(uma, uma);
  await rest(uma, 'PUT', `/${read}/read`);
  await rest(uma, 'DELETE', `/${deleted}`);
  await rest(sam, 'POST', `/${recalled}/recall`);
  const sent = [await send(uma, sam, {}, { 'idempotency-key': 'uma to sam' }), await send(uma, sam)];
  await rest(sam, 'PUT', `/${sent[0]}/read`);
  const scheduledByUma = await send(uma, sam, { send_at: LATER });
  const scheduledForUma = await send(sam, uma, { send_at: LATER });
  const ofWim = await send(sam, wim, {}, { 'idempotency-key': 'sam to wim' });
  await rest(wim, 'PUT', `/${ofWim}/read`);
  await send(wim, sam, { send_at: LATER });

  const people = [uma, sam, wim];
  const address = ({ id }: Person) => `${id.slice(0, 8)}@${tenantId}.example`;
  for (const { id } of people) {
    await client.query(
      `insert into app_user (tenant_id, id, username, password_hash, roles, created_at)
       values ($1, $2, 'name of ' || $2, '${SECRETS[0]}', '{sender}', now())`,
      [tenantId, id],
    );
    await client.query(
      `insert into refresh_token (hash, family_id, tenant_id, user_id, expires_at)
       values ('${SECRETS[1]}' || $2, gen_random_uuid(), $1, $2, now() + interval '1 day')`,
      [tenantId, id],
    );
    await client.query(
      `insert into revocation (id, tenant_id, user_id, session_id, expires_at)
       values (gen_random_uuid(), $1, $2, gen_random_uuid(), now() + interval '1 day')`,
      [tenantId, id],
    );
    await client.query(`insert into last_seen (tenant_id, user_id, at) values ($1, $2, now())`, [tenantId, id]);
    await client.query(
      `insert into sender_log (tenant_id, user_id, epoch) values ($1, $2, 'abcdefghijk') on conflict do nothing`,
      [tenantId, id],
    );
  }
  const contactOf = async (userId: string | null, channel: string, at: string): Promise<string> => {
    const { rows } = await client.query<{ id: string }>(
      `insert into contact (id, tenant_id, user_id, channel, address, secret, previous_secret, created_at)
       values (gen_random_uuid(), $1, $2, $3, $4, '${SECRETS[2]}', '${SECRETS[3]}', now()) returning id`,
      [tenantId, userId, channel, at],
    );
    return rows[0]!.id;
  };
  const contacts = new Map<Person, string>();
  for (const one of people) contacts.set(one, await contactOf(one.id, 'EMAIL', address(one)));
  const hook = await contactOf(null, 'WEBHOOK', `https://hooks.${tenantId}.example/`);

  const deliver = async (to: Person, from: Person, notificationId: string, isDone: boolean, channel = 'EMAIL') => {
    const id = randomUUID();
    const content = {
      id: notificationId,
      recipientId: to.id,
      senderId: from.id,
      data: { b: 1, a: 2 },
      createdAt: LATER,
    };
    await client.query(
      `insert into delivery (id, tenant_id, notification_id, channel, address, contact_id, status, attempts, content,
         created_at, due_at, changed_at)
       values ($1, $2, $3, $4, $5, $6, $7, 0, $8, now(), $9, now())`,
      [
        id,
        tenantId,
        notificationId,
        channel,
        channel === 'WEBHOOK' ? `https://hooks.${tenantId}.example/` : address(to),
        channel === 'WEBHOOK' ? hook : contacts.get(to),
        isDone ? 'DELIVERED' : 'PENDING',
        isDone ? null : JSON.stringify(content),
        isDone ? null : LATER,
      ],
    );
    if (!isDone) {
      await client.query(
        `select graphile_worker.add_job('deliver', json_build_object('id', $1::uuid), run_at => $2::timestamptz)`,
        [id, LATER],
      );
    }
    return id;
  };
  const toUma = await deliver(uma, sam, kept, false);
  await deliver(uma, sam, deleted, true);
  await deliver(uma, sam, kept, true, 'WEBHOOK');
  const toSam = await deliver(sam, uma, sent[1]!, false);
  await deliver(wim, sam, ofWim, false);
  const target = (to: Person) => ({ channel: 'EMAIL', address: address(to), contactId: contacts.get(to) });
  const hookTarget = { channel: 'WEBHOOK', address: `https://hooks.${tenantId}.example/`, contactId: hook };
  await client.query('update scheduled_send set targets = $2 where id = $1', [
    scheduledByUma,
    JSON.stringify([target(sam), hookTarget]),
  ]);
  await client.query('update scheduled_send set targets = $2 where id = $1', [
    scheduledForUma,
    JSON.stringify([target(uma), hookTarget]),
  ]);
  // As an instance of an old version stores it.
  await client.query(`update notification set tenant_id = null where id = $1`, [sent[1]]);
  await client.query(
    `insert into tenant_activity (tenant_id, hour, kind, count) values ($1, date_trunc('hour', now() - interval '2 days'), 'read', 3)`,
    [tenantId],
  );
  await client.query(
    `with one as (insert into instance (id, alive_at) values (gen_random_uuid(), now() + interval '1 hour') returning id)
     insert into presence (tenant_id, user_id, instance_id, connections, updated_at)
     select $1, u, id, 1, now() from one, unnest($2::text[]) u`,
    [tenantId, people.map(({ id }) => id)],
  );
  return {
    ...{ uma, sam, wim, received: [read, kept, toSelf], recalled, deleted, toSelf, sent, scheduledByUma },
    ...{ scheduledForUma, umaAddress: address(uma), samAddress: address(sam), toUma, toSam },
  };
}

export async function tablesOf(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select format('%I.%I', table_schema, table_name) as name from information_schema.tables
     where table_schema not in ('pg_catalog', 'information_schema') and table_type = 'BASE TABLE' order by 1`,
  );
  return rows.map(({ name }) => name);
}

/** Every row of every table, as text. What changes by itself while a server runs is left out. */
export async function everything(client: Client): Promise<Map<string, string[]>> {
  const tables = (await tablesOf(client)).filter((name) => !/\.(instance|tenant_activity)$/.test(name));
  const found = new Map<string, string[]>();
  for (const table of tables) {
    const { rows } = await client.query<{ row: string }>(
      `select row_to_json(t)::text as row from ${table} t order by 1`,
    );
    found.set(
      table,
      rows.map(({ row }) => row),
    );
  }
  return found;
}

/** The tables with rows that hold one of the texts, and how many. */
export async function tablesWith(client: Client, texts: readonly string[]): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const [table, rows] of await everything(client)) {
    const n = rows.filter((row) => texts.some((text) => row.includes(text))).length;
    if (n > 0) counts[table] = n;
  }
  return counts;
}
