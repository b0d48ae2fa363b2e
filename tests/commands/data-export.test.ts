import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempDisposable, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { Client } from 'pg';
import { runCommand } from '../process/server.ts';
import { type TestApp, startApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { withClient } from '../support/postgres.ts';
import { type Line, type Populated, SECRETS, data, linesOf, populate, settings, tablesOf } from './data-support.ts';

/** Each test starts several processes, which take seconds each where others compete for the machine. */
jest.setTimeout(240_000); // ms

/** For a command to have started. */
const PATIENCE_MS = 20_000;

let app: TestApp;
let acme: Populated;
let other: Populated;

beforeAll(async () => {
  app = await startApp();
  acme = await withClient(app.databaseUrl, (client) => populate(app, client, 'acme'));
  other = await withClient(app.databaseUrl, (client) => populate(app, client, 'other'));
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

const query = <T>(use: (client: Client) => Promise<T>): Promise<T> => withClient(app.databaseUrl, use);
const exported = async (...args: string[]): Promise<Line[]> => {
  const { code, stdout, stderr } = await data(app.databaseUrl, ['export', ...args]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return linesOf(stdout);
};
const of = (lines: readonly Line[], kind: string): Line[] => lines.filter((line) => line.kind === kind);
const idsOf = (lines: readonly Line[], kind: string) => of(lines, kind).map(({ id }) => id as string);

/** Where each table goes in the export of a tenant. */
const kindOf: Record<string, string | null> = {
  'public.app_user': 'account',
  'public.contact': 'contact',
  'public.delivery': 'delivery',
  'public.idempotency_key': 'idempotencyKey',
  'public.inbox': 'inbox',
  'public.instance': null,
  'public.last_seen': 'lastSeen',
  'public.notification': 'notification',
  'public.presence': 'presence',
  'public.receipt': 'receipt',
  'public.refresh_token': 'session',
  'public.revocation': 'revocation',
  'public.scheduled_send': 'scheduledSend',
  'public.sender_log': 'receiptLog',
  'public.tenant_activity': 'activity',
  'public.tombstone': 'deletion',
};

describe('the export of a user', () => {
  test('has everything of the user, each with its kind, between a first and a last line', async () => {
    const { uma, sam } = acme;
    const lines = await exported('--tenant', 'acme', '--user', uma.id);
    expect(lines[0]).toMatchObject({ kind: 'export', version: 1, tenantId: 'acme', userId: uma.id });
    const counts: Record<string, number> = {};
    for (const { kind } of lines.slice(1, -1)) counts[kind] = (counts[kind] ?? 0) + 1;
    expect(lines.at(-1)).toEqual({ kind: 'end', counts });
    expect(counts).toEqual({
      account: 1,
      session: 1,
      revocation: 1,
      inbox: 1,
      deletion: 1,
      receiptLog: 1,
      contact: 1,
      idempotencyKey: 1,
      presence: 1,
      lastSeen: 1,
      notificationReceived: 4,
      notificationSent: 2,
      receiptGiven: 1,
      receiptGot: 1,
      delivery: 3,
      scheduledSend: 2,
    });
    expect(idsOf(lines, 'notificationReceived').toSorted()).toEqual([...acme.received, acme.recalled].toSorted());
    expect(idsOf(lines, 'notificationSent').toSorted()).toEqual(acme.sent.toSorted());
    expect(of(lines, 'deletion')).toMatchObject([{ notificationId: acme.deleted }]);
    expect(of(lines, 'account')).toMatchObject([{ userId: uma.id, username: `name of ${uma.id}`, roles: ['sender'] }]);
    expect(of(lines, 'contact')).toMatchObject([{ channel: 'EMAIL', address: acme.umaAddress }]);
    expect(of(lines, 'receiptGiven')).toMatchObject([{ senderId: sam.id, recipientId: uma.id, isRead: true }]);
    expect(of(lines, 'receiptGot')).toMatchObject([{ senderId: uma.id, recipientId: sam.id }]);
    expect(idsOf(lines, 'scheduledSend').toSorted()).toEqual([acme.scheduledByUma, acme.scheduledForUma].toSorted());
    const targets = new Map(of(lines, 'scheduledSend').map((line) => [line['id'], line['targets']]));
    expect(targets.get(acme.scheduledByUma)).toEqual([{ channel: 'EMAIL' }, { channel: 'WEBHOOK' }]);
    expect(targets.get(acme.scheduledForUma)).toMatchObject([{ channel: 'EMAIL', address: acme.umaAddress }]);
  });

  test('gives data as it was sent, and times in UTC', async () => {
    const { stdout } = await data(app.databaseUrl, ['export', '--tenant', 'acme', '--user', acme.uma.id]);
    expect(stdout).toContain(`"data":${JSON.stringify({ '2': 'b', '1': ['a'], ' ': 'c\nd' })}`);
    const [received] = of(linesOf(stdout), 'notificationReceived');
    expect(received?.['createdAt']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00$/);
  });

  test('has nothing of anybody else: no address, no hash, no secret, no other tenant', async () => {
    const { stdout } = await data(app.databaseUrl, ['export', '--tenant', 'acme', '--user', acme.uma.id]);
    const foreign = [acme.wim.id, other.uma.id, other.sam.id, 'of other', '"wim"', acme.samAddress, 'hooks.acme'];
    for (const text of [...foreign, ...SECRETS]) expect(stdout).not.toContain(text);
  });

  test('of somebody unknown is empty, and says so', async () => {
    const { code, stdout, stderr } = await data(app.databaseUrl, ['export', '--tenant', 'acme', '--user', 'nobody']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: 'nothing is kept there\n' });
    expect(linesOf(stdout)).toMatchObject([{ kind: 'export' }, { kind: 'end', counts: {} }]);
  });
});

describe('the export of a tenant', () => {
  test('has every row of every table that is of the tenant, and none of another one', async () => {
    // The server writes what it has counted within seconds, all at once; until then there is only what was seeded.
    await eventually(async () => {
      const { rows } = await query((client) =>
        client.query<{ n: number }>("select count(*)::int as n from tenant_activity where tenant_id = 'acme'"),
      );
      return (rows[0]?.n ?? 0) > 1;
    }, 90_000);
    const lines = await exported('--tenant', 'acme');
    const counts = lines.at(-1)?.['counts'] as Record<string, number>;
    await query(async (client) => {
      const tables = (await tablesOf(client)).filter(
        (name) => name.startsWith('public.') && !name.endsWith('_migration'),
      );
      expect(Object.keys(kindOf).toSorted()).toEqual(tables.toSorted());
      for (const [table, kind] of Object.entries(kindOf)) {
        if (kind === null) continue;
        const inInbox = /notification|tombstone/.test(table);
        const { rows } = await client.query<{ n: number }>(
          `select count(*)::int as n from ${table} t ${inInbox ? 'join inbox i on i.id = t.inbox_id' : ''}
           where ${inInbox ? 'i' : 't'}.tenant_id = 'acme'`,
        );
        expect({ kind, n: counts[kind] }).toEqual({ kind, n: rows[0]?.n });
        expect(rows[0]?.n).toBeGreaterThan(0);
      }
    });
    const text = JSON.stringify(lines);
    for (const word of [other.uma.id, other.sam.id, other.wim.id, 'of other', '@other.example', ...SECRETS]) {
      expect(text).not.toContain(word);
    }
    expect(text).toContain('https://hooks.acme.example/');
  });
});

describe('a file', () => {
  test('is written whole, for its owner only, and is never written over', async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'carillon-export-'));
    const out = join(folder.path, 'uma.jsonl');
    const args = ['export', '--tenant', 'acme', '--user', acme.uma.id, '--out', out];
    const { code, stdout, stderr } = await data(app.databaseUrl, args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^wrote 23 lines to \S+uma\.jsonl, beside the first and the last\n$/);
    expect((await stat(out)).mode & 0o777).toBe(0o600);
    expect(linesOf(await readFile(out, 'utf8'))).toHaveLength(25);
    await writeFile(out, 'mine');
    const again = await data(app.databaseUrl, args);
    expect(again).toMatchObject({ code: 1, stdout: '', stderr: `${out} is there already: nothing was written\n` });
    expect(await readFile(out, 'utf8')).toBe('mine');
  });

  test('that cannot be made is told in one line', async () => {
    const { code, stderr } = await data(app.databaseUrl, ['export', '--tenant', 'acme', '--out', '/dev/null/x']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^[^\n]*\/dev\/null\/x[^\n]*\n$/);
  });
});

