import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type Link, openLink } from '../../torture/proxy.ts';
import { BEGINNING, connectGraphQL, connectLegacy, sendTo, subscribe } from '../sockets/connect.ts';
import { type GraphQLAnswer, type Person, type TestApp, person, startApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { createTestDatabase, withClient } from '../support/postgres.ts';

const TIMEOUT_MS = 1000;
/** A statement's time and what its answer may take on top of it, for the one under way and for the one that waited. */
const ANSWERED_WITHIN_MS = 2 * (TIMEOUT_MS + 1000) + TIMEOUT_MS;
const POOL = 4;

let resources: AsyncDisposableStack;
let link: Link;
let app: TestApp;
let directUrl: string;
let ada: Person;

beforeEach(async () => {
  resources = new AsyncDisposableStack();
  directUrl = resources.use(await createTestDatabase()).url;
  const url = new URL(directUrl);
  link = resources.use(await openLink(Number(url.port)));
  url.hostname = '127.0.0.1';
  url.port = String(link.port);
  const env = { DATABASE_TIMEOUT: `${TIMEOUT_MS}ms`, PG_POOL_MAX: String(POOL), SWEEP_INTERVAL: '200ms' };
  app = resources.use(await startApp({ databaseUrl: url.href, env }));
  ada = person();
  // A busy machine may take longer than that for the first connection.
  await eventually(async () => (await app.graphql('{ unreadCount }', ada)).data);
});
afterEach(async () => {
  link.heal();
  await resources.disposeAsync();
});

const SEND = 'mutation ($title: String!) { send(input: { title: $title, content: "C" }) { id } }';
const send = (title = 'T') => app.graphql(SEND, { token: ada.token, variables: { title } });
const many = <T>(count: number, make: (nth: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, nth) => make(nth)));
const codesOf = (answers: readonly GraphQLAnswer[]) =>
  answers.map(({ errors }) => errors?.[0]?.extensions['code'] ?? 'sent');

/** Expects that sends are refused, each within its time. */
async function expectRefused(count: number): Promise<void> {
  const began = performance.now();
  const answers = await many(count, async (nth) => ({ answer: await send(`${nth}`), at: performance.now() - began }));
  for (const { answer, at } of answers) {
    expect(answer.errors?.[0]?.extensions).toEqual({ code: 'UNAVAILABLE', retryAfter: 1 });
    expect(at).toBeLessThan(ANSWERED_WITHIN_MS);
  }
}

/** A connection of each kind that streams, which must neither end nor miss anything. */
async function connectDevices() {
  const legacy = resources.use(await connectLegacy(app, ada));
  const graphql = resources.use(await connectGraphQL(app, ada));
  subscribe(graphql, '1', BEGINNING);
  return {
    async expectTold(titles: readonly string[]): Promise<void> {
      const [byLegacy, byGraphQL] = await Promise.all([legacy.take(titles.length), graphql.take(titles.length)]);
      expect(byLegacy.map((message) => message['notification'].title)).toEqual(titles);
      expect(byGraphQL.map(({ payload }) => payload.data.notificationAdded.title)).toEqual(titles);
    },
  };
}

/** Expects that all connections of the pool work: more at once than it has, and none fails or is slow. */
async function expectHealthy(): Promise<void> {
  const { database } = app.app.context;
  const one = () => database.em.fork().execute('select pg_sleep(0.01)');
  await many(POOL * 5, one);
  const pool = await (
    database.em.getConnection() as unknown as { getNativeClient(): Promise<PoolCounts> }
  ).getNativeClient();
  expect(pool.totalCount).toBeLessThanOrEqual(POOL);
  // The server looks something up now and then.
  await eventually(() => pool.waitingCount === 0 && pool.idleCount === pool.totalCount);
}
interface PoolCounts {
  totalCount: number;
  idleCount: number;
  waitingCount: number;
}

describe.each(['up', 'down'] as const)('a database that is silent (nothing goes %s)', (direction) => {
  test('is UNAVAILABLE within the time-out; streams stay, and all is well as soon as it answers again', async () => {
    const devices = await connectDevices();
    await sendTo(app, ada, { title: 'before' });
    await devices.expectTold(['before']);
    await many(POOL, () => app.app.context.database.em.fork().execute('select pg_sleep(0.05)'));
    link.hold(direction);
    await expectRefused(30);
    // One that comes when connections have to be made anew.
    await expectRefused(3);
    link.release(direction);
    await eventually(async () => (await send('after')).data);
    await expectHealthy();
    const { data } = await app.graphql('{ notifications(last: 100) { nodes { title } } }', { token: ada.token });
    const titles = data.notifications.nodes.map(({ title }: { title: string }) => title).toReversed();
    // Those that were on their way may have been stored all the same.
    expect(titles.slice(0, 1).concat(titles.slice(-1))).toEqual(['before', 'after']);
    await devices.expectTold(titles.slice(1));
  });
});

test('connections that died without a word are given up, each at its first statement, and made anew', async () => {
  const devices = await connectDevices();
  await many(POOL, () => app.app.context.database.em.fork().execute('select pg_sleep(0.05)'));
  link.forget();
  const answers = await many(20, (nth) => send(`${nth}`));
  expect(codesOf(answers)).toContain('UNAVAILABLE');
  await eventually(async () => (await send('after')).data);
  await eventually(() => expectHealthy().then(() => true));
  const told = answers.flatMap(({ data }, nth) => (data ? [`${nth}`] : []));
  await devices.expectTold([...told, 'after']);
});

test('a database that was read-only for a while fails one send after it at most, whatever connections it left', async () => {
  const devices = await connectDevices();
  const name = new URL(directUrl).pathname.slice(1);
  const run = (text: string) => withClient(directUrl, (client) => client.query(text));
  const cut = () =>
    run(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}' and pid <> pg_backend_pid()`);
  await run(`alter database ${name} set default_transaction_read_only = on`);
  await cut();
  await eventually(async () => (await app.graphql('{ unreadCount }', ada)).data);
  await expectRefused(10);
  expect((await app.graphql('{ unreadCount }', ada)).data).toEqual({ unreadCount: 0 });
  // The whole pool is read-only connections now.
  await many(POOL, () => app.app.context.database.em.fork().execute('select pg_sleep(0.05)'));
  await withClient(directUrl, async (client) => {
    await client.query('set default_transaction_read_only = off');
    await client.query(`alter database ${name} reset default_transaction_read_only`);
  });
  // Its connections are not cut this time: the first that finds out speaks for all.
  const codes: unknown[] = [];
  await eventually(async () => {
    codes.push(...codesOf([await send('after')]));
    return codes.at(-1) === 'sent';
  });
  expect(codes.length).toBeLessThanOrEqual(2);
  await many(20, async () => expect((await send('more')).errors).toBeUndefined());
  await expectHealthy();
  await devices.expectTold(['after', ...Array.from({ length: 20 }, () => 'more')]);
});
