import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { person, signToken } from '../support/app.ts';
import { SocketClient, openRaw } from '../support/socket-client.ts';
import { type DataDirectory, type ServerProcess, createDataDirectory, runCommand, startServer } from './server.ts';

/** Each test starts several processes, which take seconds each where others compete for the machine. */
jest.setTimeout(240_000); // ms

let data: DataDirectory;
let env: Record<string, string>;
let running: AsyncDisposableStack;

beforeAll(async () => {
  data = await createDataDirectory();
  env = { DATA_DIR: data.path };
});
afterAll(async () => {
  await data[Symbol.asyncDispose]();
});
beforeEach(() => {
  running = new AsyncDisposableStack();
});
afterEach(async () => {
  await running.disposeAsync();
});

const start = (more: Record<string, string> = {}, options = {}): ServerProcess =>
  running.use(startServer({ ...env, ...more }, options));

async function ask(url: string, path: string, token?: string, body?: unknown) {
  const response = await fetch(`${url}${path}`, {
    headers: { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) },
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
  });
  return { status: response.status, body: JSON.parse(await response.text()) };
}

async function login(url: string): Promise<string> {
  const { body } = await ask(url, '/api/v1/auth/login', undefined, { username: 'ada', password: 'carillon-demo' });
  return body.access_token;
}

const send = (url: string, token: string, title = 'Title') =>
  ask(url, '/api/v1/notifications', token, { type: 'task', title, content: 'Content' });

const total = async (url: string, token: string): Promise<number> =>
  (await ask(url, '/api/v1/notifications', token)).body.total;

async function stop(server: ServerProcess): Promise<void> {
  server.child.kill('SIGTERM');
  expect(await server.exited).toEqual({ code: 0, signal: null });
  expect(await data.postgres()).toBeUndefined();
}

test('a fresh folder gets a database and demo users, who find something on their first look; a second start keeps it', async () => {
  const first = start();
  const url = await first.ready;
  expect(first.lines.at(-1)).toMatch(/listening on http:\/\/127\.0\.0\.1:\d+$/);
  expect(first.output()).toMatch(/demo tenant "demo", password "carillon-demo", users ada \(admin\), sam .*, uma /);
  expect(first.output()).toContain(`${url}/graphql`);
  const token = await login(url);
  const query = '{ notifications { totalCount unreadCount nodes { title } } }';
  const { body } = await ask(url, '/graphql', token, { query });
  expect(body.data.notifications).toMatchObject({ totalCount: 3, unreadCount: 3, nodes: { length: 3 } });
  await send(url, token);
  await stop(first);

  const second = start();
  const again = await second.ready;
  // The secret that signs is kept as well.
  expect(await total(again, token)).toBe(4);
  expect(await total(again, await login(again))).toBe(4);
  await stop(second);
});

test('commands work beside the running server, and a second server is refused without harm to the first', async () => {
  const server = start();
  const url = await server.ready;
  const second = start();
  const added = await runCommand('user', ['add', '--tenant', 'demo', '--username', 'zoe', '--password-stdin'], {
    env,
    input: 'a long enough password\n',
  });
  expect(added).toMatchObject({ code: 0, stderr: '' });
  const { body } = await ask(url, '/api/v1/auth/login', undefined, {
    username: 'zoe',
    password: 'a long enough password',
  });
  expect(body.user).toMatchObject({ username: 'zoe', tenant_id: 'demo' });
  const { stdout } = await runCommand('token', ['--tenant', 'demo', '--user', 'ada'], { env });
  expect(await total(url, stdout.trim())).toBe(4);

  expect(await second.exited).toEqual({ code: 1, signal: null });
  expect(second.output()).toContain(`could not start: DATA_DIR ${data.path} is in use by another running Carillon`);
  expect(await total(url, await login(url))).toBe(4);
  await stop(server);
});

