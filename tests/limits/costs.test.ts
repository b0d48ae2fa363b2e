import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { NO_EPOCH, encodeCursor } from '../../src/services/cursor.ts';
import { rawRequest } from '../rest/raw-request.ts';
import { connectGraphQL, connectLegacy, openGraphQL, sendTo, subscribe } from '../sockets/connect.ts';
import { type TestApp, person, startApp } from '../support/app.ts';

const COUNT = '/api/v1/notifications/unread-count';
const LIST = '/api/v1/notifications/read';

/** A valid document of that many characters, which nobody has sent before. */
let documents = 0;
function documentOf(characters: number, selection = '{ unreadCount }'): string {
  documents += 1;
  return `${selection} # ${documents}`.padEnd(characters, '.');
}

describe('a document that is not known yet', () => {
  const POINTS = 100;
  let app: TestApp;
  beforeEach(async () => {
    app = await startApp({ env: { RATE_LIMIT_USER: `${POINTS}/1h`, RATE_LIMIT_ADDRESS: `${POINTS}/1h` } });
  });
  afterEach(async () => app[Symbol.asyncDispose]());

  /** How many more small requests of a user are served. */
  async function left(token: string): Promise<number> {
    for (let served = 0; ; served += 1) if ((await app.rest('GET', COUNT, { token })).status === 429) return served;
  }

  test('costs the user a point more for 250 characters, the first time', async () => {
    const { token } = person();
    const query = documentOf(10_000);
    for (let n = 0; n < 3; n += 1) expect((await app.graphql(query, { token })).data).toEqual({ unreadCount: 0 });
    // Of each body of more than 8 KiB one more.
    expect(await left(token)).toBe(POINTS - 3 - 3 - 40);
  });

  test('costs as much on the socket, and one that is refused for it is not parsed', async () => {
    const me = person();
    await using socket = await connectGraphQL(app, me);
    socket.send({ id: '1', type: 'subscribe', payload: { query: documentOf(20_000) } });
    expect((await socket.take(2)).map(({ type }) => type)).toEqual(['next', 'complete']);
    socket.send({ id: '2', type: 'subscribe', payload: { query: documentOf(20_000, '{ nothing }') } });
    const refused = await socket.next();
    expect(refused['payload'][0].extensions.code).toBe('RATE_LIMITED');
  });

  test('costs the address of whoever has no token', async () => {
    const ask = async (characters: number) => (await app.graphql(documentOf(characters, '{ __typename }'))).status;
    expect([await ask(12_000), await ask(11_000), await ask(12_000), await ask(10)]).toEqual([200, 200, 429, 200]);
  });
});

describe('a large body', () => {
  const POINTS = 100;
  const text = 'x'.repeat(12 * 1024);
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp({ env: { RATE_LIMIT_USER: `${POINTS}/1h`, RATE_LIMIT_ADDRESS: '12/1h' } });
  });
  afterAll(async () => app[Symbol.asyncDispose]());

  const query = 'mutation ($input: SendInput!) { send(input: $input) { id } }';
  const input = { title: 'large', content: 'c', data: { text } };
  test.each<[string, number, (token: string) => Promise<{ status: number }>]>([
    // Its answer is as long.
    ['REST', 3, (token) => app.rest('POST', '/api/v1/notifications', { token, body: input })],
    [
      'GraphQL',
      2,
      async (token) => {
        const answer = await app.graphql(query, { token, variables: { input } });
        expect(answer.errors).toBeUndefined();
        return answer;
      },
    ],
  ])('of %s costs its user a point more for 8 KiB, and the address of many users nothing', async (_, points, ask) => {
    for (let n = 0; n < 5; n += 1) {
      const { token } = person();
      for (let times = 0; times < 10; times += 1) expect((await ask(token)).status).toBe(200);
      let served = 0;
      while ((await app.rest('GET', COUNT, { token })).status === 200) served += 1;
      expect(served).toBe(POINTS - 10 * points);
    }
  });

  test('of a stranger costs the address', async () => {
    const ask = async () => (await app.graphql(`{ __typename } # ${text}`)).status;
    const statuses = [await ask(), await ask(), await ask()];
    expect(statuses).toContain(429);
  });
});

