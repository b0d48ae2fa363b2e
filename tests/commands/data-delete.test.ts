import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { Client } from 'pg';
import { openTerminal } from '../process/terminal.ts';
import { startApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { type TestDatabase, createTestDatabase, withClient } from '../support/postgres.ts';
import { type Populated, data, everything, populate, settings, tablesWith } from './data-support.ts';

/** Each test starts several processes, which take seconds each where others compete for the machine. */
jest.setTimeout(240_000); // ms

/** For a command to come as far as a test wants it. */
const PATIENCE_MS = 20_000;

let database: TestDatabase;
let acme: Populated;
let other: Populated;

/** A database with two tenants, and no server any more. */
beforeEach(async () => {
  database = await createTestDatabase();
  await using app = await startApp({ databaseUrl: database.url });
  await query(async (client) => {
    acme = await populate(app, client, 'acme');
    other = await populate(app, client, 'other');
  });
  await app[Symbol.asyncDispose]();
  // What populate pretends: it would have the command wait for servers.
  await query((client) => client.query(`update instance set alive_at = now() - interval '1 hour'`));
});
afterEach(async () => {
  await database[Symbol.asyncDispose]();
});

const query = <T>(use: (client: Client) => Promise<T>): Promise<T> => withClient(database.url, use);

/** Everything by which a row could be uma's, but for ids of inboxes. */
const tracesOf = ({
  uma,
  received,
  recalled,
  deleted,
  scheduledByUma,
  scheduledForUma,
  umaAddress,
  toUma,
}: Populated) => [...[uma.id, ...received, recalled, deleted, scheduledByUma, scheduledForUma, umaAddress, toUma]];

/** Every row but those that hold one of the texts, and those of an inbox. */
async function withoutTraces(client: Client, texts: readonly string[], inboxId: string): Promise<string[]> {
  const rows = [...(await everything(client))].flatMap(([table, found]) => found.map((row) => `${table} ${row}`));
  return rows.filter((row) => !texts.some((text) => row.includes(text)) && !row.includes(`"inbox_id":${inboxId},`));
}

const inboxOfUma = async (client: Client): Promise<string> => {
  const { rows } = await client.query<{ id: string }>('select id from inbox where user_id = $1', [acme.uma.id]);
  return rows[0]!.id;
};

/** What is left of a deleted user: the revocation, and, in the keys of senders, the ids of notifications that are gone. */
const LEFT = { 'public.revocation': 1, 'public.idempotency_key': 1 };

const DELETE_UMA = () => ['delete', '--tenant', 'acme', '--user', acme.uma.id, '--yes'];

describe('deleting a user', () => {
  test('leaves nothing of the user in any table, but a revocation of the tokens', async () => {
    const { code, stdout, stderr } = await data(database.url, DELETE_UMA());
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(await query((client) => tablesWith(client, tracesOf(acme)))).toEqual(LEFT);
    expect(await query((client) => tablesWith(client, [acme.uma.id]))).toEqual({ 'public.revocation': 1 });
    const counts = Object.fromEntries(
      stdout
        .trimEnd()
        .split('\n')
        .slice(0, -1)
        .map((line) => line.split('\t')),
    );
    expect(counts).toEqual({
      sessions: '1',
      accounts: '1',
      'scheduled sends': '2',
      presence: '2',
      inboxes: '1',
      notifications: '4',
      'deletions remembered': '1',
      deliveries: '3',
      'notifications of others, the sender taken out': '2',
      'deliveries of others, the sender taken out': '1',
      receipts: '2',
      'logs of receipts': '1',
      'idempotency keys': '1',
      contacts: '1',
      jobs: '1',
    });
    expect(stdout).toContain(`deleted everything of the user ${acme.uma.id} of acme\n`);
  });

  test('leaves everything of the others as it was, but that what the user sent them has no sender', async () => {
    const inboxId = await query(inboxOfUma);
    const before = await query((client) => withoutTraces(client, tracesOf(acme), inboxId));
    const sentBefore = await query((client) =>
      client.query(
        `select to_jsonb(n) - 'sender_id' as rest from notification n where sender_id = $1 and inbox_id <> $2`,
        [acme.uma.id, inboxId],
      ),
    );
    await data(database.url, DELETE_UMA());
    await query(async (client) => {
      const sent = await client.query(
        `select to_jsonb(n) - 'sender_id' as rest from notification n where id = any($1) and sender_id is null`,
        [acme.sent],
      );
      expect(sent.rows).toHaveLength(2);
      expect(sent.rows).toEqual(expect.arrayContaining(sentBefore.rows));
      const { rows: deliveries } = await client.query('select content::text as content from delivery where id = $1', [
        acme.toSam,
      ]);
      const content = deliveries[0]?.content as string;
      expect(JSON.parse(content)).toMatchObject({ senderId: null, recipientId: acme.sam.id });
      expect(Object.keys(JSON.parse(content))).toEqual(['id', 'recipientId', 'senderId', 'data', 'createdAt']);
      expect(content).toContain('{"b":1,"a":2}');
      const ofOthers = (row: string) =>
        ![...acme.sent, acme.toSam].some((id) => row.startsWith('public.') && row.includes(`"id":"${id}"`));
      const after = await withoutTraces(client, tracesOf(acme), inboxId);
      expect(after.filter(ofOthers)).toEqual(before);
    });
  });

  test('finds nothing the second time, and nothing of somebody unknown', async () => {
    await data(database.url, DELETE_UMA());
    const rows = await query(everything);
    const again = await data(database.url, DELETE_UMA());
    expect(again).toMatchObject({ code: 0, stdout: `nothing was kept of the user ${acme.uma.id} of acme\n` });
    const { 'public.revocation': _, ...rest } = Object.fromEntries(await query(everything));
    const { 'public.revocation': __, ...before } = Object.fromEntries(rows);
    expect(rest).toEqual(before);
  });
});

describe('deleting a tenant', () => {
  test('leaves nothing of it but revocations, and everything of other tenants as it was', async () => {
    const ofOther = async (client: Client) => {
      const { rows } = await client.query(
        `select to_jsonb(n) from notification n join inbox i on i.id = n.inbox_id where i.tenant_id = 'other' order by n.id`,
      );
      const named = [...(await everything(client))].flatMap(([table, found]) => found.map((row) => `${table} ${row}`));
      return [rows, named.filter((row) => row.includes('"other"'))];
    };
    const before = await query(ofOther);
    const { code, stdout, stderr } = await data(database.url, ['delete', '--tenant', 'acme', '--all', '--yes']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^hours of statistics\t\d+$/m);
    expect(stdout).toMatch(/deleted everything of the tenant acme\n$/);
    expect(await query((client) => tablesWith(client, ['acme', ...tracesOf(acme)]))).toEqual({
      'public.revocation': 3,
    });
    const { rows: activity } = await query((client) =>
      client.query(`select tenant_id from tenant_activity group by 1`),
    );
    expect(activity).toEqual([{ tenant_id: 'other' }]);
    expect(await query(ofOther)).toEqual(before);
    expect(other.received).toHaveLength(3);
  });
});

/** The command, for as long as a test lets it run. */
function start(args: readonly string[]): { child: ChildProcess; exited: Promise<unknown> } {
  const child = spawn(process.execPath, ['src/commands/data.ts', ...args], {
    env: { PATH: process.env['PATH'], ...settings(database.url) },
    stdio: 'ignore',
  });
  return { child, exited: once(child, 'close') };
}

/** Gives uma so many that their deletion takes many batches. */
const fill = (client: Client, rows: number) =>
  client.query(
    `with box as (
       update inbox set version = version + $2::int, total = total + $2::int where user_id = $1 returning id, version - $2::int as base
     )
     insert into notification (id, tenant_id, inbox_id, seq, version, type, priority, channel, status, title, content, created_at, read_at)
     select gen_random_uuid(), 'acme', box.id, base + n, base + n, 'SYSTEM', 'NORMAL', 'IN_APP', 'READ', 't', 'c', now(), now()
     from box, generate_series(1, $2::int) n`,
    [acme.uma.id, rows],
  );

describe('a deletion that is killed', () => {
  test('amid the inbox has taken that away at once, and is finished by the next one', async () => {
    const inboxId = await query(async (client) => {
      await fill(client, 5000);
      return inboxOfUma(client);
    });
    const traces = tracesOf(acme);
    const before = await query((client) => withoutTraces(client, traces, inboxId));
    await query(async (client) => {
      // One of the last that it comes to: it has to wait for this test there.
      await client.query('begin');
      await client.query('select from notification where inbox_id = $1 and seq = 5000 for update', [inboxId]);
      const { child, exited } = start(DELETE_UMA());
      await eventually(async () => {
        const { rows } = await client.query(`select from pg_locks where not granted and locktype = 'transactionid'`);
        return rows.length > 0;
      }, PATIENCE_MS);
      child.kill('SIGKILL');
      await exited;
      await client.query('rollback');
    });
    await query(async (client) => {
      const { rows } = await client.query<{ left: number }>(
        `select count(*)::int as left from notification where inbox_id = $1`,
        [inboxId],
      );
      expect(rows[0]?.left).toBeGreaterThan(0);
      expect(rows[0]?.left).toBeLessThan(5000);
      expect((await client.query('select from inbox where user_id = $1', [acme.uma.id])).rows).toHaveLength(0);
    });
    expect(await data(database.url, DELETE_UMA())).toMatchObject({ code: 0, stderr: '' });
    await query(async (client) => {
      expect(await tablesWith(client, traces)).toEqual(LEFT);
      expect((await client.query('select from notification where inbox_id = $1', [inboxId])).rows).toHaveLength(0);
      expect((await client.query('select from inbox where id = $1', [inboxId])).rows).toHaveLength(0);
      const after = await withoutTraces(client, traces, inboxId);
      expect(after.length).toBe(before.length + 2 + 1);
    });
  });

  test.each([
    ['scheduled_send', 'scheduled_send where sender_id = $1'],
    ['last_seen', 'last_seen where user_id = $1'],
    ['idempotency_key', 'idempotency_key where sender_id = $1'],
    ['contact', 'contact where user_id = $1'],
  ])('at %s is finished by the next one', async (table, rows) => {
    await query(async (client) => {
      await client.query('begin');
      // Not even its rows can be looked at.
      await client.query(`lock table ${table} in access exclusive mode`);
      const { child, exited } = start(DELETE_UMA());
      await eventually(async () => {
        const { rows: waiting } = await client.query(
          'select from pg_locks where not granted and relation = $1::regclass',
          [table],
        );
        return waiting.length > 0;
      }, PATIENCE_MS);
      child.kill('SIGKILL');
      await exited;
      expect((await client.query(`select from ${rows}`, [acme.uma.id])).rows).not.toHaveLength(0);
      await client.query('rollback');
    });
    expect(await data(database.url, DELETE_UMA())).toMatchObject({ code: 0, stderr: '' });
    expect(await query((client) => tablesWith(client, tracesOf(acme)))).toEqual(LEFT);
  });

  test('of a tenant is finished by the next one', async () => {
    await query(async (client) => {
      await client.query('begin');
      await client.query('lock table last_seen in access exclusive mode');
      const { child, exited } = start(['delete', '--tenant', 'acme', '--all', '--yes']);
      await eventually(async () => {
        const { rows } = await client.query(
          `select from pg_locks where not granted and relation = 'last_seen'::regclass`,
        );
        return rows.length > 0;
      }, PATIENCE_MS);
      child.kill('SIGKILL');
      await exited;
      await client.query('rollback');
    });
    await data(database.url, ['delete', '--tenant', 'acme', '--all', '--yes']);
    expect(await query((client) => tablesWith(client, ['acme', ...tracesOf(acme)]))).toEqual({
      'public.revocation': 3,
    });
  });
});

describe('on a terminal', () => {
  const args = () => ['delete', '--tenant', 'acme', '--user', acme.uma.id];
  const question = () =>
    `This deletes everything that is kept of the user ${acme.uma.id} of acme. Type the user’s id: `;
  const open = () => openTerminal('src/commands/data.ts', args(), { env: settings(database.url) });

  test('it asks for the id, and does nothing when another is given, or at Ctrl-C', async () => {
    const before = await query(everything);
    for (const [keys, code] of [
      ['acme\r', 1],
      ['\x03', 130],
    ] as const) {
      await using terminal = open();
      await terminal.shows('Type the user');
      terminal.type(keys);
      expect(await terminal.exited).toBe(code);
    }
    expect(await query(everything)).toEqual(before);
  });

  test('it shows how far it is, and a table of what it deleted', async () => {
    await using terminal = open();
    await terminal.shows('Type the user');
    terminal.type(`${acme.uma.id}\r`);
    expect(await terminal.exited).toBe(0);
    expect(terminal.text.replaceAll('\n', '')).toContain(question().trim());
    expect(terminal.text).toMatch(/[━─]{10,} +\d+ % +\d:\d\d +notifications, /);
    expect(terminal.text).toMatch(/^inboxes +1$/m);
    expect(terminal.text).toMatch(/^notifications +4$/m);
    expect(await query((client) => tablesWith(client, tracesOf(acme)))).toEqual(LEFT);
  });
});
