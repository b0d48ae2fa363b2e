import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Client } from 'pg';
import { createLogger } from '../../src/logger.ts';
import { createInProcessTopics } from '../../src/pubsub/in-process.ts';
import { Retention } from '../../src/services/retention.ts';
import { TenantActivity } from '../../src/services/tenant-activity.ts';
import { type Bounds, explain, faultsOf } from '../bench/explain.ts';
import { recordStatements } from '../bench/statements.ts';
import { createHub } from '../services/hub-support.ts';
import { type Services, openServices } from '../services/support.ts';
import { asEveryTenant, currentScope } from '../../src/scope.ts';

/** A day of 24 hours and 21 kinds, each row perhaps on a page of its own. */
const A_DAY: Bounds = { buffers: 600, sorted: 25 * 21 };

const HOUR_MS = 3_600_000;

let services: Services;
let resources: AsyncDisposableStack;
let client: Client;
let activity: TenantActivity;
let retention: Retention;

beforeAll(async () => {
  resources = new AsyncDisposableStack();
  services = resources.use(await openServices());
  const { database, changes } = services;
  const topics = resources.use(createInProcessTopics());
  const hub = resources.use(createHub(topics, services));
  activity = resources.use(new TenantActivity({ database, logger: createLogger({ level: 'silent', format: 'json' }) }));
  retention = new Retention({
    database,
    changes,
    hub,
    tombstonesMs: HOUR_MS,
    notificationsMs: undefined,
    deliveriesMs: 1000,
  });
  client = new Client({ connectionString: services.url });
  await client.connect();
  resources.defer(() => client.end());
  // In the order of their hours, as they come: those of one tenant are far from each other.
  await client.query(`insert into tenant_activity (tenant_id, hour, kind, count)
    select 'tenant ' || tenant, date_trunc('hour', now(), 'UTC') - hour * interval '1 hour', 'sent IN_APP TASK', 1
    from generate_series(2200, 0, -1) hour, generate_series(1, 100) tenant`);
}, 240_000);
afterAll(async () => {
  await resources.disposeAsync();
});

async function expectBounded(use: () => Promise<unknown>, bounds: Bounds): Promise<void> {
  const statements = await recordStatements(use);
  expect(statements).toHaveLength(1);
  for (const statement of statements) {
    for (const mode of ['custom', 'generic'] as const) {
      expect(faultsOf(await explain(client, statement, { mode, scope: asEveryTenant(currentScope) }), bounds)).toEqual(
        [],
      );
    }
  }
}

describe.each([
  ['never analyzed', async () => {}],
  ['analyzed', () => client.query('vacuum (analyze) tenant_activity')],
] as [string, () => Promise<unknown>][])('with 220,000 rows of what tenants did, %s,', (_, prepare) => {
  beforeAll(async () => {
    await prepare();
  });

  test('a tenant’s day is read by its key', async () => {
    await expectBounded(() => activity.of('tenant 7'), A_DAY);
  });

  test('what one instance has counted is written by its key', async () => {
    activity.sent({ tenantId: 'tenant 7', channel: 'EMAIL', type: 'ALERT' });
    await expectBounded(() => activity.flush(), { buffers: 40, sorted: 1 });
  });

  test('what is too old is forgotten in steps, by its hour', async () => {
    await expectBounded(() => retention.forgetActivity(), { buffers: 3000, sorted: 500 });
  });
});
