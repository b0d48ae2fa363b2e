import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { type IncomingMessage, request as httpRequest } from 'node:http';
import { type Socket, connect, createServer } from 'node:net';
import { json } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { NODE_FLAGS } from '../../bench/node-flags.ts';
import { loadConfig } from '../../src/config.ts';
import { type Person, TEST_SECRET, person } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { type TestDatabase, createTestDatabase } from '../support/postgres.ts';
import { findProgram } from '../support/programs.ts';
import { type Message, SocketClient, openRaw } from '../support/socket-client.ts';
import { type ServerProcess, createDataDirectory, startServer } from './server.ts';

/** Each test starts several processes, which take seconds each where others compete for the machine. */
jest.setTimeout(240_000); // ms
const PATIENCE_MS = 30_000;

/** Connections that come one after the other go to the workers in turn: each of two gets half of these. */
const SOCKETS = 8;

const ps = findProgram({ names: ['ps'], debian: 'procps', alpine: 'procps', homebrew: 'procps' });

let database: TestDatabase;
let running: AsyncDisposableStack;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(async () => {
  await database[Symbol.asyncDispose]();
});
beforeEach(() => {
  running = new AsyncDisposableStack();
});
afterEach(async () => {
  await running.disposeAsync();
});

const start = (env: Record<string, string> = {}, options = {}): ServerProcess =>
  running.use(startServer({ DATABASE_URL: database.url, JWT_SECRET: TEST_SECRET, WORKERS: '2', ...env }, options));

interface Row {
  pid: number;
  parent: number;
  state: string;
  command: string;
}

/** Every process of the machine that is no zombie. */
function processes(): Row[] {
  const rows = execFileSync(ps, ['-A', '-o', 'pid=', '-o', 'ppid=', '-o', 'stat=', '-o', 'args='], {
    encoding: 'utf8',
  });
  return rows
    .trim()
    .split('\n')
    .map((row) => {
      const [pid, parent, state, ...command] = row.trim().split(/\s+/);
      return { pid: Number(pid), parent: Number(parent), state: state ?? '', command: command.join(' ') };
    })
    .filter(({ state }) => !state.startsWith('Z'));
}

const childrenOf = ({ child }: ServerProcess): Row[] => processes().filter(({ parent }) => parent === child.pid);
const isWorker = ({ command }: Row): boolean => command.includes('worker.ts');
const workersOf = (server: ServerProcess): number[] =>
  childrenOf(server)
    .filter(isWorker)
    .map(({ pid }) => pid);
const living = (pids: number[]): number[] =>
  processes()
    .map(({ pid }) => pid)
    .filter((pid) => pids.includes(pid));

interface Answer {
  status: number;
  body: Message;
}

/** Each request on a connection of its own, which goes to whichever worker is next. */
async function ask(url: string, path: string, token?: string, body?: unknown): Promise<Answer> {
  const request = httpRequest(`${url}${path}`, {
    agent: false,
    method: body === undefined ? 'GET' : 'POST',
    headers: { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) },
  });
  request.end(body === undefined ? undefined : JSON.stringify(body));
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return { status: response.statusCode ?? 0, body: (await json(response)) as Message };
}

const send = (url: string, token: string, title: string): Promise<Answer> =>
  ask(url, '/api/v1/notifications', token, { type: 'task', title, content: 'Content' });

const socketUrl = (url: string, token: string, since?: string): string =>
  `${url.replace('http', 'ws')}/api/v1/notifications/ws?token=${token}${since ? `&since=${since}` : ''}`;

async function openSocket(url: string, { token }: Person, since?: string): Promise<SocketClient> {
  const socket = await SocketClient.connect(socketUrl(url, token, since));
  expect(await socket.next()).toMatchObject({ type: 'welcome' });
  return socket;
}

async function openSockets(url: string, owner: Person): Promise<SocketClient[]> {
  const sockets: SocketClient[] = [];
  while (sockets.length < SOCKETS) sockets.push(await openSocket(url, owner));
  return sockets;
}

