import { Counter, Registry } from 'prom-client';
import type { ErrorCode } from '../errors.ts';
import type { Buckets } from './buckets.ts';
import { DoorMeter, type Door, doors } from './door-meter.ts';
import { type Readings, exposeCounter, exposeGauge, exposeHistogram, only } from './expose.ts';
import { BatchMeter, OperationMeter, StreamMeter, operationTypes } from './meters.ts';
import { processMetrics } from './process-metrics.ts';

/** What may be refused for being too much, and where that is noticed. */
export type Limit =
  | 'user'
  | 'tenant'
  | 'address'
  | 'user_connections'
  | 'tenant_connections'
  | 'address_connections'
  | 'login_name'
  | 'login_address'
  | 'login_queue';
export type LimitedDoor = Door | 'rest' | 'graphql' | 'upgrade';

/** Every metric of a process, as prom-client says it; crosses between processes as JSON. */
export type Snapshot = Awaited<ReturnType<Registry['getMetricsAsJSON']>>;

/**
 * What this process counts, for operators; docs/statistics.md is the list. Counting costs next to nothing, never waits
 * and never fails. No label holds anything that a client chooses, nor a tenant or a user: their number is bounded.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly doors: Readonly<Record<Door, DoorMeter>> = {
    graphql_ws: new DoorMeter(),
    legacy_ws: new DoorMeter(),
    sse: new DoorMeter(),
  };
  readonly streams = new StreamMeter();
  readonly batches = new BatchMeter();
  readonly operations = new OperationMeter();
  /** Users with a live connection to this process. */
  onlineUsers = 0;
  readonly #sends: Counter<'channel' | 'type' | 'outcome'>;
  readonly #refusedSends: Counter<'code'>;
  readonly #deliveries: Counter<'channel' | 'outcome'>;
  readonly #limited: Counter<'limit' | 'door'>;

  constructor() {
    const registers = [this.#registry];
    this.#sends = new Counter({
      name: 'carillon_sends_total',
      help: 'Sends: ok came to an inbox, repeated was answered with what its idempotency key had made.',
      labelNames: ['channel', 'type', 'outcome'],
      registers,
    });
    this.#refusedSends = new Counter({
      name: 'carillon_sends_refused_total',
      help: 'Sends that were refused, by the code of the error.',
      labelNames: ['code'],
      registers,
    });
    this.#deliveries = new Counter({
      name: 'carillon_deliveries_total',
      help: 'Attempts to deliver by an external channel, by what became of them.',
      labelNames: ['channel', 'outcome'],
      registers,
    });
    this.#limited = new Counter({
      name: 'carillon_rate_limited_total',
      help: 'What was refused because a user, a tenant or an address asked for too much, by the limit and the door.',
      labelNames: ['limit', 'door'],
      registers,
    });
    this.#exposeDoors();
    this.#exposeServices();
  }

  /** A notification of this kind came to an inbox, or was there already by its idempotency key. */
  sent({ channel, type }: { readonly channel: string; readonly type: string }, outcome: 'ok' | 'repeated'): void {
    this.#sends.inc({ channel, type, outcome });
  }

  sendRefused(code: ErrorCode): void {
    this.#refusedSends.inc({ code });
  }

  /** An external channel made an attempt; the outcome is one of a few words, in lower case. */
  delivered(channel: string, outcome: string): void {
    this.#deliveries.inc({ channel, outcome });
  }

  limited(limit: Limit, door: LimitedDoor): void {
    this.#limited.inc({ limit, door });
  }

  /** What everything stands at now. */
  async snapshot(): Promise<Snapshot> {
    for (const door of doors) this.doors[door].alignClock();
    const both = [this.#registry, processMetrics()];
    return (await Promise.all(both.map((registry) => registry.getMetricsAsJSON()))).flat();
  }

  #exposeDoors(): void {
    const byDoor = <T>(of: (meter: DoorMeter) => T) => {
      return (): Readings<T> => doors.map((door) => [{ door }, of(this.doors[door])]);
    };
    exposeGauge(this.#registry, {
      name: 'carillon_online_users',
      help: 'Users with a live connection. One who is connected to several processes is counted by each of them.',
      read: () => only(this.onlineUsers),
    });
    exposeGauge(this.#registry, {
      name: 'carillon_connections',
      help: 'Live connections.',
      read: byDoor(({ open }) => open),
    });
    exposeHistogram(this.#registry, {
      name: 'carillon_connection_duration_seconds',
      help: 'How long connections that have ended had lasted.',
      read: byDoor(({ lifetimes }) => lifetimes),
    });
    exposeCounter(this.#registry, {
      name: 'carillon_pushes_total',
      help: 'Events for live connections: delivered were written, failed were not, as the connection was closing, broken or too slow.',
      read: () =>
        doors.flatMap((door): Readings<number> => {
          const { delivered, failed } = this.doors[door];
          return [
            [{ door, outcome: 'delivered' }, delivered],
            [{ door, outcome: 'failed' }, failed],
          ];
        }),
    });
    exposeHistogram(this.#registry, {
      name: 'carillon_delivery_latency_seconds',
      help: 'From the commit of a change of an inbox to its write to a live connection.',
      read: byDoor(({ latency }) => latency),
    });
    exposeCounter(this.#registry, {
      name: 'carillon_slow_consumers_total',
      help: 'Readers of live events that were ended because they did not read.',
      read: byDoor(({ slow }) => slow),
    });
  }

  #exposeServices(): void {
    exposeCounter(this.#registry, {
      name: 'carillon_resumes_total',
      help: 'Streams of an inbox that went on after a cursor.',
      read: () => only(this.streams.resumes),
    });
    exposeCounter(this.#registry, {
      name: 'carillon_resets_total',
      help: 'Readers of an inbox that were told to fetch anew, by the reason.',
      read: () => [...this.streams.resets].map(([reason, count]) => [{ reason }, count]),
    });
    exposeHistogram(this.#registry, {
      name: 'carillon_send_batch_size',
      help: 'Sends that shared a statement.',
      read: () => only(this.batches.sizes),
    });
    exposeGauge(this.#registry, {
      name: 'carillon_sends_waiting',
      help: 'Sends that wait for a statement.',
      read: () => only(this.batches.waiting()),
    });
    exposeGauge(this.#registry, {
      name: 'carillon_send_statements_in_flight',
      help: 'Statements under way that store sends.',
      read: () => only(this.batches.inFlight),
    });
    exposeHistogram(this.#registry, {
      name: 'carillon_graphql_operation_duration_seconds',
      help: 'Time that GraphQL operations took; that of a subscription ends when it has begun.',
      read: () =>
        operationTypes.flatMap((type): Readings<Buckets> => {
          const { ok, error } = this.operations.times[type];
          return [
            [{ type, outcome: 'ok' }, ok],
            [{ type, outcome: 'error' }, error],
          ];
        }),
    });
    exposeCounter(this.#registry, {
      name: 'carillon_graphql_refusals_total',
      help: 'GraphQL operations that were not executed: not valid, beyond a limit, or without the token that they need.',
      read: () => only(this.operations.refusals),
    });
  }
}