test('a port that is taken is a clear error, and leaves no PostgreSQL behind', async () => {
  const other = running.use(await createDataDirectory());
  const first = start();
  const { port } = new URL(await first.ready);
  const second = running.use(startServer({ DATA_DIR: other.path, PORT: port }));
  expect(await second.exited).toEqual({ code: 1, signal: null });
  expect(second.output()).toMatch(new RegExp(`could not start: .*EADDRINUSE.*${port}`));
  expect(await other.postgres()).toBeUndefined();
  await stop(first);
});

describe('a signal', () => {
  test('to the whole process group, as Ctrl-C sends it, drains while the database still answers', async () => {
    const server = start({}, { detached: true });
    const url = await server.ready;
    const token = await login(url);
    const before = await total(url, token);
    const socket = await SocketClient.connect(`${url.replace('http', 'ws')}/api/v1/notifications/ws?token=${token}`);
    await socket.next();
    const answers = Promise.all(
      Array.from({ length: 100 }, () =>
        send(url, token).then(
          ({ status }) => status,
          () => 'not accepted' as const,
        ),
      ),
    );
    await socket.next();
    process.kill(-server.child.pid!, 'SIGINT');
    expect(await socket.closed).toMatchObject({ code: 1001 });
    expect(await server.exited).toEqual({ code: 0, signal: null });
    expect(await data.postgres()).toBeUndefined();
    const statuses = await answers;
    const stored = statuses.filter((status) => status === 200).length;
    expect(stored).toBeGreaterThan(0);
    expect(statuses.filter((status) => status !== 200 && status !== 'not accepted')).toEqual([]);

    const again = start();
    expect(await total(await again.ready, token)).toBe(before + stored);
    await stop(again);
  });

  test('with a peer that does not go still ends within SHUTDOWN_TIMEOUT, PostgreSQL included', async () => {
    const server = start({ SHUTDOWN_TIMEOUT: '2500ms' });
    const url = await server.ready;
    const silent = await openRaw(`${url.replace('http', 'ws')}/api/v1/notifications/ws?token=${await login(url)}`);
    running.defer(() => void silent.destroy());
    silent.pause();
    const started = performance.now();
    await stop(server);
    expect(performance.now() - started).toBeLessThan(3500);
    expect(server.output()).toContain('cut off');
  });
});

test('killed without warning it starts again, and has everything that was acknowledged', async () => {
  const server = start();
  const url = await server.ready;
  const token = await login(url);
  const acknowledged: string[] = [];
  const sending = Promise.allSettled(
    Array.from({ length: 8 }, async (_, nth) => {
      for (let round = 0; ; round += 1) {
        const { body } = await send(url, token, `${nth}.${round}`);
        acknowledged.push(body.id);
        if (acknowledged.length === 100) server.child.kill('SIGKILL');
      }
    }),
  );
  expect(await server.exited).toEqual({ code: null, signal: 'SIGKILL' });
  await sending;
  expect(acknowledged.length).toBeGreaterThanOrEqual(100);

  const again = start();
  const newUrl = await again.ready;
  const found = await Promise.all(acknowledged.map((id) => ask(newUrl, `/api/v1/notifications/${id}`, token)));
  expect(found.filter(({ status }) => status !== 200)).toEqual([]);
  await stop(again);
});

test('with DEMO=off and a secret of one’s own there are no demo users, and own tokens are taken', async () => {
  const other = running.use(await createDataDirectory());
  const secret = 'x'.repeat(32);
  const server = running.use(startServer({ DATA_DIR: other.path, DEMO: 'off', JWT_SECRET: secret }));
  const url = await server.ready;
  expect(server.output()).not.toMatch(/demo/);
  expect(await login(url)).toBeUndefined();
  expect((await send(url, person().token)).status).toBe(401);
  expect((await send(url, signToken({ sub: 'u', tenant_id: 't' }, secret))).status).toBe(200);
  server.child.kill('SIGTERM');
  expect(await server.exited).toMatchObject({ code: 0 });
  expect(await other.postgres()).toBeUndefined();
});
