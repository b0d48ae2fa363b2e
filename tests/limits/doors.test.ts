import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { scrape } from '../metrics/support.ts';
import { connectGraphQL, connectLegacy, openGraphQL, sendTo, subscribe } from '../sockets/connect.ts';
import { type Person, type TestApp, person, startApp } from '../support/app.ts';
import { type Message, type SocketClient, refusalOf } from '../support/socket-client.ts';

/** Enough for what prepares a test, and soon used up. */
const POINTS = 20;

const env = { RATE_LIMIT_USER: `${POINTS}/1h`, RATE_LIMIT_TENANT: `${3 * POINTS}/1h`, MAX_PAGE_SIZE: '100' };
const COUNT = '/api/v1/notifications/unread-count';

let app: TestApp;
beforeAll(async () => {
  app = await startApp({ env });
});
afterAll(async () => app[Symbol.asyncDispose]());

/** Somebody alone in a tenant. */
const loner = (): Person => person({ tenantId: randomUUID() });

async function spend({ token }: Person, points: number): Promise<void> {
  for (let n = 0; n < points; n++) expect((await app.rest('GET', COUNT, { token })).status).toBe(200);
}

const operation = (id: string, query: string, variables: object = {}) => ({
  id,
  type: 'subscribe',
  payload: { query, variables },
});

const expectWait = (value: unknown): void => {
  // A point comes back every three minutes.
  expect(Number(value)).toBeGreaterThan(100);
  expect(Number(value)).toBeLessThanOrEqual(3600 / POINTS);
};

describe('a user who has spent all', () => {
  let spent: Person;
  beforeAll(async () => {
    spent = loner();
    await spend(spent, POINTS);
  });

  test('is answered by REST with 429 and Retry-After', async () => {
    const { status, headers, body } = await app.rest('GET', COUNT, spent);
    expect(status).toBe(429);
    expectWait(headers.get('retry-after'));
    const retryAfter = Number(headers.get('retry-after'));
    expect(body).toMatchObject({ code: 429, reason: 'RATE_LIMITED', metadata: { retry_after: retryAfter } });
  });

  test('is answered by GraphQL with RATE_LIMITED and retryAfter', async () => {
    const { status, headers, errors } = await app.graphql('{ unreadCount }', spent);
    expect(errors).toMatchObject([{ extensions: { code: 'RATE_LIMITED' } }]);
    expect(Object.keys(errors?.[0]?.extensions ?? {})).toEqual(['code', 'retryAfter']);
    expectWait(errors?.[0]?.extensions['retryAfter']);
    expect(status).toBe(429);
    expectWait(headers.get('retry-after'));
  });

  test('is answered likewise when asking by GET, for an event stream, or for nothing that there is', async () => {
    const authorization = `Bearer ${spent.token}`;
    for (const [query, accept] of [
      ['{ unreadCount }', 'application/json'],
      ['subscription { notificationAdded { id } }', 'text/event-stream'],
      ['{ nothing }', 'application/graphql-response+json'],
    ] as const) {
      const response = await fetch(`${app.graphqlUrl}?${new URLSearchParams({ query })}`, {
        headers: { authorization, accept },
      });
      expect(await response.text()).toContain('RATE_LIMITED');
      if (accept !== 'text/event-stream') expect(response.status).toBe(429);
    }
  });

  test('is refused before the upgrade to the raw socket', async () => {
    const { status, headers, body } = await refusalOf(app.legacySocketUrl(), spent);
    expect([status, body['reason']]).toEqual([429, 'RATE_LIMITED']);
    // Three points are needed.
    expectWait(Number(headers['retry-after']) / 3);
  });

  test('is closed with 1013 at the connection_init of the GraphQL socket', async () => {
    await using socket = await openGraphQL(app);
    socket.send({ type: 'connection_init', payload: { authorization: `Bearer ${spent.token}` } });
    expect(await socket.closed).toMatchObject({ code: 1013, reason: expect.stringMatching(/^This user asks/) });
  });

  test('leaves other users of the tenant served, on every door', async () => {
    const other = person({ tenantId: spent.tenantId });
    expect((await app.rest('GET', COUNT, other)).status).toBe(200);
    expect((await app.graphql('{ unreadCount }', other)).data).toEqual({ unreadCount: 0 });
    await using _legacy = await connectLegacy(app, other);
    await using _graphql = await connectGraphQL(app, other);
  });
});

test('a tenant whose users have spent all is refused as a whole, and other tenants are not', async () => {
  const tenantId = randomUUID();
  for (let n = 0; n < 3; n++) await spend(person({ tenantId }), POINTS);
  expect((await app.rest('GET', COUNT, person({ tenantId }))).status).toBe(429);
  expect((await app.rest('GET', COUNT, loner())).status).toBe(200);
});

describe('on a GraphQL socket', () => {
  test('one operation is refused, and those that run go on', async () => {
    const me = loner();
    await using socket = await connectGraphQL(app, me);
    subscribe(socket, 'live');
    await sendTo(app, me, { title: 'before' });
    expect(await socket.next()).toMatchObject({ id: 'live', type: 'next' });
    // Five are spent: three for the socket, the subscription, the send.
    await spend(me, POINTS - 5);
    socket.send(operation('late', '{ unreadCount }'));
    const refused = await socket.next();
    expect(refused).toMatchObject({ id: 'late', type: 'error', payload: [{ extensions: { code: 'RATE_LIMITED' } }] });
    expectWait(refused['payload'][0].extensions.retryAfter);
    await sendTo(app, { ...me, token: person({ tenantId: me.tenantId }).token }, { title: 'after' });
    expect(await socket.next()).toMatchObject({
      id: 'live',
      payload: { data: { notificationAdded: { title: 'after' } } },
    });
  });

  test('a peer that goes on through refusals is closed with 1013', async () => {
    await using socket = await connectGraphQL(app, loner());
    const { code, reason } = await flood(socket, (n) => operation(String(n), '{ unreadCount }'));
    expect([code, reason]).toEqual([1013, 'too many requests']);
  });
});

