import { describe, expect, jest, test } from '@jest/globals';
import { asTenant } from '../../src/scope.ts';
import { answering, startFarSide } from '../channels/support.ts';
import { connectLegacy, openGraphQL } from '../sockets/connect.ts';
import { type Person, type TestApp, person, startApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { withClient } from '../support/postgres.ts';
import { type Collector, startCollector } from './collector.ts';

const SEND =
  'mutation Greet($to: ID) { send(input: { title: "A secret title", content: "c", recipientId: $to }) { id } }';

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const CALLER_SPAN = 'b7ad6b7169203331';
const TRACEPARENT = `00-${TRACE_ID}-${CALLER_SPAN}-01`;

const [INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER] = [1, 2, 3, 4, 5];

function post(app: TestApp, { token }: Person, query: string, variables: object = {}, headers = {}): Promise<Response> {
  return fetch(app.graphqlUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}`, ...headers },
    body: JSON.stringify({ query, variables }),
  });
}

/** A send that no request is for, and so no trace. */
const sendFirst = ({ app }: TestApp, { id, tenantId }: Person) => {
  const caller = {
    userId: id,
    tenantId,
    roles: [],
    expiresAtMs: Number.POSITIVE_INFINITY,
    issuedAtMs: 0,
    sessionId: undefined,
  };
  return asTenant(tenantId, () => app.context.services.notifications.send(caller, { title: 'first', content: 'c' }));
};

/** What a server tells of what was done with it, until its end. */
async function tracesOf(env: Record<string, string>, use: (app: TestApp) => Promise<void>): Promise<Collector> {
  await using collector = await startCollector();
  {
    await using app = await startApp({ env: { ...collector.env, ...env } });
    await use(app);
  }
  return collector;
}

describe('a send by GraphQL with a traceparent', () => {
  test('is one trace: door, operation, service, statement, doorbell, push', async () => {
    const me = person();
    const traces = await tracesOf({}, async (app) => {
      // What begins an inbox is read from the log, and is part of no trace then.
      await sendFirst(app, me);
      await using socket = await connectLegacy(app, me);
      expect((await post(app, me, SEND, {}, { traceparent: TRACEPARENT })).status).toBe(200);
      expect(await socket.next()).toMatchObject({ type: 'notification' });
    });
    const door = traces.only('POST /graphql');
    expect(door).toMatchObject({
      kind: SERVER,
      traceId: TRACE_ID,
      parentSpanId: CALLER_SPAN,
      failed: false,
      attributes: { 'http.request.method': 'POST', 'url.path': '/graphql', 'http.response.status_code': 200 },
    });
    const operation = traces.only('mutation');
    expect(operation).toMatchObject({
      kind: INTERNAL,
      parentSpanId: door.spanId,
      attributes: { 'graphql.operation.type': 'mutation', 'graphql.operation.name': 'Greet' },
    });
    const service = traces.only('Notifications.send');
    expect(service).toMatchObject({ kind: INTERNAL, parentSpanId: operation.spanId });
    const statement = traces.only('INSERT inbox INSERT notification');
    expect(statement).toMatchObject({
      kind: CLIENT,
      parentSpanId: service.spanId,
      links: [service.spanId],
      attributes: { 'db.system.name': 'postgresql' },
    });
    const doorbell = traces.only('publish inbox');
    expect(doorbell).toMatchObject({ kind: PRODUCER, parentSpanId: service.spanId });
    const push = traces.only('push inbox');
    expect(push).toMatchObject({
      kind: CONSUMER,
      parentSpanId: doorbell.spanId,
      attributes: { 'carillon.listeners': 1 },
    });
    const trace = [door, operation, service, statement, doorbell, push];
    expect(new Set(trace.map(({ traceId }) => traceId))).toEqual(new Set([TRACE_ID]));
    expect(door.resource).toMatchObject({ 'service.name': 'carillon', 'service.version': expect.any(String) });
  });

  test('tells nobody what was sent, nor by whom and to whom', async () => {
    const [me, other] = [person(), person()];
    const traces = await tracesOf({}, async (app) => {
      await post(app, me, SEND, { to: other.id }, { traceparent: TRACEPARENT });
    });
    const told = JSON.stringify(traces.spans);
    expect(told).toContain('Notifications.send');
    expect(told).not.toMatch(new RegExp(`secret|${me.id}|${other.id}|${me.token}`));
  });
});

test('a statement that stores many sends is one span, with links to the spans of all of them', async () => {
  const me = person();
  const traces = await tracesOf({ MAX_SEND_BATCHES_IN_FLIGHT: '1' }, async (app) => {
    await post(app, me, SEND);
    await withClient(app.databaseUrl, async (client) => {
      await client.query('begin');
      await client.query('select 1 from inbox for update');
      const first = post(app, me, SEND);
      const { batches } = app.app.context.metrics;
      await eventually(() => batches.inFlight === 1);
      const others = [post(app, me, SEND), post(app, me, SEND), post(app, me, SEND)];
      await eventually(() => batches.waiting() === others.length);
      await client.query('commit');
      await Promise.all([first, ...others]);
    });
  });
  const [shared] = traces.spans.filter(({ links }) => links.length > 1);
  expect(shared?.attributes['db.operation.batch.size']).toBe(3);
  const senders = traces.named('Notifications.send').slice(-3);
  expect(shared?.links.toSorted()).toEqual(senders.map(({ spanId }) => spanId).toSorted());
  expect(senders.map(({ spanId }) => spanId)).toContain(shared?.parentSpanId);
});

test('a request by REST is named by its route, and what it does to the database is in its trace', async () => {
  const me = person();
  const traces = await tracesOf({}, async (app) => {
    const headers = { traceparent: TRACEPARENT };
    const sent = await app.rest('POST', '/api/v1/notifications', {
      ...me,
      headers,
      body: { title: 't', content: 'c' },
    });
    await app.rest('PUT', `/api/v1/notifications/${sent.body.id}/read`, me);
  });
  const door = traces.only('POST /api/v1/notifications');
  expect(door).toMatchObject({ kind: SERVER, traceId: TRACE_ID, parentSpanId: CALLER_SPAN });
  expect(traces.only('Notifications.send')).toMatchObject({ traceId: TRACE_ID, parentSpanId: door.spanId });
  const read = traces.only('PUT /api/v1/notifications/:id/read');
  expect(read.attributes['http.route']).toBe('/api/v1/notifications/:id/read');
  expect(read.traceId).not.toBe(TRACE_ID);
  expect(traces.only('Notifications.markRead').parentSpanId).toBe(read.spanId);
  const statements = traces.spans.filter(({ kind, traceId }) => kind === CLIENT && traceId === read.traceId);
  expect(statements.map(({ name }) => name)).toContainEqual(expect.stringMatching(/UPDATE inbox/));
});

test('an operation on a socket continues the traceparent of its connection_init', async () => {
  const me = person();
  const traces = await tracesOf({}, async (app) => {
    await using socket = await openGraphQL(app);
    socket.send({ type: 'connection_init', payload: { token: me.token, traceparent: TRACEPARENT } });
    await socket.next();
    socket.send({ id: '1', type: 'subscribe', payload: { query: '{ unreadCount }' } });
    expect(await socket.next()).toMatchObject({ type: 'next' });
  });
  const door = traces.only('graphql_ws subscribe');
  expect(door).toMatchObject({ kind: SERVER, traceId: TRACE_ID, parentSpanId: CALLER_SPAN });
  expect(traces.only('query')).toMatchObject({ traceId: TRACE_ID, parentSpanId: door.spanId });
});

test('a push is part of the trace of its send on another instance too', async () => {
  const me = person();
  await using collector = await startCollector();
  {
    const env = { ...collector.env, REDIS_URL: process.env['TEST_REDIS_URL']! };
    await using one = await startApp({ env });
    await using other = await startApp({ env: { ...env, OTEL_SERVICE_NAME: 'other' }, databaseUrl: one.databaseUrl });
    await sendFirst(one, me);
    // It is welcomed when it listens: what comes from then on comes by doorbells.
    await using socket = await connectLegacy(other, me);
    await post(one, me, SEND, {}, { traceparent: TRACEPARENT });
    expect(await socket.next()).toMatchObject({ type: 'notification' });
  }
  expect(collector.only('push inbox')).toMatchObject({
    traceId: TRACE_ID,
    parentSpanId: collector.only('publish inbox').spanId,
    resource: { 'service.name': 'other' },
  });
});

test('an attempt to deliver is a trace of its own, which names the notification', async () => {
  const admin = person({ roles: ['admin'] });
  await using far = await startFarSide(answering(204));
  let id: unknown;
  const traces = await tracesOf({ WEBHOOK_ALLOW_PRIVATE: 'true' }, async (app) => {
    const ask = async (query: string) => (await app.graphql(query, admin)).data;
    await ask(`mutation { addContact(channel: WEBHOOK, address: "http://127.0.0.1:${far.port}/hook") { secret } }`);
    ({ id } = (await ask('mutation { send(input: { title: "t", content: "c", channels: [WEBHOOK] }) { id } }')).send);
    await eventually(async () => {
      const { notification } = await ask(`{ notification(id: "${id as string}") { deliveries { status } } }`);
      return notification.deliveries[0].status === 'DELIVERED';
    });
  });
  const attempt = traces.only('deliver WEBHOOK');
  expect(attempt).toMatchObject({
    kind: CLIENT,
    parentSpanId: undefined,
    failed: false,
    attributes: { 'messaging.message.id': id, 'carillon.delivery.channel': 'WEBHOOK', 'carillon.delivery.attempt': 1 },
  });
  expect(traces.only('Notifications.send').traceId).not.toBe(attempt.traceId);
  expect(JSON.stringify(traces.spans)).not.toContain('/hook');
});

describe('what fails', () => {
  test('is marked in each span that it passed, by its code', async () => {
    const traces = await tracesOf({}, async (app) => {
      await post(app, person(), 'mutation { markRead(id: "00000000-0000-7000-8000-000000000000") { id } }');
    });
    for (const name of ['mutation', 'Notifications.markRead']) {
      expect(traces.only(name)).toMatchObject({ failed: true, attributes: { 'error.type': 'NOT_FOUND' } });
    }
    // The request as such was answered.
    expect(traces.only('POST /graphql')).toMatchObject({
      failed: false,
      attributes: { 'http.response.status_code': 200 },
    });
  });

  test('for reasons of ours is marked at the door too, without its words', async () => {
    const traces = await tracesOf({}, async (app) => {
      const { database } = app.app.context;
      jest.spyOn(database.em.getConnection(), 'getClient').mockImplementation(() => {
        throw Object.assign(new Error('words of a row'), { code: 'XX000' });
      });
      const { status } = await app.rest('GET', '/api/v1/notifications/00000000-0000-7000-8000-000000000000', person());
      expect(status).toBe(500);
      jest.restoreAllMocks();
    });
    const door = traces.only('GET /api/v1/notifications/:id');
    expect(door).toMatchObject({ failed: true, attributes: { 'error.type': '500' } });
    expect(traces.only('Notifications.get')).toMatchObject({ failed: true, attributes: { 'error.type': 'XX000' } });
    expect(JSON.stringify(traces.spans)).not.toContain('words of a row');
  });
});

describe('traces', () => {
  test('carry the id of the log lines, and lines the id of the trace', async () => {
    const requestId = 'a-request-of-mine';
    const traces = await tracesOf({}, async (app) => {
      await post(app, person(), '{ unreadCount }', {}, { traceparent: TRACEPARENT, 'x-request-id': requestId });
      const lines = await eventually(() => {
        const found = app.logged.filter((line) => line.includes(requestId));
        return found.length > 0 && found;
      });
      expect(lines.map((line) => JSON.parse(line))).toMatchObject([{ requestId, traceId: TRACE_ID }]);
    });
    expect(traces.only('POST /graphql').attributes['carillon.request.id']).toBe(requestId);
  });

  test('are sampled as the settings say, and a caller that does not sample is heeded', async () => {
    const unsampled = TRACEPARENT.replace(/01$/, '00');
    const none = await tracesOf({ OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0' }, async (app) => {
      await post(app, person(), SEND, {}, { traceparent: TRACEPARENT });
    });
    expect(none.spans).toEqual([]);
    const one = await tracesOf({}, async (app) => {
      await post(app, person(), SEND, {}, { traceparent: unsampled });
      await post(app, person(), SEND, {}, { traceparent: 'nonsense' });
    });
    expect(one.only('POST /graphql').parentSpanId).toBeUndefined();
  });

  test('go out with the headers and the name that the settings give', async () => {
    const env = { OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20abc', OTEL_SERVICE_NAME: 'bells' };
    const traces = await tracesOf(env, async (app) => {
      await app.rest('GET', '/health');
    });
    expect(traces.only('GET /health').resource['service.name']).toBe('bells');
    expect(traces.headers[0]?.authorization).toBe('Bearer abc');
  });

  test('that the collector refuses are told, and fail nobody', async () => {
    await using collector = await startCollector();
    let logged: string[] = [];
    {
      await using app = await startApp({ env: { OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.url}/elsewhere` } });
      logged = app.logged;
      expect((await post(app, person(), SEND)).status).toBe(200);
    }
    expect(logged.filter((line) => line.includes('traces cannot be exported'))).toHaveLength(1);
    expect(collector.spans).toEqual([]);
  });
});
