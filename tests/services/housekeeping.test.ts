import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { loadConfig } from '../../src/config.ts';
import { RefreshToken, Revocation } from '../../src/entities/index.ts';
import { createLogger } from '../../src/logger.ts';
import { createInProcessTopics } from '../../src/pubsub/in-process.ts';
import { Housekeeping } from '../../src/services/housekeeping.ts';
import { Retention } from '../../src/services/retention.ts';
import { Revocations } from '../../src/services/revocations.ts';
import { Sessions } from '../../src/services/sessions.ts';
import { Tokens } from '../../src/services/tokens.ts';
import { Users } from '../../src/services/users.ts';
import { TEST_SECRET } from '../support/app.ts';
import { withClient } from '../support/postgres.ts';
import { createHub } from './hub-support.ts';
import { type Services, newAddress, numbers, openServices, resultOf, sendItem } from './support.ts';

const HOUR_MS = 3_600_000;
const logger = createLogger({ level: 'silent', format: 'json' });

let services: Services;

beforeAll(async () => {
  services = await openServices({ idempotencyWindowMs: HOUR_MS });
});
afterAll(async () => {
  await services[Symbol.asyncDispose]();
});

function createHousekeeping() {
  const { database } = services;
  const config = loadConfig({ JWT_SECRET: TEST_SECRET });
  const users = new Users(database);
  const revocations = new Revocations(database, logger);
  const sessions = new Sessions({ config, database, users, revocations, tokens: new Tokens(config, logger) });
  const topics = createInProcessTopics();
  const hub = createHub(topics, services);
  const retention = new Retention({
    database,
    changes: services.changes,
    hub,
    tombstonesMs: HOUR_MS,
    deliveriesMs: HOUR_MS,
    notificationsMs: undefined,
  });
  const housekeeping = new Housekeeping({ database, sessions, retention, idempotencyWindowMs: HOUR_MS, logger });
  const resources = new AsyncDisposableStack();
  for (const owned of [topics, hub, revocations, housekeeping]) resources.use(owned);
  return { run: () => housekeeping.run(), [Symbol.asyncDispose]: () => resources.disposeAsync() };
}

const count = (table: string): Promise<number> =>
  withClient(services.url, async (client) => {
    const { rows } = await client.query<{ count: number }>(`select count(*)::int as count from ${table}`);
    return rows[0]?.count ?? 0;
  });

test('forgets keys whose window has passed, however many, and keeps the others and all notifications', async () => {
  await using housekeeping = createHousekeeping();
  const address = newAddress();
  const items = numbers(1, 2600).map((nth) => sendItem(address, { idempotencyKey: `${nth}` }));
  await services.store(items);
  await withClient(services.url, (client) =>
    client.query("update idempotency_key set created_at = now() - interval '61 minutes' where key::int > 10"),
  );
  await housekeeping.run();
  expect(await count('idempotency_key')).toBe(10);
  expect(await count('notification')).toBe(2600);
  const [kept, forgotten] = await services.write([
    sendItem(address, { idempotencyKey: '10' }),
    sendItem(address, { idempotencyKey: '11' }),
  ]);
  expect(resultOf(kept).notification.id).toBe(items[9]!.id);
  expect(resultOf(forgotten).event).toMatchObject({ version: 2601 });
});

test('forgets refresh tokens and revocations that have expired', async () => {
  await using housekeeping = createHousekeeping();
  const em = services.database.em.fork();
  for (const seconds of [-1, 60]) {
    const expiresAt = new Date(Date.now() + seconds * 1000);
    const token = {
      hash: `${seconds}`,
      familyId: randomUUID(),
      tenantId: 'acme',
      userId: 'u',
      usedAt: null,
      expiresAt,
    };
    await em.insert(RefreshToken, token);
  }
  const [expired, standing] = [-1, 60].map((seconds) => ({
    id: randomUUID(),
    tenantId: 'acme',
    userId: 'u',
    sessionId: randomUUID(),
    expiresAt: new Date(Date.now() + seconds * 1000),
  }));
  for (const revocation of [expired!, standing!]) await em.insert(Revocation, revocation);
  await housekeeping.run();
  expect((await em.find(RefreshToken, {})).map(({ hash }) => hash)).toEqual(['60']);
  expect((await em.find(Revocation, {})).map(({ id }) => id)).toEqual([standing!.id]);
});

test('forgets what tenants did more than 90 days ago, however much it is', async () => {
  await using housekeeping = createHousekeeping();
  await withClient(services.url, (client) =>
    client.query(`insert into tenant_activity (tenant_id, hour, kind, count)
      select 'tenant ' || n, now() - (case when n > 10 then interval '90 days 1 hour' else interval '89 days' end), 'read', 1
      from generate_series(1, 2600) n`),
  );
  await housekeeping.run();
  expect(await count('tenant_activity')).toBe(10);
});

test('two rounds at once do not hinder each other', async () => {
  await using one = createHousekeeping();
  await using other = createHousekeeping();
  await services.store(numbers(1, 1500).map((nth) => sendItem(newAddress(), { idempotencyKey: `both ${nth}` })));
  await withClient(services.url, (client) =>
    client.query("update idempotency_key set created_at = now() - interval '2 hours'"),
  );
  await Promise.all([one.run(), other.run()]);
  await one.run();
  expect(await count('idempotency_key')).toBe(0);
});
