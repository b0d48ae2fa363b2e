import { connectDatabase } from '../../src/database/database.ts';
import type { Topics } from '../../src/pubsub/topics.ts';
import type { Caller } from '../../src/services/caller.ts';
import { Metrics } from '../../src/metrics/metrics.ts';
import { Presence } from '../../src/services/presence.ts';
import { type Connection, Connections } from '../../src/transports/connections.ts';
import { silent } from './live-support.ts';
import { ofEveryTenant } from '../support/every-tenant.ts';

export interface InstanceOptions {
  sweepIntervalMs?: number;
  timeoutMs?: number;
  maxWaitingEvents?: number;
}

/** One instance: its presence, and the connections that it counts. */
export interface TestInstance extends AsyncDisposable {
  readonly presence: Presence;
  readonly connections: Connections;
  /** Lets a connection of the caller in; ends it when called. */
  connect(caller: Caller): () => void;
}

const HOUR_MS = 3_600_000;

export async function openInstance(
  url: string,
  topics: Topics,
  { sweepIntervalMs = HOUR_MS, timeoutMs = 20_000, maxWaitingEvents = 256 }: InstanceOptions = {},
): Promise<TestInstance> {
  const database = await connectDatabase({ url, poolMax: 4, timeoutMs, rowLevelSecurity: false });
  const presence = ofEveryTenant(
    new Presence({
      config: { defaultPageSize: 20, maxPageSize: 100, maxWaitingEvents, sweepInterval: sweepIntervalMs },
      database,
      topics,
      logger: silent,
    }),
  );
  const connections = new Connections({
    maxConnectionsPerUser: 100,
    isRevoked: () => false,
    metrics: new Metrics(),
    onCount: (user, count, before) => presence.counted(user, count, before),
  });
  presence.follow(connections);
  return {
    presence,
    connections,
    connect(caller) {
      const connection: Connection = {
        door: 'legacy_ws',
        caller,
        address: '',
        end: () => {},
        cutOff: () => {},
      };
      connections.open(connection);
      return () => connections.closed(connection);
    },
    async [Symbol.asyncDispose]() {
      connections[Symbol.dispose]();
      await presence[Symbol.asyncDispose]();
      await database.close(true);
    },
  };
}