const titlesOf = (messages: Message[]): string[] => messages.map(({ notification }) => notification.title as string);
const titles = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, nth) => `number ${from + nth}`);

/** Kills a worker; the sockets that this closes are those that it held. */
async function killWorker(
  pid: number,
  sockets: SocketClient[],
): Promise<{ its: SocketClient[]; others: SocketClient[] }> {
  process.kill(pid, 'SIGKILL');
  await eventually(() => living([pid]).length === 0, PATIENCE_MS);
  const isOpen = ({ socket }: SocketClient) => socket.readyState === socket.OPEN;
  // Its sockets were closed before it was gone; who still gets an answer is connected to another one.
  for (const { socket, closed } of sockets.filter(isOpen)) {
    const answered = new Promise((resolve) => {
      socket.once('pong', resolve);
    });
    socket.ping();
    await Promise.race([answered, closed]);
  }
  return { its: sockets.filter((socket) => !isOpen(socket)), others: sockets.filter(isOpen) };
}

async function expectStopped(server: ServerProcess, pids: number[]): Promise<void> {
  expect(await server.exited).toEqual({ code: 0, signal: null });
  expect(living(pids)).toEqual([]);
  expect(server.lines.at(-1)).toMatch(/stopped$/);
}

test('WORKERS is 1 unless set, and from 1 to 256', () => {
  expect(loadConfig({}).workers).toBe(1);
  expect(loadConfig({ WORKERS: '256' }).workers).toBe(256);
  for (const WORKERS of ['0', '257', 'all']) expect(() => loadConfig({ WORKERS })).toThrow('WORKERS must be');
});

test('one worker is the process itself, without a child', async () => {
  const server = start({ WORKERS: '1' });
  await server.ready;
  expect(childrenOf(server)).toEqual([]);
});

test('workers have what Node was started with', async () => {
  const server = start({ WORKERS: '2' });
  await server.ready;
  const workers = childrenOf(server).filter(isWorker);
  expect(workers).toHaveLength(2);
  for (const { command } of workers) expect(command.split(' ')).toEqual(expect.arrayContaining(NODE_FLAGS));
});

test('workers share one free port; the start is told once, and signals are left to the primary', async () => {
  const server = start({ WORKERS: '3' });
  const url = await server.ready;
  expect(workersOf(server)).toHaveLength(3);
  expect(server.lines.at(-1)).toMatch(/listening on http:\/\/127\.0\.0\.1:[1-9]\d*$/);
  for (const part of ['listening on', 'database:', 'pub/sub:', 'GraphQL and', 'REST', 'legacy socket']) {
    expect(server.lines.filter((line) => line.includes(part))).toHaveLength(1);
  }
  const pids = workersOf(server);
  for (const pid of pids) for (const signal of ['SIGTERM', 'SIGINT']) process.kill(pid, signal);
  const answers = await Promise.all(Array.from({ length: 12 }, () => ask(url, '/ready')));
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  expect(workersOf(server)).toEqual(pids);
  server.child.kill('SIGTERM');
  await expectStopped(server, pids);
});

test.each<[string, () => Record<string, string>, RegExp]>([
  ['through the primary', () => ({}), /pub\/sub: among the 2 workers/],
  ['through Redis', () => ({ REDIS_URL: process.env['TEST_REDIS_URL'] as string }), /pub\/sub: Redis/],
])('%s a send reaches the sockets of every worker once, and in order', async (_how, env, words) => {
  const server = start(env());
  const url = await server.ready;
  expect(server.output()).toMatch(words);
  const owner = person();
  const sockets = await openSockets(url, owner);
  const statuses = await Promise.all(titles(1, 40).map((title) => send(url, owner.token, title)));
  expect(statuses.filter(({ status }) => status !== 200)).toEqual([]);
  const received = await Promise.all(sockets.map((socket) => socket.take(40)));
  const order = titlesOf(received[0] as Message[]);
  expect(order.toSorted()).toEqual(titles(1, 40).toSorted());
  for (const messages of received) expect(titlesOf(messages)).toEqual(order);
  await send(url, owner.token, 'last');
  for (const socket of sockets) expect(titlesOf(await socket.take(1))).toEqual(['last']);

  const { its, others } = await killWorker(workersOf(server)[0] as number, sockets);
  expect([its.length, others.length]).toEqual([SOCKETS / 2, SOCKETS / 2]);
  expect(sockets.flatMap((socket) => socket.rest())).toEqual([]);
});