describe('a long answer', () => {
  const POINTS = 100;
  const NOTIFICATIONS = 20;
  const query = `{ notifications(first: ${NOTIFICATIONS}) { nodes { content } } }`;
  let app: TestApp;
  let me: ReturnType<typeof person>;
  beforeAll(async () => {
    app = await startApp({ env: { RATE_LIMIT_USER: `${POINTS}/1h` } });
  });
  beforeEach(async () => {
    me = person();
    const sam = person();
    for (let n = 0; n < NOTIFICATIONS; n += 1) {
      await sendTo(app, { ...me, token: sam.token }, { content: 'x'.repeat(2000) });
    }
  });
  afterAll(async () => app[Symbol.asyncDispose]());

  const get = async (path: string) =>
    (await fetch(`${app.url}${path}`, { headers: { authorization: `Bearer ${me.token}` } })).text();
  const doors: [string, number, () => Promise<string>][] = [
    ['REST', 3, () => get(`/api/v1/notifications?page_size=${NOTIFICATIONS}`)],
    ['GraphQL by POST', 1, async () => JSON.stringify(await app.graphql(query, { token: me.token }))],
    ['GraphQL by GET', 1, () => get(`/graphql?query=${encodeURIComponent(query)}`)],
    [
      'the GraphQL socket',
      1 + 3,
      async () => {
        await using socket = await connectGraphQL(app, me);
        socket.send({ id: '1', type: 'subscribe', payload: { query } });
        return JSON.stringify((await socket.take(2))[0]);
      },
    ],
  ];
  test.each(doors)('of %s costs its user a point more for 8 KiB', async (_, points, ask) => {
    const { length } = await ask();
    expect(length).toBeGreaterThan(2000 * NOTIFICATIONS);
    let served = 0;
    while ((await app.rest('GET', COUNT, me)).status === 200) served += 1;
    expect(served).toBe(POINTS - points - Math.floor(length / 8192));
  });
});

describe('a body with more values than are allowed', () => {
  const ids = (count: number): string[] => Array.from({ length: count }, (_, nth) => `id ${nth}`);
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp();
  });
  afterAll(async () => app[Symbol.asyncDispose]());

  test('is refused with 413 by REST and by GraphQL', async () => {
    const { token } = person();
    const rest = await app.rest('PUT', LIST, { token, body: { ids: ids(10_000) } });
    expect([rest.status, rest.body['reason']]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
    const variables = { ids: ids(10_000) };
    const query = 'mutation ($ids: [ID!]!) { batchMarkRead(ids: $ids) { count } }';
    const { status, errors } = await app.graphql(query, { token, variables });
    expect([status, errors?.[0]?.extensions['code']]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
  });

  test('closes the GraphQL socket with 1009', async () => {
    await using socket = await connectGraphQL(app, person());
    socket.send({ type: 'ping', payload: { ids: ids(10_000) } });
    expect(await socket.closed).toMatchObject({ code: 1009 });
  });

  test('is not what has many commas in its texts', async () => {
    const { token } = person();
    const body = { title: 'commas', content: ','.repeat(10_000), data: { more: '[{,'.repeat(5000) } };
    expect((await app.rest('POST', '/api/v1/notifications', { token, body })).status).toBe(200);
  });
});