/** An inbox that is larger than all buffers between the command and its reader. */
const fill = (tenantId: string, rows: number, bytes: number) =>
  query((client) =>
    client.query(
      `with box as (
         insert into inbox (tenant_id, user_id, epoch, version, total, unread)
         values ($1, 'big', 'abcdefghijk', $2::int, $2::int, $2::int) returning id
       )
       insert into notification (id, tenant_id, inbox_id, seq, version, type, priority, channel, status, title, content, created_at)
       select gen_random_uuid(), $1, box.id, n, n, 'SYSTEM', 'NORMAL', 'IN_APP', 'SENT', 't', repeat('x', $3::int), now()
       from box, generate_series(1, $2::int) n`,
      [tenantId, rows, bytes],
    ),
  );

function startExport(tenantId: string, env: Record<string, string> = {}) {
  const child = spawn(process.execPath, ['src/commands/data.ts', 'export', '--tenant', tenantId], {
    env: { PATH: process.env['PATH'], ...settings(app.databaseUrl), ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'close').then(([code]) => code as number | null);
  return { child, exited };
}

describe('a large export', () => {
  test('is of one moment: what is stored while it is being read is not in it', async () => {
    await fill('moment', 2000, 2000);
    const { child, exited } = startExport('moment');
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    const first = await lines.next();
    expect(first.value).toContain('"kind":"export"');
    await query((client) => client.query(`delete from notification where tenant_id = 'moment'`));
    await query((client) =>
      client.query(
        `insert into scheduled_send (id, tenant_id, sender_id, recipient_id, type, priority, channel, title, content, send_at, created_at)
         values (gen_random_uuid(), 'moment', 'a', 'b', 'SYSTEM', 'NORMAL', 'IN_APP', 't', 'c', now() + interval '1 day', now())`,
      ),
    );
    let last: string | undefined;
    for (let line = await lines.next(); !line.done; line = await lines.next()) last = line.value;
    expect(JSON.parse(last!)).toEqual({ kind: 'end', counts: { inbox: 1, notification: 2000 } });
    expect(await exited).toBe(0);
  });

  test('of 100 MB is written by a process whose heap may have 64', async () => {
    await fill('heavy', 5000, 20_000);
    const { child, exited } = startExport('heavy', { NODE_OPTIONS: '--max-old-space-size=64' });
    let bytes = 0;
    child.stdout.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    expect(await exited).toBe(0);
    expect(bytes).toBeGreaterThan(100_000_000);
  });

  test('ends with 1 and one line when its reader goes away, and with 143 at SIGTERM, and leaves no file', async () => {
    await fill('left', 8000, 2000);
    const cut = await new Promise<string>((resolve) => {
      const child = spawn(
        'sh',
        [
          '-c',
          `{ ${process.execPath} src/commands/data.ts export --tenant left; echo "exit $?" >&2; } | head -n 1 > /dev/null`,
        ],
        { env: { PATH: process.env['PATH'], ...settings(app.databaseUrl) }, stdio: ['ignore', 'ignore', 'pipe'] },
      );
      let text = '';
      child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      child.on('close', () => resolve(text));
    });
    expect(cut).toMatch(/^write EPIPE\nexit 1\n$/);

    await using folder = await mkdtempDisposable(join(tmpdir(), 'carillon-export-'));
    await query(async (client) => {
      // Held for the command, so that it is under way for as long as the test wants.
      await client.query('begin');
      await client.query('lock table tombstone in access exclusive mode');
      const child = spawn(
        process.execPath,
        ['src/commands/data.ts', 'export', '--tenant', 'left', '--out', join(folder.path, 'left.jsonl')],
        { env: { PATH: process.env['PATH'], ...settings(app.databaseUrl) }, stdio: 'ignore' },
      );
      const exited = once(child, 'close');
      await eventually(async () => {
        const { rows } = await client.query(
          `select from pg_locks where not granted and relation = 'tombstone'::regclass`,
        );
        return rows.length > 0;
      }, PATIENCE_MS);
      expect(await readdir(folder.path)).toEqual(['left.jsonl']);
      child.kill('SIGTERM');
      // A signal that came is noticed after the statement that is under way.
      await client.query('rollback');
      expect((await exited)[0]).toBe(143);
    });
    expect(await readdir(folder.path)).toEqual([]);
  });
});

describe('the data command', () => {
  test('names the argument that is wrong, and exits with 2; with 0 for --help', async () => {
    const cases: [string, string][] = [
      ['', 'say one of: export, delete, restored'],
      ['copy', '"copy" is none of: export, delete, restored'],
      ['export', '--tenant is needed'],
      ['export --tenant a --yes', '--yes does not go with export'],
      ['export --tenant a b', 'unexpected argument "b"'],
      [`export --tenant a --user ${'u'.repeat(129)}`, '--user must be at most 128 characters long'],
      ['delete --tenant a --yes', '--user or --all is needed, and not both'],
      ['delete --tenant a --user b --all --yes', '--user or --all is needed, and not both'],
      ['delete --tenant a --user b', '--yes is needed where standard input is no terminal to ask on'],
      ['restored --tenant a', '--tenant does not go with restored'],
    ];
    for (const [args, line] of cases) {
      const { code, stdout, stderr } = await data(app.databaseUrl, args.split(' ').filter(Boolean));
      expect({ code, stdout, line: stderr.split('\n')[0] }).toEqual({ code: 2, stdout: '', line });
      expect(stderr).toContain('Usage:');
    }
    const help = await runCommand('data', ['delete', '--help']);
    expect(help).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('Usage:') });
  });
});
