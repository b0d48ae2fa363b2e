import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Topics } from '../../src/pubsub/topics.ts';
import { createLogger } from '../../src/logger.ts';
import { Metrics } from '../../src/metrics/metrics.ts';
import { NO_EPOCH } from '../../src/services/cursor.ts';
import { Hub } from '../../src/services/hub.ts';
import { InboxLog } from '../../src/services/inbox-log.ts';
import { InboxReplays } from '../../src/services/inbox-replay.ts';
import { type TestApp, person, startApp } from '../support/app.ts';
import { sendTo } from './connect.ts';
import { ofEveryTenant } from '../support/every-tenant.ts';

let app: TestApp;

beforeAll(async () => {
  app = await startApp();
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

/** Topics of an instance that hears nothing of what others publish. */
const deafTopics: Topics = {
  publish() {},
  subscribe: async () => async () => {},
  onRestored() {},
  ping: async () => {},
  async [Symbol.asyncDispose]() {},
};

test('a listener that has read further than its feed has heard is told when that is deleted', async () => {
  const { database } = app.app.context;
  await using own = new Hub({
    topics: deafTopics,
    log: new InboxLog(database),
    replays: new InboxReplays(database),
    metrics: new Metrics(),
    logger: createLogger({ level: 'silent', format: 'json' }),
    maxWaitingEvents: 10,
    sweepIntervalMs: 3_600_000,
  });
  const hub = ofEveryTenant(own);
  const ada = person();
  const address = { tenantId: ada.tenantId, userId: ada.id };
  await sendTo(app, ada);
  const early = await hub.listen(address);
  const unheard = await sendTo(app, ada);
  const ahead = await hub.listen(address, { after: { epoch: NO_EPOCH, version: 0 } });
  await ahead.next();
  expect((await ahead.next()).value).toMatchObject({ kind: 'added', notification: { id: unheard['id'] } });
  const told = ahead.next();
  await app.rest('DELETE', `/api/v1/notifications/${unheard['id']}`, { token: ada.token });
  await hub.sweep();
  expect((await told).value).toMatchObject({ kind: 'deleted', ids: [unheard['id']] });
  await Promise.all([early.return(), ahead.return()]);
});
