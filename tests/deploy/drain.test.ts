import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type ServerProcess, startServer } from '../process/server.ts';
import { TEST_SECRET, person } from '../support/app.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { type Device, graphqlDevice, rawDevice, streamDevice } from './devices.ts';
import { type Nginx, startNginx } from './nginx.ts';
import { api } from './rest.ts';

const DEVICES_OF_A_KIND = 4;
const LANES = 3;
/** Sends before the drain begins, and after it has ended. */
const BEFORE = 40;
const AFTER = 20;
const MOST_ATTEMPTS = 50;

let resources: AsyncDisposableStack;
let leaving: ServerProcess;
let staying: ServerProcess;
let hosts: [string, string];
let nginx: Nginx;

beforeEach(async () => {
  resources = new AsyncDisposableStack();
  const { url } = resources.use(await createTestDatabase());
  const env = {
    DATABASE_URL: url,
    REDIS_URL: process.env['TEST_REDIS_URL'] as string,
    JWT_SECRET: TEST_SECRET,
    // The comparison by timer must not be what brings events.
    SWEEP_INTERVAL: '1h',
  };
  leaving = resources.use(startServer(env));
  staying = resources.use(startServer(env));
  hosts = [new URL(await leaving.ready).host, new URL(await staying.ready).host];
  nginx = resources.use(await startNginx(hosts));
});
afterEach(async () => {
  await resources.disposeAsync();
});

test('a drain under load moves every socket to the other instance with its cursor: nothing is lost, twice or refused', async () => {
  const owner = person();
  const rest = api(nginx.url, owner);
  const begin = await rest.inboxCursor();
  await using stack = new AsyncDisposableStack();
  const devices: Device[] = [];
  for (const connect of [graphqlDevice, rawDevice, streamDevice]) {
    for (let nth = 0; nth < DEVICES_OF_A_KIND; nth++) {
      devices.push(stack.use(await connect(nginx.url, owner, begin)));
    }
  }

  const acknowledged: string[] = [];
  const enough = Promise.withResolvers<void>();
  /** A send whose answer does not come is repeated under its key, as clients are told to. */
  async function deliver(title: string): Promise<void> {
    const key = randomUUID();
    for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt++) {
      const { status, sent } = await rest.trySend(title, key);
      if (sent !== undefined) {
        acknowledged.push(sent.id);
        if (acknowledged.length === BEFORE) enough.resolve();
        return;
      }
      expect([502, 503, 504]).toContain(status);
    }
    throw new Error(`${title} was refused ${MOST_ATTEMPTS} times`);
  }
  const reads = new Map<number, number>();
  let [drained, drainedAt] = [false, 0];
  const goesOn = (): boolean => !drained || acknowledged.length < drainedAt + AFTER;
  async function lane(name: number): Promise<void> {
    for (let nth = 0; goesOn(); nth++) await deliver(`Number ${nth} of lane ${name}`);
  }
  async function reader(): Promise<void> {
    while (goesOn()) {
      const status = await rest.count();
      reads.set(status, (reads.get(status) ?? 0) + 1);
    }
  }
  const load = Promise.all([...Array.from({ length: LANES }, (_, name) => lane(name)), reader(), reader()]);
  await enough.promise;
  leaving.child.kill('SIGTERM');
  expect(await leaving.exited).toEqual({ code: 0, signal: null });
  [drained, drainedAt] = [true, acknowledged.length];
  await load;

  const last = await rest.send('The last');
  const log = await rest.ids();
  expect(new Set(log)).toEqual(new Set([...acknowledged, last.id]));
  expect(log).toHaveLength(acknowledged.length + 1);
  // What may be repeated was never refused.
  expect([...reads.keys()]).toEqual([200]);
  for (const { added } of devices) expect(await added.count(log.length)).toEqual(log);

  // Of each kind some were on the instance that left, were told to go, and are on the other one now.
  const [sockets, streams] = [devices.slice(0, 2 * DEVICES_OF_A_KIND), devices.slice(2 * DEVICES_OF_A_KIND)];
  for (const kind of [sockets.slice(0, DEVICES_OF_A_KIND), sockets.slice(DEVICES_OF_A_KIND), streams]) {
    expect(kind.filter(({ endings }) => endings.length > 0).length).toBeGreaterThan(0);
  }
  expect(new Set(sockets.flatMap(({ endings }) => endings))).toEqual(new Set([1001]));
  const metrics = await (await fetch(`http://${hosts[1]}/metrics`)).text();
  const open = [...metrics.matchAll(/^carillon_connections\{door="(\w+)"\} (\d+)$/gm)].map(([, door, n]) => [door, n]);
  expect(Object.fromEntries(open)).toEqual({ graphql_ws: '4', legacy_ws: '4', sse: '4' });
  expect(nginx.accessText()).not.toContain(owner.token);
  expect(nginx.errorText()).not.toContain(owner.token);
});
