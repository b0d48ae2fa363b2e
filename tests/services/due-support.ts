import { loadConfig } from '../../src/config.ts';
import { createLogger } from '../../src/logger.ts';
import { createInProcessTopics } from '../../src/pubsub/in-process.ts';
import { DueWork } from '../../src/services/due-work.ts';
import type { Hub } from '../../src/services/hub.ts';
import { InboxDepartures } from '../../src/services/inbox-departures.ts';
import { createRules } from '../../src/services/notification-rules.ts';
import { ScheduledSends } from '../../src/services/scheduled-sends.ts';
import { TEST_SECRET } from '../support/app.ts';
import { createHub } from './hub-support.ts';
import type { Services } from './support.ts';

const HOUR_MS = 3_600_000;

export interface Due extends AsyncDisposable {
  readonly hub: Hub;
  readonly scheduled: ScheduledSends;
  /** Does all that is due by now. */
  run(): Promise<void>;
}

/** One instance's part in what has a time of its own, on the services' database, with a hub of its own; when it is told to. */
export function createDueWork(
  services: Pick<Services, 'database' | 'log' | 'replays'>,
  env: Record<string, string> = {},
): Due {
  const resources = new AsyncDisposableStack();
  const { database } = services;
  const config = loadConfig({ JWT_SECRET: TEST_SECRET, ...env });
  const topics = resources.use(createInProcessTopics());
  const hub = resources.use(createHub(topics, services));
  const activity = { sent: () => {} };
  const scheduled = new ScheduledSends({ database, config, rules: createRules(config, ['IN_APP']), hub, activity });
  const departures = new InboxDepartures(database);
  const logger = createLogger({ level: 'silent', format: 'json' });
  const work = resources.use(
    new DueWork({ database, scheduled, departures, hub, logger, deliver: () => {}, everyMs: HOUR_MS }),
  );
  return { hub, scheduled, run: () => work.run(), [Symbol.asyncDispose]: () => resources.disposeAsync() };
}
