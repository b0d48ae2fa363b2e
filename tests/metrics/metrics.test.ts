import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { decodeCursor, encodeCursor } from '../../src/services/cursor.ts';
import { eventsOf, isQuiet, subscribeByPost } from '../graphql/event-stream.ts';
import { connectGraphQL, connectLegacy, sendTo, subscribe } from '../sockets/connect.ts';
import { type Person, type TestApp, person, startApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { type Scrape, get, scrape } from './support.ts';
import { asEveryTenant } from '../../src/scope.ts';

let app: TestApp;
let before: Scrape;

beforeAll(async () => {
  app = await startApp({ env: { MAX_WAITING_EVENTS: '16', MAX_CONNECTIONS_PER_USER: '50' } });
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
});
beforeEach(async () => {
  await isQuiet(app);
  before = await scrape(app.url);
});

/** By how much a counter or gauge has grown since the test began. */
async function grown(name: string, labels: Record<string, string> = {}): Promise<number> {
  return (await scrape(app.url)).value(name, labels) - before.value(name, labels);
}

async function observed(name: string, labels: Record<string, string> = {}): Promise<number> {
  return (await scrape(app.url)).count(name, labels) - before.count(name, labels);
}

async function cursorOf({ token }: Person): Promise<string> {
  return (await app.graphql('{ inboxState { cursor } }', { token })).data.inboxState.cursor;
}

const send = (who: Person, body: object) =>
  app.rest('POST', '/api/v1/notifications', { token: who.token, body: { title: 'a', content: 'b', ...body } });

describe('/metrics', () => {
  test('is the text format of Prometheus, in which each metric says what it is', async () => {
    const answer = await get(`${app.url}/metrics`);
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(answer.body.endsWith('\n')).toBe(true);
    expect(answer.body).not.toMatch(/undefined|null|\[object/);
    for (const { name, help, type } of before.families) {
      expect(help.length).toBeGreaterThan(10);
      expect(['counter', 'gauge', 'histogram', 'summary']).toContain(type.toLowerCase());
      if (name.startsWith('carillon_')) expect(name.endsWith('_total')).toBe(type.toLowerCase() === 'counter');
    }
    expect(before.value('process_cpu_seconds_total')).toBeGreaterThan(0);
    expect(before.value('process_start_time_seconds')).toBeGreaterThan(1_700_000_000);
    expect(before.value('carillon_workers_missing')).toBe(0);
  });

  test('answers GET and HEAD, at exactly this address, and nothing else', async () => {
    const head = await get(`${app.url}/metrics`, {}, 'HEAD');
    expect([head.status, head.body]).toEqual([200, '']);
    const post = await get(`${app.url}/metrics`, {}, 'POST');
    expect([post.status, post.headers.allow]).toEqual([405, 'GET, HEAD']);
    expect((await get(`${app.url}/metrics/`)).status).toBe(404);
    expect((await get(`${app.url}/api/v1/metrics`)).status).toBe(404);
  });

  test('gives bounded labels, whatever clients choose', async () => {
    const who = person({ tenantId: 'a tenant of its own' });
    await app.graphql('query ANameOfTheClient { unreadCount }', { token: who.token });
    await app.graphql('{ noSuchField }', { token: who.token });
    await send(who, { type: 'no such type' });
    const { body } = await get(`${app.url}/metrics`);
    expect(body).not.toMatch(/ANameOfTheClient|a tenant of its own|no such|noSuch/);
    expect(body).not.toContain(who.id);
  });
});

describe('connections', () => {
  test('are counted by door, with their users, and their durations when they end', async () => {
    const [ada, bob] = [person(), person()];
    const opened = await Promise.all([
      connectLegacy(app, ada),
      connectLegacy(app, bob),
      connectGraphQL(app, ada),
      connectGraphQL(app, ada),
      connectGraphQL(app, ada),
    ]);
    using leaving = new DisposableStack();
    const leave = new AbortController();
    leaving.defer(() => leave.abort());
    await subscribeByPost(app, ada, { signal: leave.signal });
    expect(await grown('carillon_connections', { door: 'legacy_ws' })).toBe(2);
    expect(await grown('carillon_connections', { door: 'graphql_ws' })).toBe(3);
    expect(await grown('carillon_connections', { door: 'sse' })).toBe(1);
    expect(await grown('carillon_online_users')).toBe(2);
    await Promise.all(opened.map((socket) => socket[Symbol.asyncDispose]()));
    leave.abort();
    await isQuiet(app);
    expect(await grown('carillon_connections')).toBe(0);
    expect(await grown('carillon_online_users')).toBe(0);
    expect(await observed('carillon_connection_duration_seconds', { door: 'legacy_ws' })).toBe(2);
    expect(await observed('carillon_connection_duration_seconds', { door: 'graphql_ws' })).toBe(3);
    expect(await observed('carillon_connection_duration_seconds', { door: 'sse' })).toBe(1);
  });
});

describe('sends', () => {
  test('are counted by channel and type, and those that repeat a key apart', async () => {
    const who = person();
    for (let n = 0; n < 3; n += 1) await send(who, { type: 'task' });
    const headers = { 'idempotency-key': 'once' };
    const options = { token: who.token, headers, body: { title: 'a', content: 'b', type: 'alert' } };
    await app.rest('POST', '/api/v1/notifications', options);
    await app.rest('POST', '/api/v1/notifications', options);
    expect(await grown('carillon_sends_total', { channel: 'IN_APP', type: 'TASK', outcome: 'ok' })).toBe(3);
    expect(await grown('carillon_sends_total', { channel: 'IN_APP', type: 'ALERT', outcome: 'ok' })).toBe(1);
    expect(await grown('carillon_sends_total', { type: 'ALERT', outcome: 'repeated' })).toBe(1);
    expect(await grown('carillon_sends_total')).toBe(5);
    const sizes = (await scrape(app.url)).sum('carillon_send_batch_size') - before.sum('carillon_send_batch_size');
    expect(sizes).toBe(5);
    expect(await observed('carillon_send_batch_size')).toBe(5);
    expect(await grown('carillon_sends_waiting')).toBe(0);
    expect(await grown('carillon_send_statements_in_flight')).toBe(0);
  });

  test('that are scheduled are counted when they come due', async () => {
    const who = person();
    const { status } = await send(who, { send_at: new Date(Date.now() + 3_600_000).toISOString() });
    expect(status).toBe(200);
    expect(await grown('carillon_sends_total')).toBe(0);
    const { database } = app.app.context;
    await asEveryTenant(() => database.em.getConnection().execute('update scheduled_send set send_at = now()'));
    await eventually(async () => (await grown('carillon_sends_total', { outcome: 'ok' })) === 1);
  });

  test('that are refused are counted by code, by whichever door they came', async () => {
    const who = person();
    const token = who.token;
    await send(who, { title: '' });
    await send(who, { tenant_id: 'globex' });
    await send(who, { channel: 'sms' });
    const options = { token, headers: { 'idempotency-key': 'taken' } };
    await app.rest('POST', '/api/v1/notifications', { ...options, body: { title: 'a', content: 'b' } });
    await app.rest('POST', '/api/v1/notifications', { ...options, body: { title: 'x', content: 'b' } });
    await app.graphql('mutation { send(input: { title: "", content: "b" }) { id } }', { token });
    await app.rest('POST', '/api/v1/notifications', { token, body: '{' });
    await app.rest('POST', '/api/v1/notifications', { body: { title: 'a', content: 'b' } });
    expect(await grown('carillon_sends_refused_total', { code: 'BAD_USER_INPUT' })).toBe(4);
    expect(await grown('carillon_sends_refused_total', { code: 'UNAUTHENTICATED' })).toBe(1);
    expect(await grown('carillon_sends_refused_total', { code: 'FORBIDDEN' })).toBe(1);
    expect(await grown('carillon_sends_refused_total', { code: 'CONFLICT' })).toBe(1);
    expect(await grown('carillon_sends_total')).toBe(1);
  });
});

describe('pushes', () => {
  test('are counted by door, and how late each was', async () => {
    const ada = person();
    // The very first change of an inbox is read from the log, and has no latency.
    await sendTo(app, ada);
    await using legacy = await connectLegacy(app, ada);
    await using other = await connectLegacy(app, ada);
    await using graphql = await connectGraphQL(app, ada);
    using leaving = new DisposableStack();
    const leave = new AbortController();
    leaving.defer(() => leave.abort());
    const events = eventsOf(await subscribeByPost(app, ada, { signal: leave.signal }));
    for (const id of ['one', 'two']) subscribe(graphql, id);
    // Nothing tells that these stand but what they read from the log.
    await graphql.take(2);
    for (let n = 0; n < 5; n += 1) await sendTo(app, ada);
    await Promise.all([legacy.take(5), other.take(5), graphql.take(10)]);
    for (let n = 0; n < 5; n += 1) await events.next();
    expect(await grown('carillon_pushes_total', { door: 'legacy_ws', outcome: 'delivered' })).toBe(10);
    expect(await grown('carillon_pushes_total', { door: 'graphql_ws', outcome: 'delivered' })).toBe(12);
    expect(await grown('carillon_pushes_total', { door: 'sse', outcome: 'delivered' })).toBe(5);
    expect(await grown('carillon_pushes_total', { outcome: 'failed' })).toBe(0);
    expect(await observed('carillon_delivery_latency_seconds', { door: 'legacy_ws' })).toBe(10);
    expect(await observed('carillon_delivery_latency_seconds', { door: 'graphql_ws' })).toBe(10);
    expect(await observed('carillon_delivery_latency_seconds', { door: 'sse' })).toBe(5);
    const latency = await scrape(app.url);
    expect(latency.sum('carillon_delivery_latency_seconds')).toBeLessThan(60);
  });

  test('of what is read from the log are counted, and have no latency', async () => {
    const ada = person();
    await sendTo(app, ada);
    const since = await cursorOf(ada);
    for (let n = 0; n < 3; n += 1) await sendTo(app, ada);
    await using back = await connectLegacy(app, ada, { since });
    await back.take(3);
    expect(await grown('carillon_pushes_total', { door: 'legacy_ws', outcome: 'delivered' })).toBe(3);
    expect(await observed('carillon_delivery_latency_seconds')).toBe(0);
  });
});

describe('streams', () => {
  test('that go on after a cursor are resumes, and those that cannot are resets by reason', async () => {
    const [ada, bob] = [person(), person()];
    await sendTo(app, ada);
    const hers = await cursorOf(ada);
    await using resumed = await connectLegacy(app, ada, { since: hers });
    expect(await grown('carillon_resumes_total')).toBe(1);
    await sendTo(app, bob);
    await using foreign = await connectLegacy(app, bob, { since: hers });
    await foreign.next();
    expect(await grown('carillon_resets_total', { reason: 'FOREIGN_CURSOR' })).toBe(1);
    const { epoch, version } = decodeCursor(hers, 'since');
    await using early = await connectLegacy(app, ada, { since: encodeCursor(epoch, version + 100) });
    await early.next();
    expect(await grown('carillon_resets_total', { reason: 'FUTURE_CURSOR' })).toBe(1);
    expect(await grown('carillon_resets_total')).toBe(2);
    expect(await grown('carillon_resumes_total')).toBe(1);
    expect(resumed.rest()).toEqual([]);
  });

  test('of a reader that does not read end as slow consumers, with a push that failed', async () => {
    const ada = person();
    await using stalled = await connectLegacy(app, ada);
    stalled.socket.pause();
    const large = { content: 'x'.repeat(10_000), data: 'y'.repeat(16_000) };
    const name = 'carillon_slow_consumers_total';
    await eventually(async () => {
      // Each time from another one, whom the limits let send as many.
      const { token } = person();
      await Promise.all(Array.from({ length: 25 }, () => sendTo(app, { ...ada, token }, large)));
      return (await grown(name, { door: 'legacy_ws' })) === 1;
    }, 90_000);
    expect(await grown(name)).toBe(1);
    expect(await grown('carillon_pushes_total', { door: 'legacy_ws', outcome: 'failed' })).toBe(1);
  });
});

describe('GraphQL operations', () => {
  const times = 'carillon_graphql_operation_duration_seconds';

  test('are timed by type and outcome, over HTTP and on the socket', async () => {
    const { token, ...who } = person();
    await app.graphql('{ unreadCount }', { token });
    await app.graphql('{ notification(id: "x") { id } stats { connections } }', { token });
    await app.graphql('mutation { send(input: { title: "a", content: "b" }) { id } }', { token });
    await app.graphql('mutation { markRead(id: "x") { id } }', { token });
    await using socket = await connectGraphQL(app, { ...who, token });
    subscribe(socket, 'a');
    await socket.next();
    expect(await observed(times, { type: 'query', outcome: 'ok' })).toBe(1);
    expect(await observed(times, { type: 'query', outcome: 'error' })).toBe(1);
    expect(await observed(times, { type: 'mutation', outcome: 'ok' })).toBe(1);
    expect(await observed(times, { type: 'mutation', outcome: 'error' })).toBe(1);
    expect(await observed(times, { type: 'subscription', outcome: 'ok' })).toBe(1);
  });

  test('that are refused before they are executed are counted apart', async () => {
    const { token } = person();
    await app.graphql('{ unreadCount', { token });
    await app.graphql('{ noSuchField }', { token });
    await app.graphql('{ unreadCount }');
    expect(await grown('carillon_graphql_refusals_total')).toBe(3);
    expect(await observed(times)).toBe(0);
  });
});

test('deliveries of external channels are counted by channel and outcome', async () => {
  const { metrics } = app.app.context;
  metrics.delivered('EMAIL', 'delivered');
  metrics.delivered('EMAIL', 'delivered');
  metrics.delivered('WEBHOOK', 'failed');
  expect(await grown('carillon_deliveries_total', { channel: 'EMAIL', outcome: 'delivered' })).toBe(2);
  expect(await grown('carillon_deliveries_total')).toBe(3);
});