describe('whoever goes on asking', () => {
  const POINTS = 4;
  const PROMPT = 20;
  const HELD_MS = 1000;
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp({
      env: { RATE_LIMIT_USER: `${POINTS}/1h`, RATE_LIMIT_ADDRESS: `${POINTS}/1h`, TRUSTED_PROXIES: 'loopback' },
    });
  });
  afterAll(async () => app[Symbol.asyncDispose]());

  let addresses = 0;
  const somewhere = (): Record<string, string> => ({ 'x-forwarded-for': `192.0.2.${(addresses += 1)}` });

  /** How long it takes to be refused, and by what status. */
  async function refusal(ask: () => Promise<{ status: number }>): Promise<{ status: number; isHeld: boolean }> {
    const begin = performance.now();
    const { status } = await ask();
    // Timers may be early by a part of a millisecond.
    return { status, isHeld: performance.now() - begin > HELD_MS - 10 };
  }

  test.each<[string, (token: string, headers: Record<string, string>) => Promise<{ status: number }>]>([
    ['REST', (token, headers) => app.rest('GET', COUNT, { token, headers })],
    ['GraphQL', (token, headers) => app.graphql('{ unreadCount }', { token, headers })],
  ])('of %s although refused is answered a second later', async (_, ask) => {
    const { token } = person();
    for (let n = 0; n < POINTS; n += 1) expect((await ask(token, somewhere())).status).toBe(200);
    const answers = [];
    for (let n = 0; n < PROMPT; n += 1) answers.push((await ask(token, somewhere())).status);
    expect(answers).toEqual(Array(PROMPT).fill(429));
    expect(await refusal(() => ask(token, somewhere()))).toEqual({ status: 429, isHeld: true });
    expect((await ask(person().token, somewhere())).status).toBe(200);
  });

  test('from one address likewise', async () => {
    const headers = somewhere();
    for (let n = 0; n < POINTS + PROMPT; n += 1) await app.rest('GET', '/nothing', { headers });
    for (const ask of [
      () => app.rest('GET', '/nothing', { headers }),
      () => app.graphql('{ __typename }', { headers }),
    ]) {
      expect(await refusal(ask)).toEqual({ status: 429, isHeld: true });
    }
  });

  test('with pings of the GraphQL socket, which are a tenth of a point, is closed with 1013', async () => {
    await using socket = await connectGraphQL(app, person(), { headers: somewhere() });
    const most = (POINTS - 3) * 10;
    for (let n = 0; n <= most; n += 1) socket.send({ type: 'ping' });
    expect((await socket.take(most)).every(({ type }) => type === 'pong')).toBe(true);
    expect(await socket.closed).toMatchObject({ code: 1013, reason: expect.stringMatching(/^This user asks/) });
  });

  test('keeps the connection, unless a large body is still to come on it', async () => {
    const headers = { ...somewhere(), 'content-type': 'application/json' };
    for (let n = 0; n < POINTS; n += 1) await app.rest('GET', '/nothing', { headers });
    const body = JSON.stringify({ query: '{ __typename }', variables: { a: 'x'.repeat(500_000) } });
    for (const url of [app.graphqlUrl, `${app.url}/api/v1/auth/login`]) {
      const asked = await fetch(`${url}?query=%7B__typename%7D`, { headers });
      const small = await fetch(url, { method: 'POST', headers, body: body.slice(0, 100) });
      const large = await fetch(url, { method: 'POST', headers, body });
      for (const answer of [asked, small, large]) {
        expect([429, 405]).toContain(answer.status);
        await answer.text();
      }
      expect([asked, small, large].map((answer) => answer.headers.get('connection'))).toEqual([
        'keep-alive',
        'keep-alive',
        'close',
      ]);
    }
  });

  test('before it says who it is, is held to its address', async () => {
    await using direct = await startApp({ env: { RATE_LIMIT_ADDRESS: '4/1h' } });
    await using socket = await openGraphQL(direct);
    for (let n = 0; n < 20; n += 1) socket.send({ type: 'ping' });
    expect(await socket.closed).toMatchObject({ code: 1013, reason: expect.stringMatching(/this address/) });
  });

  test('with what is no HTTP counts like any other, and is cut off in the end', async () => {
    await using direct = await startApp({ env: { RATE_LIMIT_ADDRESS: '3/1h' } });
    const garbage = async () => (await rawRequest(direct.url, { path: '/health', headers: ['no header'] })).status;
    expect([await garbage(), await garbage(), await garbage(), await garbage()]).toEqual([400, 400, 400, Number.NaN]);
    expect((await direct.rest('GET', '/ready')).status).toBe(429);
  });
});

describe('an address', () => {
  const POINTS = 6;
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp({ env: { RATE_LIMIT_ADDRESS: `${POINTS}/1h` } });
  });
  afterAll(async () => app[Symbol.asyncDispose]());

  test('pays for nothing that its users pay for, on any door, and for all that strangers do', async () => {
    const me = person();
    for (let n = 0; n < 2 * POINTS; n += 1) {
      expect((await app.rest('GET', COUNT, me)).status).toBe(200);
      expect((await app.graphql('{ unreadCount }', me)).status).toBe(200);
      await using _graphql = await connectGraphQL(app, me);
      await using _legacy = await connectLegacy(app, me);
    }
    // One, and four for the token; then one.
    expect((await app.graphql('{ unreadCount }', { token: 'none of ours' })).status).toBe(401);
    expect((await app.rest('GET', '/ready')).status).toBe(200);
    for (const ask of [() => app.rest('GET', COUNT, me), () => app.graphql('{ unreadCount }', me)]) {
      expect((await ask()).status).toBe(429);
    }
  });
});

