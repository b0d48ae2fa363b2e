import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { refusalOf } from '../graphql/operations.ts';
import { connectGraphQL, connectLegacy, sendTo } from '../sockets/connect.ts';
import { type Person, type TestApp, person, startApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import type { Message } from '../support/socket-client.ts';
import { asEveryTenant } from '../../src/scope.ts';

let app: TestApp;

beforeAll(async () => {
  app = await startApp();
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

const PERIOD = '{ sends read unread readShare byType { type sends } byChannel { channel sends } }';
const STATS = `{ stats { onlineUsers connections pushSuccessRate today ${PERIOD} last24Hours ${PERIOD} } }`;

async function statsOf({ token }: Person): Promise<Message> {
  const { data, errors } = await app.graphql(STATS, { token });
  if (errors) throw new Error(JSON.stringify(errors));
  return data.stats;
}

const adminOf = (tenantId: string): Person => person({ tenantId, roles: ['admin'] });
const nonzero = (counts: { sends: number }[]) => counts.filter(({ sends }) => sends > 0);

describe('stats', () => {
  test.each([[[]], [['sender']], [['Admin']]])('are refused to the roles %j', async (roles) => {
    const answer = await app.graphql('{ stats { connections } }', { token: person({ roles }).token });
    expect(refusalOf(answer)).toEqual({ code: 'FORBIDDEN' });
    expect(answer.errors?.[0]?.message).toBe('Statistics need the role admin.');
  });

  test('of a tenant that did nothing are zeros, and shares of nothing are null', async () => {
    const { today, last24Hours, ...now } = await statsOf(adminOf('quiet'));
    expect(now).toMatchObject({ onlineUsers: 0, connections: 0 });
    expect(today).toMatchObject({ sends: 0, read: 0, unread: 0, readShare: null });
    expect(last24Hours.byType.map(({ type }: Message) => type)).toHaveLength(5);
    expect(last24Hours.byChannel.map(({ channel }: Message) => channel)).toHaveLength(5);
  });

  test('count sends by type and channel, and what of them has been read', async () => {
    const [admin, ada] = [adminOf('busy'), person({ tenantId: 'busy' })];
    const sent: Message[] = [];
    for (const type of ['task', 'task', 'alert', 'system']) sent.push(await sendTo(app, ada, { type }));
    const markRead = (ids: unknown[]) =>
      app.rest('PUT', '/api/v1/notifications/read', { token: ada.token, body: { ids } });
    await markRead(sent.slice(0, 3).map(({ id }) => id));
    // Twice is once.
    await markRead([sent[0]?.['id']]);
    const mutation = 'mutation ($id: ID!) { markUnread(id: $id) { id } }';
    await app.graphql(mutation, { token: ada.token, variables: { id: sent[1]?.['id'] } });
    const { today, last24Hours } = await statsOf(admin);
    expect(last24Hours).toMatchObject({ sends: 4, read: 2, unread: 2, readShare: 0.5 });
    expect(nonzero(last24Hours.byType)).toEqual([
      { type: 'SYSTEM', sends: 1 },
      { type: 'TASK', sends: 2 },
      { type: 'ALERT', sends: 1 },
    ]);
    expect(nonzero(last24Hours.byChannel)).toEqual([{ channel: 'IN_APP', sends: 4 }]);
    // Unless midnight has just passed.
    expect([4, 0]).toContain(today.sends);
  });

  test('count a repetition by its key once, and what is scheduled when it is sent', async () => {
    const [admin, ada] = [adminOf('repeating'), person({ tenantId: 'repeating' })];
    const body = { title: 'a', content: 'b' };
    const options = { token: ada.token, headers: { 'idempotency-key': 'once' }, body };
    for (let nth = 0; nth < 3; nth += 1) await app.rest('POST', '/api/v1/notifications', options);
    await sendTo(app, ada, { send_at: new Date(Date.now() + 3_600_000).toISOString() });
    expect((await statsOf(admin)).last24Hours.sends).toBe(1);
    await asEveryTenant(() =>
      app.app.context.database.em.getConnection().execute('update scheduled_send set send_at = now()'),
    );
    await eventually(async () => (await statsOf(admin)).last24Hours.sends === 2);
  });

  test('are of the tenant of the caller', async () => {
    const [here, there] = [adminOf('here'), adminOf('there')];
    await sendTo(app, here);
    await using _ = await connectLegacy(app, here);
    await eventually(async () => (await statsOf(here)).connections === 1);
    const others = await statsOf(there);
    expect(others).toMatchObject({ onlineUsers: 0, connections: 0, last24Hours: { sends: 0 } });
  });

  test('tell who is online and with how many connections, on all doors', async () => {
    const [admin, ada, bob] = ['', '', ''].map(() => adminOf('crowded'));
    await using _one = await connectLegacy(app, ada!);
    await using _two = await connectGraphQL(app, ada!);
    await using _three = await connectGraphQL(app, bob!);
    await eventually(async () => {
      const { onlineUsers, connections } = await statsOf(admin!);
      return onlineUsers === 2 && connections === 3;
    });
  });

  test('tell the share of pushes that were written', async () => {
    const admin = adminOf('pushed');
    await using socket = await connectLegacy(app, admin);
    await sendTo(app, admin);
    await socket.next();
    expect((await statsOf(admin)).pushSuccessRate).toBe(1);
    app.app.context.metrics.doors.legacy_ws.lost();
    const { pushSuccessRate } = await statsOf(admin);
    expect(pushSuccessRate).toBeGreaterThan(0);
    expect(pushSuccessRate).toBeLessThan(1);
  });
});

describe('the rows of what tenants do', () => {
  const execute = (query: string): Promise<Message[]> =>
    asEveryTenant(() => app.app.context.database.em.getConnection().execute(query));

  test('are left out when they are older than a day, and today begins at midnight, UTC', async () => {
    const admin = adminOf('old');
    await execute(`insert into tenant_activity (tenant_id, hour, kind, count) values
      ('old', date_trunc('hour', now(), 'UTC') - interval '24 hours', 'sent IN_APP TASK', 1000),
      ('old', date_trunc('hour', now(), 'UTC') - interval '23 hours', 'sent IN_APP TASK', 20),
      ('old', date_trunc('hour', now(), 'UTC') - interval '23 hours', 'read', 5),
      ('old', date_trunc('hour', now(), 'UTC'), 'sent EMAIL ALERT', 3)`);
    const { today, last24Hours } = await statsOf(admin);
    expect(last24Hours).toMatchObject({ sends: 23, read: 5, unread: 18 });
    expect(nonzero(last24Hours.byChannel)).toEqual([
      { channel: 'IN_APP', sends: 20 },
      { channel: 'EMAIL', sends: 3 },
    ]);
    const lastHour = new Date().getUTCHours() === 23;
    expect(today.sends).toBe(lastHour ? 23 : 3);
  });

  test('are written by themselves, and when the server stops', async () => {
    const ada = person({ tenantId: 'stopping' });
    const stopping = await startApp({ databaseUrl: app.databaseUrl });
    await sendTo(stopping, ada);
    await stopping[Symbol.asyncDispose]();
    const rows = await execute(`select kind, count from tenant_activity where tenant_id = 'stopping'`);
    expect(rows).toEqual([{ kind: 'sent IN_APP SYSTEM', count: '1' }]);
  });

  test('of one hour are added up over instances that write at the same time', async () => {
    const [admin, ada, bob] = [adminOf('shared'), person({ tenantId: 'shared' }), person({ tenantId: 'shared' })];
    await using other = await startApp({ databaseUrl: app.databaseUrl });
    const both = [app, other].flatMap((one) => [ada, bob].map((who) => sendTo(one, who)));
    await Promise.all(both);
    const { token } = admin;
    const answers = await Promise.all([app, other].map((one) => one.graphql(STATS, { token })));
    expect(answers.map(({ errors }) => errors)).toEqual([undefined, undefined]);
    expect((await statsOf(admin)).last24Hours.sends).toBe(4);
  });
});