describe('on the raw socket', () => {
  test('one message is refused, and the socket stays open', async () => {
    const me = loner();
    await using socket = await connectLegacy(app, me);
    await spend(me, POINTS - 3);
    socket.send({ type: 'ping' });
    const refused = await socket.next();
    expect(refused).toMatchObject({ type: 'error', code: 'RATE_LIMITED', message: expect.any(String) });
    expectWait(refused['retry_after']);
    await sendTo(app, { ...me, token: person({ tenantId: me.tenantId }).token });
    expect(await socket.next()).toMatchObject({ type: 'notification', unread_count: 1 });
  });

  test('what is no message counts too, and a peer that goes on is closed with 1013', async () => {
    await using socket = await connectLegacy(app, loner());
    const { code, reason } = await flood(socket, () => 'x');
    expect([code, reason]).toEqual([1013, 'too many requests']);
  });
});

/** Sends without end, reading what comes, until the server closes. */
async function flood(socket: SocketClient, message: (n: number) => unknown) {
  for (let n = 0; n < 200; n++) socket.send(message(n));
  return socket.closed;
}

describe('what is large costs its share', () => {
  const ids = (count: number) => Array.from({ length: count }, () => randomUUID());
  /** How many requests are still served. */
  async function left({ token }: Person): Promise<number> {
    for (let served = 0; ; served++) {
      if ((await app.rest('GET', COUNT, { token })).status === 429) return served;
    }
  }
  const mutation = 'mutation ($ids: [ID!]!) { batchMarkRead(ids: $ids) { count } }';
  const page =
    'query ($first: Int) { notifications(first: $first) { nodes { id title content link data } totalCount } }';
  const wide =
    '{ notifications(first: 100) { nodes { id title content link data type priority isRead cursor createdAt status } } }';

  test.each<[string, number, (me: Person) => Promise<unknown>]>([
    [
      'a batch of 500 ids by REST, in a body of 19 KB',
      12,
      ({ token }) => app.rest('PUT', '/api/v1/notifications/read', { token, body: { ids: ids(500) } }),
    ],
    [
      'a batch of 10 ids by REST',
      1,
      ({ token }) => app.rest('PUT', '/api/v1/notifications/read', { token, body: { ids: ids(10) } }),
    ],
    [
      'a batch of 500 ids by GraphQL, in a body of 19 KB',
      13,
      ({ token }) => app.graphql(mutation, { token, variables: { ids: ids(500) } }),
    ],
    [
      'a batch that is written in the document, which is long by it',
      2,
      ({ token }) => app.graphql(`mutation { batchMarkRead(ids: ${JSON.stringify(ids(10))}) { count } }`, { token }),
    ],
    ['a small page', 2, ({ token }) => app.graphql(page, { token, variables: { first: 20 } })],
    ['a page of 100', 12, ({ token }) => app.graphql(wide, { token })],
    ['a page of 100 by REST', 12, ({ token }) => app.rest('GET', '/api/v1/notifications?page_size=100', { token })],
    ['a page of what was sent', 3, ({ token }) => app.rest('GET', '/api/v1/notifications/sent', { token })],
  ])('%s: %i', async (_, points, ask) => {
    const me = loner();
    await ask(me);
    expect(await left(me)).toBe(POINTS - points);
  });

  test('also on the raw socket', async () => {
    const me = loner();
    await using socket = await connectLegacy(app, me);
    socket.send({ type: 'mark_read', notification_ids: ids(300) });
    socket.send({ type: 'ping' });
    expect(await socket.next()).toMatchObject({ type: 'pong' });
    // Three for the socket, six for the ids, the ping.
    expect(await left(me)).toBe(POINTS - 10);
  });
});

test('refusals are counted by limit and door', async () => {
  const me = loner();
  const value = async (labels: Record<string, string>) =>
    (await scrape(app.url)).value('carillon_rate_limited_total', labels);
  await spend(me, POINTS);
  const before = await value({ limit: 'user', door: 'rest' });
  await app.rest('GET', COUNT, me);
  await app.rest('GET', COUNT, me);
  expect(await value({ limit: 'user', door: 'rest' })).toBe(before + 2);
});

test('the flood of one user leaves the requests of another served', async () => {
  const [noisy, quiet] = [loner(), loner()];
  const flooding = Array.from({ length: 500 }, () => app.rest('GET', COUNT, noisy));
  const answers: Message[] = [];
  for (let n = 0; n < 10; n++) answers.push(await app.rest('GET', COUNT, quiet));
  expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(200));
  const statuses = (await Promise.all(flooding)).map(({ status }) => status);
  expect(statuses.filter((status) => status === 200)).toHaveLength(POINTS);
});

test('RATE_LIMITS=off refuses nothing', async () => {
  await using free = await startApp({
    env: { RATE_LIMITS: 'off', RATE_LIMIT_USER: '1/1h', RATE_LIMIT_ADDRESS: '1/1h' },
  });
  const me = person();
  for (let n = 0; n < 5; n++) expect((await free.rest('GET', COUNT, me)).status).toBe(200);
});
