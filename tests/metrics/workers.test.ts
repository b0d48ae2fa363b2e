import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { startServer } from '../process/server.ts';
import { TEST_SECRET, person } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { type Message, SocketClient } from '../support/socket-client.ts';
import { type Scrape, scrape } from './support.ts';

/** Several processes start, which takes seconds each where others compete for the machine. */
jest.setTimeout(240_000); // ms
const PATIENCE_MS = 30_000;

const SOCKETS = 6;
/** The first one comes before there are sockets: the very first change of an inbox has no latency. */
const SENDS = 5;
const TOKEN = 'a-token-of-the-tests';

let running: AsyncDisposableStack;
let url: string;
let workers: number[];
const ada = person();

const post = (path: string, token: string, body: object): Promise<Response> =>
  fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}`, connection: 'close' },
    body: JSON.stringify(body),
  });
const send = (): Promise<Response> => post('/api/v1/notifications', ada.token, { title: 'a', content: 'b' });

beforeAll(async () => {
  running = new AsyncDisposableStack();
  const database = running.use(await createTestDatabase());
  const server = running.use(
    startServer({ DATABASE_URL: database.url, JWT_SECRET: TEST_SECRET, WORKERS: '2', METRICS_TOKEN: TOKEN }),
  );
  url = await server.ready;
  workers = /processes ([\d, ]+)/
    .exec(await server.line('2 workers:'))![1]!
    .split(', ')
    .map(Number);
  await send();
  const address = `${url.replace('http', 'ws')}/api/v1/notifications/ws?token=${ada.token}`;
  const sockets: SocketClient[] = [];
  while (sockets.length < SOCKETS) {
    const socket = running.use(await SocketClient.connect(address));
    await socket.next();
    sockets.push(socket);
  }
  for (let nth = 1; nth < SENDS; nth += 1) await send();
  await Promise.all(sockets.map((socket) => socket.take(SENDS - 1)));
});
afterAll(async () => {
  await running.disposeAsync();
});

const counted = (all: Scrape) => ({
  sends: all.value('carillon_sends_total', { outcome: 'ok' }),
  batches: all.count('carillon_send_batch_size'),
  pushes: all.value('carillon_pushes_total', { outcome: 'delivered' }),
  latencies: all.count('carillon_delivery_latency_seconds'),
});
const PUSHES = (SENDS - 1) * SOCKETS;
const ALL = { sends: SENDS, batches: SENDS, pushes: PUSHES, latencies: PUSHES };

test('whichever of several workers is asked answers with the sum over all', async () => {
  // Connections go to the workers in turn: each of them is asked.
  const lags: number[] = [];
  for (let nth = 0; nth < 4; nth += 1) {
    const all = await scrape(url, TOKEN);
    expect(counted(all)).toEqual(ALL);
    expect(all.value('carillon_connections', { door: 'legacy_ws' })).toBe(SOCKETS);
    expect(all.value('carillon_workers_missing')).toBe(0);
    expect(all.value('process_resident_memory_bytes')).toBeGreaterThan(50_000_000);
    lags.push(all.value('nodejs_eventloop_lag_max_seconds'));
    const started = all.value('process_start_time_seconds');
    expect(Math.abs(started - Date.now() / 1000)).toBeLessThan(600);
  }
  // It begins anew with each scrape, and is looked for every 10 ms: the first has had time for it.
  expect(lags[0]).toBeGreaterThan(0);
});

test('stats give the success rate of all workers', async () => {
  const admin = person({ roles: ['admin'] });
  const query = '{ stats { pushSuccessRate connections onlineUsers } }';
  // Who is online is stored a moment later.
  await eventually(async () => {
    const { data } = (await (await post('/graphql', admin.token, { query })).json()) as Message;
    expect(data.stats).toEqual({ pushSuccessRate: 1, connections: SOCKETS, onlineUsers: 1 });
    return true;
  });
});

test('a worker that does not answer is missing, and so is one that died, until another has taken its place', async () => {
  const [first = 0] = workers;
  process.kill(first, 'SIGSTOP');
  let during: Scrape;
  try {
    // A connection that the stopped worker was given waits for it: the next one goes to the other.
    during = await Promise.any([scrape(url, TOKEN), scrape(url, TOKEN)]);
  } finally {
    process.kill(first, 'SIGCONT');
  }
  expect(during.value('carillon_workers_missing')).toBe(1);
  expect(during.value('carillon_connections')).toBeLessThan(SOCKETS);
  expect(counted(during)).toEqual(ALL);
  await eventually(async () => (await scrape(url, TOKEN)).value('carillon_workers_missing') === 0, PATIENCE_MS);

  process.kill(first, 'SIGKILL');
  await eventually(async () => (await scrape(url, TOKEN)).value('carillon_workers_missing') === 1, PATIENCE_MS);
  await eventually(async () => (await scrape(url, TOKEN)).value('carillon_workers_missing') === 0, PATIENCE_MS);
  const after = await scrape(url, TOKEN);
  expect(counted(after)).toEqual(ALL);
  expect(after.value('carillon_connections')).toBeLessThan(SOCKETS);
});
