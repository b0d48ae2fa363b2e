import { type Aggregator, Registry, collectDefaultMetrics } from 'prom-client';

let registry: Registry | undefined;

/** How what prom-client would leave out, or average away, comes out of several processes. */
function aggregatorOf(name: string): Aggregator | undefined {
  if (name === 'process_start_time_seconds') return 'min';
  return name.startsWith('nodejs_eventloop_lag_') && name !== 'nodejs_eventloop_lag_min_seconds' ? 'max' : undefined;
}

/**
 * CPU, memory, garbage collection and the lag of the event loop: of this process, whatever runs in it. They are measured
 * from the first call on, and cannot be stopped.
 */
export function processMetrics(): Registry {
  if (registry) return registry;
  registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const metric of registry.getMetricsAsArray()) {
    const aggregator = aggregatorOf(metric.name);
    if (aggregator) metric.aggregator = aggregator;
  }
  return registry;
}
