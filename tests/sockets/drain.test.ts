import { describe, expect, test } from '@jest/globals';
import type { Client } from 'pg';
import { type Person, type TestApp, person, startApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { withClient } from '../support/postgres.ts';
import { refusalOf } from '../support/socket-client.ts';
import { BEGINNING, connectGraphQL, connectLegacy, openGraphQL, sendTo, subscribe } from './connect.ts';
import { asEveryTenant } from '../../src/scope.ts';

const GOING_AWAY = { code: 1001, reason: 'The server is shutting down' };

async function countUnread(app: TestApp, { tenantId, id: userId }: Person): Promise<number> {
  const caller = {
    tenantId,
    userId,
    roles: [],
    expiresAtMs: Date.now() + 60_000,
    issuedAtMs: Date.now(),
    sessionId: undefined,
  };
  return asEveryTenant(() => app.app.context.services.notifications.unreadCount(caller));
}

async function bothWait(client: Client): Promise<boolean> {
  const { rowCount } = await client.query(
    "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
  );
  return rowCount === 2;
}

describe('a server that drains', () => {
  test('tells every socket 1001, those without a connection_init included', async () => {
    await using app = await startApp();
    const ada = person();
    const sockets = [
      await connectLegacy(app, ada),
      await connectGraphQL(app, ada),
      await openGraphQL(app),
      await connectGraphQL(app, ada),
    ];
    subscribe(sockets[3]!, '1');
    const drained = app.app.doors.drain();
    for (const socket of sockets) expect(await socket.closed).toEqual(GOING_AWAY);
    await drained;
    expect(sockets.flatMap((socket) => socket.rest())).toEqual([]);
    expect([app.app.doors.connections.size, app.app.context.hub.feedCount]).toEqual([0, 0]);
  });

  test('answers every mutation that it has begun, and begins no other', async () => {
    await using app = await startApp();
    const ada = person();
    await using socket = await connectGraphQL(app, ada);
    const query = 'mutation { send(input: { title: "T", content: "C" }) { id } }';
    for (let id = 0; id < 90; id++) socket.send({ id: `${id}`, type: 'subscribe', payload: { query } });
    await socket.next();
    const drained = app.app.doors.drain();
    for (let id = 100; id < 110; id++) socket.send({ id: `${id}`, type: 'subscribe', payload: { query } });
    expect(await socket.closed).toEqual(GOING_AWAY);
    const messages = socket.rest();
    await drained;
    const answered = 1 + messages.filter(({ type }) => type === 'next').length;
    expect(answered).toBe(await countUnread(app, ada));
    expect(messages.filter(({ type }) => type === 'complete')).toHaveLength(answered);
    for (const { payload } of messages.filter(({ type }) => type === 'error')) {
      expect(payload[0].extensions.code).toBe('UNAVAILABLE');
    }
  });

  test('serves every mark_read that it has taken, and tells what it changed', async () => {
    await using app = await startApp();
    const ada = person();
    const ids = await Promise.all(Array.from({ length: 60 }, async () => (await sendTo(app, ada))['id'] as string));
    await using socket = await connectLegacy(app, ada);
    for (const id of ids) socket.send({ type: 'mark_read', notification_ids: [id] });
    await socket.next();
    const drained = app.app.doors.drain();
    expect(await socket.closed).toEqual(GOING_AWAY);
    await drained;
    const told = 1 + socket.rest().length;
    expect(told).toBe(60 - (await countUnread(app, ada)));
  });

  test('and does not come to its end in time cuts everybody off, without a word of what failed by it', async () => {
    const app = await startApp({ env: { SHUTDOWN_TIMEOUT: '200ms', DATABASE_TIMEOUT: '1s' } });
    const ada = person();
    await sendTo(app, ada);
    await withClient(app.databaseUrl, async (other) => {
      await other.query('begin');
      await other.query('select 1 from inbox where user_id = $1 for update', [ada.id]);
      const sockets = [await connectGraphQL(app, ada), await connectLegacy(app, ada)] as const;
      subscribe(sockets[0], 'live', BEGINNING);
      await sockets[0].next();
      const query = 'mutation { send(input: { title: "T", content: "C" }) { id } }';
      sockets[0].send({ id: 'stuck', type: 'subscribe', payload: { query } });
      sockets[1].send({ type: 'mark_read', notification_ids: ['00000000-0000-7000-8000-000000000000'] });
      await eventually(() => withClient(app.databaseUrl, bothWait));
      const ended = app.app[Symbol.asyncDispose]();
      for (const socket of sockets) {
        expect((await socket.closed).code).toBe(1006);
        expect(socket.rest()).toEqual([]);
      }
      await ended;
      await other.query('rollback');
    });
    expect(app.logged.filter((line) => /"level":(50|60)/.test(line))).toEqual([]);
    await app[Symbol.asyncDispose]();
  });

  test('lets nobody in any more', async () => {
    await using app = await startApp();
    const ada = person();
    await using held = await connectGraphQL(app, ada);
    held.socket.pause();
    const drained = app.app.doors.drain();
    for (const url of [app.legacySocketUrl(), app.graphqlSocketUrl]) {
      await expect(refusalOf(url, ada)).rejects.toThrow('ECONNREFUSED');
    }
    held.socket.resume();
    await drained;
  });
});

test('what is sent while everybody is away is there for those who come back to another instance', async () => {
  await using one = await startApp();
  const ada = person();
  await using socket = await connectGraphQL(one, ada);
  subscribe(socket, '1', BEGINNING);
  await sendTo(one, ada);
  const { cursor } = (await socket.next())['payload'].data.notificationAdded;
  await using two = await startApp({ databaseUrl: one.databaseUrl });
  await one.app.doors.drain();
  const { id } = await sendTo(two, ada);
  await using back = await connectGraphQL(two, ada);
  subscribe(back, '1', cursor);
  expect((await back.next())['payload'].data.notificationAdded.id).toBe(id);
});
