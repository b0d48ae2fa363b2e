import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, jest, test } from '@jest/globals';
import type { Client } from 'pg';
import { startApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { createTestDatabase, withClient } from '../support/postgres.ts';
import { data, settings } from './data-support.ts';

/** Each test starts several processes, which take seconds each where others compete for the machine. */
jest.setTimeout(240_000); // ms

const PATIENCE_MS = 20_000;

const OLD = 'abcdefghijk';
const INBOXES = 2500;
const LOGS = 1500;

const fill = (client: Client) =>
  client.query(`
    with box as (
      insert into inbox (tenant_id, user_id, epoch, version, total, unread)
      select 'acme', 'u' || n, '${OLD}', n, 0, 0 from generate_series(1, ${INBOXES}) n
    )
    insert into sender_log (tenant_id, user_id, epoch, version)
    select 'acme', 'u' || n, '${OLD}', n from generate_series(1, ${LOGS}) n`);

const epochs = async (client: Client): Promise<string[]> => {
  const { rows } = await client.query<{ epoch: string }>(
    'select epoch from inbox union all select epoch from sender_log',
  );
  return rows.map(({ epoch }) => epoch);
};

test('every inbox and every log of receipts has an epoch of its own afterwards, and nothing else has changed', async () => {
  await using database = await createTestDatabase();
  await withClient(database.url, async (client) => {
    await fill(client);
    const rest = async () => {
      const inboxes = await client.query(`select to_jsonb(i) - 'epoch' as row from inbox i order by id`);
      const logs = await client.query(`select to_jsonb(s) - 'epoch' as row from sender_log s order by user_id`);
      return [inboxes.rows, logs.rows];
    };
    const before = await rest();
    expect(await data(database.url, ['restored'])).toEqual({
      code: 0,
      stdout: `gave new epochs to inboxes: ${INBOXES}, logs of receipts: ${LOGS}\n`,
      stderr: '',
    });
    const drawn = await epochs(client);
    expect(new Set(drawn).size).toBe(INBOXES + LOGS);
    for (const epoch of drawn) expect(epoch).toMatch(/^(?!abcdefghijk)[A-Za-z0-9_-]{11}$/);
    expect(await rest()).toEqual(before);
  });
});

test('one that is killed is finished by the next one', async () => {
  await using database = await createTestDatabase();
  await withClient(database.url, async (client) => {
    await fill(client);
    await client.query('begin');
    // Of the second batch.
    await client.query(`select from inbox where user_id = 'u1500' for update`);
    const child = spawn(process.execPath, ['src/commands/data.ts', 'restored'], {
      env: { PATH: process.env['PATH'], ...settings(database.url) },
      stdio: 'ignore',
    });
    const exited = once(child, 'close');
    await eventually(async () => {
      const { rows } = await client.query(`select from pg_locks where not granted and locktype = 'transactionid'`);
      return rows.length > 0;
    }, PATIENCE_MS);
    child.kill('SIGKILL');
    await exited;
    await client.query('rollback');
    expect((await epochs(client)).filter((epoch) => epoch !== OLD).length).toBeGreaterThan(0);
    expect(await epochs(client)).toContain(OLD);
    expect(await data(database.url, ['restored'])).toMatchObject({ code: 0 });
    expect(await epochs(client)).not.toContain(OLD);
  });
});

test('while a server works on the database it refuses, and changes nothing', async () => {
  await using app = await startApp();
  await withClient(app.databaseUrl, async (client) => {
    await fill(client);
    const { code, stdout, stderr } = await data(app.databaseUrl, ['restored']);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^a server works on this database[^\n]*\n$/);
    expect(new Set(await epochs(client))).toEqual(new Set([OLD]));
  });
});
