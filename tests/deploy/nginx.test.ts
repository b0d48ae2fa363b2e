import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { TEST_SECRET, person } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { SocketClient, refusalOf } from '../support/socket-client.ts';
import { startServer } from '../process/server.ts';
import { graphqlDevice, rawDevice, streamDevice } from './devices.ts';
import { type Nginx, configurationFor, faultsOf, startNginx } from './nginx.ts';
import { api } from './rest.ts';

let resources: AsyncDisposableStack;
let nginx: Nginx;

beforeAll(async () => {
  resources = new AsyncDisposableStack();
  const { url } = resources.use(await createTestDatabase());
  const env = { DATABASE_URL: url, REDIS_URL: process.env['TEST_REDIS_URL'] as string, JWT_SECRET: TEST_SECRET };
  const servers = [resources.use(startServer(env)), resources.use(startServer(env))] as const;
  const hosts = await Promise.all(servers.map(async ({ ready }) => new URL(await ready).host));
  nginx = resources.use(await startNginx(hosts as [string, string]));
});
afterAll(async () => {
  await resources.disposeAsync();
});

test('nginx finds nothing wrong with deploy/nginx.conf', () => {
  expect(faultsOf(configurationFor(8080, ['127.0.0.1:1', '127.0.0.1:2']))).toBe('');
  expect(faultsOf(configurationFor(8080, ['127.0.0.1:1', '127.0.0.1:2']).replace('least_conn', 'least'))).toMatch(
    /unknown directive "least"/,
  );
});

test('REST, graphql-transport-ws, the raw socket and event streams work through nginx, and events are not held back', async () => {
  const owner = person();
  const rest = api(nginx.url, owner);
  const cursor = await rest.inboxCursor();
  await using devices = new AsyncDisposableStack();
  const all = [
    devices.use(await graphqlDevice(nginx.url, owner, cursor)),
    devices.use(await rawDevice(nginx.url, owner, cursor)),
    devices.use(await streamDevice(nginx.url, owner, cursor)),
  ];
  const sent = [(await rest.send('One')).id];
  for (const { added } of all) expect(await added.count(1)).toEqual(sent);
  sent.push((await rest.send('Two')).id);
  for (const { added } of all) expect(await added.count(2)).toEqual(sent);
  expect(await rest.ids()).toEqual(sent);
});

test('sockets of the own origin, with its port, are let in, and foreign ones are refused by the server', async () => {
  const { token } = person();
  const url = `${nginx.url.replace('http', 'ws')}/api/v1/notifications/ws`;
  await using socket = await SocketClient.connect(url, { token, headers: { origin: nginx.url } });
  expect((await socket.next())['type']).toBe('welcome');
  const refusal = await refusalOf(url, { token, headers: { origin: 'http://elsewhere.example' } });
  expect(refusal).toMatchObject({ status: 403, body: { reason: 'FORBIDDEN' } });
});

test('a body that is too large is refused by the server, in its own words', async () => {
  const answer = await fetch(`${nginx.url}/api/v1/notifications`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${person().token}` },
    body: JSON.stringify({ title: 'Title', content: 'x'.repeat(1024 * 1024) }),
  });
  expect(answer.status).toBe(413);
  expect(await answer.json()).toMatchObject({ reason: 'PAYLOAD_TOO_LARGE' });
});

test('metrics are not shown to the outside, and no page may be framed', async () => {
  expect((await fetch(`${nginx.url}/metrics`)).status).toBe(404);
  expect((await fetch(`${nginx.url}/health`)).headers.get('x-frame-options')).toBe('DENY');
});

test('logins are limited by address: past a burst the answer is 429', async () => {
  const login = async (): Promise<number> =>
    (
      await fetch(`${nginx.url}/api/v1/auth/login`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{}',
      })
    ).status;
  const statuses = await Promise.all(Array.from({ length: 60 }, login));
  expect(new Set(statuses)).toEqual(new Set([400, 429]));
});

test('a token in the address of the raw socket is in no log of nginx, not even when no server answers', async () => {
  await using alone = await startNginx(['127.0.0.1:1', '127.0.0.1:1']);
  const { token } = person();
  const answer = await fetch(`${alone.url}/api/v1/notifications/ws?token=${token}`);
  expect(answer.status).toBe(502);
  await answer.text();
  await eventually(() =>
    alone.access().some(({ path, status }) => path === '/api/v1/notifications/ws' && status === 502),
  );
  // Its other errors are there, so this is where they would be.
  await eventually(() => alone.errorText().includes('connect() failed'));
  for (const text of [alone.accessText(), alone.errorText()]) {
    expect(text).not.toContain('token');
    expect(text).not.toContain(token);
  }
});
