import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { subscribeByPost } from '../graphql/event-stream.ts';
import { scrape } from '../metrics/support.ts';
import { connectGraphQL, connectLegacy, openGraphQL } from '../sockets/connect.ts';
import { type TestApp, person, startApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { refusalOf } from '../support/socket-client.ts';

let app: TestApp;
beforeAll(async () => {
  app = await startApp({
    env: {
      MAX_CONNECTIONS_PER_TENANT: '2',
      MAX_CONNECTIONS_PER_ADDRESS: '3',
      TRUSTED_PROXIES: 'loopback',
      // What is no rate holds without them.
      RATE_LIMITS: 'off',
    },
  });
});
afterAll(async () => app[Symbol.asyncDispose]());

let last = 0;
let headers: Record<string, string>;
beforeEach(() => {
  headers = { 'x-forwarded-for': `192.0.2.${++last}` };
});
const somebody = () => person({ tenantId: randomUUID() });

describe('connections of one tenant', () => {
  test('beyond the limit are refused before the upgrade to the raw socket, until one has ended', async () => {
    const tenantId = randomUUID();
    await using _first = await connectLegacy(app, person({ tenantId }));
    const second = await connectGraphQL(app, person({ tenantId }));
    const refused = await refusalOf(app.legacySocketUrl(), person({ tenantId }));
    expect([refused.status, refused.body['reason']]).toEqual([429, 'RATE_LIMITED']);
    expect(refused.body['message']).toBe('At most 2 connections of one tenant are allowed at once.');
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    await using _other = await connectLegacy(app, somebody());
    await second[Symbol.asyncDispose]();
    await using _third = await eventually(() => connectLegacy(app, person({ tenantId })));
  });

  test('beyond the limit are closed with 1013 at the connection_init of the GraphQL socket', async () => {
    const tenantId = randomUUID();
    await using _first = await connectGraphQL(app, person({ tenantId }));
    await using _second = await connectGraphQL(app, person({ tenantId }));
    await using third = await openGraphQL(app);
    third.send({ type: 'connection_init', payload: { authorization: `Bearer ${person({ tenantId }).token}` } });
    expect(await third.closed).toMatchObject({ code: 1013, reason: expect.stringContaining('one tenant') });
  });

  test('beyond the limit are answered with 429 instead of an event stream', async () => {
    const tenantId = randomUUID();
    await using _first = await connectGraphQL(app, person({ tenantId }));
    await using _second = await connectGraphQL(app, person({ tenantId }));
    const response = await subscribeByPost(app, person({ tenantId }));
    expect(response.status).toBe(429);
    expect(await response.text()).toContain('RATE_LIMITED');
  });
});

describe('connections from one address', () => {
  const fill = async (resources: AsyncDisposableStack): Promise<void> => {
    resources.use(await connectLegacy(app, somebody(), {}, { headers }));
    resources.use(await connectGraphQL(app, somebody(), { headers }));
    resources.use(await openGraphQL(app, { headers }));
  };

  test('count together, also those that have not said who they are, whoever they are of', async () => {
    await using resources = new AsyncDisposableStack();
    await fill(resources);
    for (const url of [app.legacySocketUrl(), app.graphqlSocketUrl]) {
      const refused = await refusalOf(url, { ...somebody(), headers });
      expect([refused.status, refused.body['reason']]).toEqual([429, 'RATE_LIMITED']);
      expect(refused.body['message']).toBe('At most 3 connections from one address are allowed at once.');
      expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    }
    await using _elsewhere = await connectLegacy(app, somebody());
  });

  test('keep their place when they say who they are, and free it when they end', async () => {
    await using resources = new AsyncDisposableStack();
    await fill(resources);
    const third = await openGraphQL(app, { headers }).catch(() => undefined);
    expect(third).toBeUndefined();
    await resources.disposeAsync();
    for (let round = 0; round < 3; round++) {
      await using again = new AsyncDisposableStack();
      await eventually(() => app.app.doors.connections.size === 0);
      await eventually(async () => {
        again.use(await connectGraphQL(app, somebody(), { headers }));
        return true;
      });
      for (let n = 0; n < 2; n++) again.use(await connectGraphQL(app, somebody(), { headers }));
    }
  });

  test('count with event streams', async () => {
    await using resources = new AsyncDisposableStack();
    await fill(resources);
    const before = await refusals();
    const { token } = somebody();
    const response = await fetch(app.graphqlUrl, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({ query: 'subscription { notificationAdded { id } }' }),
    });
    expect(response.status).toBe(429);
    await response.text();
    expect(await refusals()).toBe(before + 1);
  });

  const refusals = async () =>
    (await scrape(app.url)).value('carillon_rate_limited_total', { limit: 'address_connections', door: 'sse' });
});
