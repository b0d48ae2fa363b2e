import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type TestApp, person, startApp } from '../support/app.ts';
import { refusalOf } from '../support/socket-client.ts';

const COUNT = '/api/v1/notifications/unread-count';
const env = { RATE_LIMIT_ADDRESS: '5/1h', TRUSTED_PROXIES: 'loopback' };

let app: TestApp;
let last = 0;
beforeAll(async () => {
  app = await startApp({ env });
});
afterAll(async () => app[Symbol.asyncDispose]());

/** The header by which a proxy says that a request is from an address that no other test has. */
const somewhere = (): Record<string, string> => ({ 'x-forwarded-for': `192.0.2.${++last}` });

async function useUp(headers: Record<string, string>): Promise<void> {
  for (let n = 0; n < 5; n++) expect((await app.rest('GET', '/ready', { headers })).status).toBe(200);
}

const askGraphQL = (headers: Record<string, string>, accept = 'application/json') =>
  fetch(app.graphqlUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept, ...headers },
    body: JSON.stringify({ query: '{ __typename }' }),
  });

describe('an address that has spent all', () => {
  let headers: Record<string, string>;
  beforeAll(async () => {
    headers = somewhere();
    await useUp(headers);
  });

  test.each(['/ready', '/metrics', '/', '/nothing', COUNT, '/api/v1/auth/login'])(
    'is answered with 429 at %s, before any token is looked at',
    async (path) => {
      const answer = await app.rest('GET', path, { headers, token: 'no token' });
      expect(answer.status).toBe(429);
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(600);
      expect(answer.body).toMatchObject({ code: 429, reason: 'RATE_LIMITED' });
    },
  );

  test('is still told that the process lives', async () => {
    expect((await app.rest('GET', '/health', { headers })).status).toBe(200);
  });

  test.each(['application/json', 'application/graphql-response+json', 'text/event-stream'])(
    'is answered by GraphQL with RATE_LIMITED, whoever accepts %s',
    async (accept) => {
      const response = await askGraphQL(headers, accept);
      expect(response.status).toBe(429);
      expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(600);
      const { errors } = (await response.json()) as { errors: object[] };
      expect(errors).toMatchObject([{ extensions: { code: 'RATE_LIMITED', retryAfter: expect.any(Number) } }]);
    },
  );

  test.each(['/graphql', '/api/v1/notifications/ws', '/nothing'])(
    'is refused before an upgrade at %s',
    async (path) => {
      const refused = await refusalOf(`${app.url}${path}`, { ...person(), headers });
      expect([refused.status, refused.body['reason']]).toEqual([429, 'RATE_LIMITED']);
      expect(Number(refused.headers['retry-after'])).toBeGreaterThan(600);
    },
  );

  test('leaves other addresses served', async () => {
    expect((await app.rest('GET', COUNT, { ...person(), headers: somewhere() })).status).toBe(200);
  });

  test('is read by pages of allowed origins', async () => {
    await using open = await startApp({ env: { ...env, ALLOWED_ORIGINS: 'https://app.example' } });
    const origin = { ...somewhere(), origin: 'https://app.example' };
    const answers = await Promise.all(Array.from({ length: 6 }, () => open.rest('GET', '/ready', { headers: origin })));
    const refused = answers.find(({ status }) => status === 429);
    expect(refused?.headers.get('access-control-allow-origin')).toBe('https://app.example');
  });
});

test('requests of all doors count together, upgrades thrice', async () => {
  const headers = somewhere();
  await app.rest('GET', '/nothing', { headers });
  await askGraphQL(headers);
  await refusalOf(app.legacySocketUrl(), { headers });
  expect((await app.rest('GET', '/ready', { headers })).status).toBe(429);
});

test('addresses of one /64 are one', async () => {
  const from = (host: string) => app.rest('GET', '/ready', { headers: { 'x-forwarded-for': `2001:db8:0:1:${host}` } });
  for (const host of [':1', ':2', ':3', ':4', 'a:b:c:d']) expect((await from(host)).status).toBe(200);
  expect((await from('1:2:3:4')).status).toBe(429);
});

test('what a client writes into X-Forwarded-For is not believed', async () => {
  const { 'x-forwarded-for': own } = somewhere();
  const statuses: number[] = [];
  for (let n = 1; n <= 6; n++) {
    const headers = { 'x-forwarded-for': `198.51.100.${n}, ${own}` };
    statuses.push((await app.rest('GET', '/ready', { headers })).status);
  }
  expect(statuses).toEqual([200, 200, 200, 200, 200, 429]);
});

test('without TRUSTED_PROXIES nothing in X-Forwarded-For is believed', async () => {
  await using direct = await startApp({ env: { RATE_LIMIT_ADDRESS: '3/1h' } });
  const statuses: number[] = [];
  for (let n = 0; n < 4; n++) statuses.push((await direct.rest('GET', '/ready', { headers: somewhere() })).status);
  expect(statuses).toEqual([200, 200, 200, 429]);
});
