import { once } from 'node:events';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { createDataDirectory, runCommand, startServer } from '../process/server.ts';
import { startApp } from '../support/app.ts';

/** Each test starts several processes, which take seconds each where others compete for the machine. */
jest.setTimeout(240_000); // ms

const ALLOWED = 'https://app.example.com';

interface Visit {
  status: number | undefined;
  headers: Record<string, string | string[] | undefined>;
  /** What the page puts into the headers editor. */
  authorization: string;
}

/** Opens the page as a browser does; fetch would not let a test choose Host. */
async function visit(url: string, headers: Record<string, string> = {}): Promise<Visit> {
  const asked = request(`${url}/graphql`, { headers: { accept: 'text/html,*/*;q=0.8', ...headers } }).end();
  const [response] = await once(asked, 'response');
  const page = await text(response);
  const [, options = '{}'] = /renderCarillonGraphiql\(document\.querySelector\('#root'\), (.*)\);<\/script>/.exec(
    page,
  )!;
  const { Authorization } = JSON.parse(JSON.parse(options).headers);
  return { status: response.statusCode, headers: response.headers, authorization: Authorization };
}

const HINT = 'Bearer <token>';
const TOKEN = /^Bearer [\w-]+\.[\w-]+\.[\w-]+$/;
const claimsOf = (authorization: string) =>
  JSON.parse(Buffer.from(authorization.split('.')[1]!, 'base64url').toString());

let running: AsyncDisposableStack;
let env: Record<string, string>;
let url: string;

beforeAll(async () => {
  running = new AsyncDisposableStack();
  const data = running.use(await createDataDirectory());
  env = { DATA_DIR: data.path, ALLOWED_ORIGINS: ALLOWED, ACCESS_TOKEN_TTL: '5m' };
  const server = running.use(startServer(env));
  url = await server.ready;
});
afterAll(async () => {
  await running.disposeAsync();
});

describe('GraphiQL of a demo that only this machine reaches', () => {
  test('holds a token of ada, made for this visit, for no longer than other access tokens', async () => {
    const beforeSeconds = Math.floor(Date.now() / 1000);
    const [first, second] = [await visit(url), await visit(url)];
    for (const { authorization } of [first, second]) {
      expect(authorization).toMatch(TOKEN);
      const claims = claimsOf(authorization);
      expect(claims).toMatchObject({ tenant_id: 'demo', user_id: 'ada', roles: ['admin'] });
      expect(claims.exp - claims.iat).toBe(300);
      expect(claims.iat).toBeGreaterThanOrEqual(beforeSeconds);
    }
    expect(second.authorization).not.toBe(first.authorization);
    const answer = await fetch(`${url}/api/v1/notifications/unread-count`, {
      headers: { authorization: first.authorization },
    });
    expect(answer.status).toBe(200);
  });

  test('is kept by no cache, shown in no frame and read by no other origin', async () => {
    const { status, headers } = await visit(url, { origin: ALLOWED });
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'content-security-policy': expect.stringContaining("frame-ancestors 'none'"),
      'cross-origin-resource-policy': 'same-origin',
    });
    expect(headers).not.toHaveProperty('access-control-allow-origin');
    expect(headers).not.toHaveProperty('access-control-allow-credentials');
  });

  test.each([
    ['a page of an allowed origin', { origin: ALLOWED }],
    ['a page of any other origin', { origin: 'https://evil.example.com' }],
    ['a page without an origin', { origin: 'null' }],
    ['a name that was made to point here', { host: 'evil.example.com:15006' }],
    ['a name that begins like this machine', { host: 'localhost.example.com' }],
    ['a proxy', { 'x-forwarded-for': '203.0.113.7' }],
    ['a proxy of the standard', { forwarded: 'for=203.0.113.7' }],
  ])('gives no token to %s', async (_who, headers) => {
    expect((await visit(url, headers)).authorization).toBe(HINT);
  });

  test.each(['localhost', '127.0.0.1:15006', '[::1]:15006', 'LOCALHOST:1'])(
    'gives a token to who calls it %s',
    async (host) => {
      expect((await visit(url, { host })).authorization).toMatch(TOKEN);
    },
  );

  test('gives none once ada has been removed', async () => {
    expect(await runCommand('user', ['remove', '--tenant', 'demo', '--username', 'ada'], { env })).toMatchObject({
      code: 0,
    });
    expect((await visit(url)).authorization).toBe(HINT);
  });
});

test.each([
  ['without the demo', { DEMO: 'off' }, HINT],
  ['where other machines reach the server', { HOST: '0.0.0.0' }, HINT],
  ['with only keys of another issuer', { JWT_JWKS_URL: 'https://issuer.example/jwks' }, HINT],
  ['with several processes', { WORKERS: '2' }, TOKEN],
])('GraphiQL %s', async (_when, settings, expected) => {
  await using data = await createDataDirectory();
  await using server = startServer({ DATA_DIR: data.path, ...settings });
  const { port } = new URL(await server.ready);
  const { authorization } = await visit(`http://127.0.0.1:${port}`);
  expect(authorization).toMatch(expected);
});

test('GraphiQL has a hint in place of a token with a database of one’s own', async () => {
  await using app = await startApp();
  expect((await visit(app.url)).authorization).toBe(HINT);
});