test('a user may have twice as many subscriptions as connections, on all sockets together', async () => {
  await using app = await startApp({ env: { MAX_CONNECTIONS_PER_USER: '2' } });
  const me = person();
  await using one = await connectGraphQL(app, me);
  await using other = await connectGraphQL(app, me);
  for (const id of ['a', 'b']) for (const socket of [one, other]) subscribe(socket, id);
  await sendTo(app, me, { title: 'to four' });
  for (const socket of [one, other]) {
    expect((await socket.take(2)).map(({ id, type }) => `${id} ${type}`).toSorted()).toEqual(['a next', 'b next']);
  }
  subscribe(one, 'c');
  expect(await one.next()).toMatchObject({
    id: 'c',
    type: 'error',
    payload: [{ message: expect.stringContaining('At most 4 subscriptions'), extensions: { code: 'RATE_LIMITED' } }],
  });
  other.send({ id: 'a', type: 'complete' });
  // Answered after that was read.
  other.send({ id: 'q', type: 'subscribe', payload: { query: '{ unreadCount }' } });
  expect((await other.take(2)).map(({ type }) => type)).toEqual(['next', 'complete']);
  subscribe(one, 'd');
  expect(await one.next()).toMatchObject({ id: 'd', type: 'next' });
});

test('the owner of an inbox pays for its events beyond twenty listeners', async () => {
  const POINTS = 200;
  await using app = await startApp({ env: { RATE_LIMIT_USER: `${POINTS}/1h` } });
  const [me, sam] = [person(), person()];
  await using socket = await connectGraphQL(app, me);
  for (let n = 0; n < 60; n += 1) subscribe(socket, String(n));
  // The first is read back from the log by those who do not listen yet; from then on all do.
  const EVENTS = 10;
  for (let n = 0; n <= EVENTS; n += 1) {
    await sendTo(app, { ...me, token: sam.token });
    await socket.take(60);
  }
  let served = 0;
  while ((await app.rest('GET', COUNT, me)).status === 200) served += 1;
  // The socket, the subscriptions, and forty listeners at twenty a point; of the first event as many as were there, or a
  // tenth of a point for each that read it back.
  const left = POINTS - 3 - 60 - 2 * EVENTS;
  expect(served).toBeLessThanOrEqual(left);
  expect(served).toBeGreaterThanOrEqual(left - 60 / 10);
});

test('a reader pays afterwards for the first page of the log, and waits for its points before each further one', async () => {
  const POINTS = 60;
  const EVENTS = 25;
  await using app = await startApp({ env: { RATE_LIMIT_USER: `${POINTS}/1h` } });
  const [me, sam] = [person(), person()];
  for (let n = 0; n < EVENTS; n += 1) await sendTo(app, { ...me, token: sam.token });
  await using socket = await connectGraphQL(app, me);
  const query = `subscription { inboxChanged(after: "${encodeCursor(NO_EPOCH, 0)}") { __typename } }`;
  const left = async (): Promise<number> => {
    for (let served = 0; ; served += 1) if ((await app.rest('GET', COUNT, me)).status === 429) return served;
  };
  socket.send({ id: '1', type: 'subscribe', payload: { query } });
  await socket.take(EVENTS);
  // The socket, the subscription, twenty events at ten a point, and a page of fifty.
  expect(await left()).toBe(POINTS - 3 - 1 - 2 - 5);
  socket.send({ id: '2', type: 'subscribe', payload: { query } });
  expect((await socket.next())['payload'][0].extensions.code).toBe('RATE_LIMITED');
});

test('a connection is kept for 75 s, longer than by any proxy in front, or for as long as the setting says', async () => {
  await using app = await startApp();
  expect((await app.rest('GET', '/health')).headers.get('keep-alive')).toBe('timeout=75');
  await using brief = await startApp({ env: { KEEP_ALIVE_TIMEOUT: '2s' } });
  expect((await brief.rest('GET', '/health')).headers.get('keep-alive')).toBe('timeout=2');
});