describe('a worker that is killed', () => {
  test('is replaced, while others go on; its clients come back with their cursor and miss nothing', async () => {
    const server = start();
    const url = await server.ready;
    const owner = person();
    const sockets = await openSockets(url, owner);
    await send(url, owner.token, 'number 1');
    const first = await Promise.all(sockets.map((socket) => socket.next()));
    const cursor = first[0]?.['notification'].cursor as string;
    const [killed, other] = workersOf(server) as [number, number];
    const { its, others } = await killWorker(killed, sockets);
    expect(its.length).toBeGreaterThan(0);
    // Until the primary knows, it hands connections to the one that is dead, and they are reset.
    expect(await server.line('another one starts')).toContain(`(process ${killed}) was ended by SIGKILL`);

    for (const title of titles(2, 5)) expect(await send(url, owner.token, title)).toMatchObject({ status: 200 });
    const returned = await Promise.all(its.map(() => openSocket(url, owner, cursor)));
    await send(url, owner.token, 'number 6');
    for (const socket of [...others, ...returned]) expect(titlesOf(await socket.take(5))).toEqual(titles(2, 6));

    await server.line('has taken its place');
    const replacement = workersOf(server).find((pid) => pid !== other) as number;
    expect(workersOf(server)).toHaveLength(2);
    // The replacement takes connections and doorbells: it alone holds what is left when the other one dies as well.
    const fresh = await openSockets(url, owner);
    await send(url, owner.token, 'number 7');
    for (const socket of fresh) expect(titlesOf(await socket.take(1))).toEqual(['number 7']);
    const { others: held } = await killWorker(other, fresh);
    expect(held.length).toBeGreaterThan(0);
    await server.line(`(process ${other}) was ended by SIGKILL`);
    expect(living([replacement])).toHaveLength(1);
    await send(url, owner.token, 'number 8');
    for (const socket of held) expect(titlesOf(await socket.take(1))).toEqual(['number 8']);
  });

  test('again and again is replaced after longer and longer', async () => {
    const server = start();
    await server.ready;
    const [steady, first] = workersOf(server) as [number, number];
    let pid = first;
    for (const delayMs of [100, 200, 400]) {
      process.kill(pid, 'SIGKILL');
      await server.line(`(process ${pid}) was ended by SIGKILL; another one starts in ${delayMs} ms`);
      pid = await eventually<number | undefined>(
        () => workersOf(server).find((each) => each !== steady && each !== pid),
        PATIENCE_MS,
      );
    }
  });

  test('together with all others gives the port to those that come after it', async () => {
    const server = start();
    const url = await server.ready;
    for (const pid of workersOf(server)) process.kill(pid, 'SIGKILL');
    await server.line('has taken its place');
    expect(await ask(url, '/ready')).toMatchObject({ status: 200 });
    await eventually(
      () => server.lines.filter((line) => line.includes('has taken its place')).length === 2,
      PATIENCE_MS,
    );
    const owner = person();
    const { its, others } = await killWorker(workersOf(server)[0] as number, await openSockets(url, owner));
    expect([its.length, others.length]).toEqual([SOCKETS / 2, SOCKETS / 2]);
  });

  test('takes with it a connection that was on its way to it, so that the client tries again', async () => {
    const server = start();
    const url = await server.ready;
    const [stuck] = workersOf(server) as [number];
    process.kill(stuck, 'SIGSTOP');
    const { port } = new URL(url);
    const unanswered = new Set<Socket>();
    // A worker is handed one connection at a time: all but one go to the other worker.
    const connections = Array.from({ length: SOCKETS }, () => {
      const socket = connect(Number(port), '127.0.0.1');
      socket.on('error', () => {}).write('GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
      unanswered.add(socket);
      socket.once('data', () => unanswered.delete(socket));
      return new Promise((resolve) => {
        socket.once('close', resolve);
      });
    });
    await eventually(() => unanswered.size === 1, PATIENCE_MS);
    process.kill(stuck, 'SIGKILL');
    await Promise.all(connections);
    expect(unanswered.size).toBe(1);
  });
});

describe('a signal', () => {
  test('to the primary drains every worker', async () => {
    const server = start();
    const url = await server.ready;
    const pids = workersOf(server);
    const owner = person();
    const sockets = await openSockets(url, owner);
    const request = httpRequest(`${url}/api/v1/notifications`, {
      agent: false,
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${owner.token}` },
    });
    const answer = once(request, 'response') as Promise<[IncomingMessage]>;
    request.write('{"type":"task","title":"Title",');
    // Connections are handed over in order: those that came later have been answered.
    await openSockets(url, owner);
    server.child.kill('SIGTERM');
    for (const socket of sockets) expect(await socket.closed).toMatchObject({ code: 1001 });
    request.end('"content":"Content"}');
    const [response] = await answer;
    response.resume();
    expect(response.statusCode).toBe(200);
    await expectStopped(server, pids);
    expect(server.lines.filter((line) => line.includes('draining, for up to'))).toHaveLength(1);
  });

  test('to the whole process group, as Ctrl-C sends it, lets workers finish what is under way', async () => {
    const server = start({}, { detached: true });
    const url = await server.ready;
    const pids = workersOf(server);
    const owner = person();
    const socket = await openSocket(url, owner);
    const answers = titles(1, 100).map((title) =>
      send(url, owner.token, title).then(
        ({ status }) => status,
        () => 'not accepted' as const,
      ),
    );
    await socket.next();
    process.kill(-server.child.pid!, 'SIGINT');
    expect(await socket.closed).toMatchObject({ code: 1001 });
    await expectStopped(server, pids);
    const statuses = await Promise.all(answers);
    const stored = statuses.filter((status) => status === 200).length;
    expect(stored).toBeGreaterThan(0);
    expect(statuses.filter((status) => status !== 200 && status !== 'not accepted')).toEqual([]);

    const again = start({ WORKERS: '1' });
    const { body } = await ask(await again.ready, '/api/v1/notifications', owner.token);
    expect(body['total']).toBe(stored);
  });

  test('to the whole group while workers start stops them as soon as they have started', async () => {
    const server = start({}, { detached: true });
    await eventually(() => workersOf(server).length === 2, PATIENCE_MS);
    process.kill(-server.child.pid!, 'SIGINT');
    await expectStopped(server, []);
    expect(server.output()).not.toContain('could not start');
  });

  test('that comes a second time ends everything at once', async () => {
    const server = start({ SHUTDOWN_TIMEOUT: '1h' });
    const url = await server.ready;
    const pids = workersOf(server);
    const silent = await openRaw(socketUrl(url, person().token));
    running.defer(() => void silent.destroy());
    silent.pause();
    server.child.kill('SIGTERM');
    await server.line('draining');
    // Within a tenth of a second it would be taken for the terminal's own echo.
    await delay(150);
    server.child.kill('SIGTERM');
    expect(await server.exited).toEqual({ code: 1, signal: null });
    await eventually(() => living(pids).length === 0);
  });

  test('cuts off a worker that is stuck, within SHUTDOWN_TIMEOUT', async () => {
    const server = start({ SHUTDOWN_TIMEOUT: '2s' });
    await server.ready;
    const pids = workersOf(server);
    process.kill(pids[0] as number, 'SIGSTOP');
    const began = performance.now();
    server.child.kill('SIGTERM');
    await expectStopped(server, pids);
    expect(performance.now() - began).toBeLessThan(2800);
    expect(server.output()).toContain('stopping took too long; 1 workers are cut off');
  });
});

describe('the embedded database', () => {
  test('is started once, with demo users, and stopped with the last worker; one secret serves all', async () => {
    const data = running.use(await createDataDirectory());
    const server = running.use(startServer({ DATA_DIR: data.path, WORKERS: '2' }));
    const url = await server.ready;
    expect(server.lines.filter((line) => line.includes('embedded database started'))).toHaveLength(1);
    expect(server.lines.filter((line) => line.includes('demo tenant'))).toHaveLength(1);
    const { body } = await ask(url, '/api/v1/auth/login', undefined, { username: 'uma', password: 'carillon-demo' });
    const lists = await Promise.all(
      Array.from({ length: 6 }, () => ask(url, '/api/v1/notifications', body['access_token'] as string)),
    );
    for (const list of lists) expect(list).toMatchObject({ status: 200, body: { total: 3 } });
    const pids = workersOf(server);
    server.child.kill('SIGTERM');
    await expectStopped(server, pids);
    expect(await data.postgres()).toBeUndefined();
  });

  test('of a primary that was killed is adopted by the next start; its workers have ended by then', async () => {
    const data = running.use(await createDataDirectory());
    const env = { DATA_DIR: data.path, WORKERS: '2' };
    const first = running.use(startServer(env));
    const { port } = new URL(await first.ready);
    const pids = workersOf(first);
    const postgres = await data.postgres();
    first.child.kill('SIGKILL');
    await first.exited;
    await eventually(() => living(pids).length === 0);
    expect(await data.postgres()).toBe(postgres);

    const second = running.use(startServer({ ...env, PORT: port }));
    const url = await second.ready;
    expect(second.output()).toContain('adopted the embedded database of a killed process');
    expect(await ask(url, '/ready')).toMatchObject({ status: 200 });
    second.child.kill('SIGTERM');
    await expectStopped(second, pids);
    expect(await data.postgres()).toBeUndefined();
  });
});

describe('a start that fails', () => {
  test('because the port is taken is told once, with exit 1 and nothing left', async () => {
    const data = running.use(await createDataDirectory());
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    running.defer(() => void taken.close());
    const { port } = taken.address() as { port: number };
    const server = running.use(
      startServer({ DATA_DIR: data.path, WORKERS: '3', PORT: String(port), LOG_FORMAT: 'json' }),
    );
    await eventually(() => workersOf(server).length === 3, PATIENCE_MS);
    const pids = workersOf(server);
    expect(await server.exited).toEqual({ code: 1, signal: null });
    const messages = server.lines.map((line) => JSON.parse(line).msg as string);
    expect(messages.filter((message) => !message.startsWith('embedded') && !message.startsWith('creating'))).toEqual([
      expect.stringMatching(`^Carillon could not start: .*EADDRINUSE.*${port}$`),
    ]);
    expect(server.output().split('\n')).toHaveLength(messages.length);
    expect(living(pids)).toEqual([]);
    expect(await data.postgres()).toBeUndefined();
  });

  test('because of the settings is told before there are workers', async () => {
    const server = start({ PORT: '70000' });
    expect(await server.exited).toEqual({ code: 1, signal: null });
    expect(server.output()).toBe('PORT must be a whole number from 0 to 65535\n');
  });

  test('because a worker cannot reach Redis is told once', async () => {
    const server = start({ REDIS_URL: 'redis://127.0.0.1:1' });
    expect(await server.exited).toEqual({ code: 1, signal: null });
    expect(server.output().match(/could not start/g)).toHaveLength(1);
    expect(server.output()).toContain('could not start: Redis (REDIS_URL) cannot be reached');
  });
});
