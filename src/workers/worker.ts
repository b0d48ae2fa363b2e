// One of the processes of `WORKERS`: what `startWorkers` forks.
import { tuneForServing } from '../runtime-settings.ts';
import cluster from 'node:cluster';
import type { App } from '../app.ts';
import type { Config } from '../config.ts';
import { Asking } from './asking.ts';
import type { Order, Report } from './messages.ts';

// The primary says when to stop: on Ctrl-C the terminal signals every process of its group. It comes before all else, as
// loading the server takes a while. That the worker ends with its primary is Node's own doing: it exits when the channel
// closes.
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => {});

const tell = (report: Report): Promise<void> =>
  new Promise((resolve) => {
    process.send?.(report, undefined, undefined, () => resolve());
  });

async function main(): Promise<void> {
  const started = Promise.withResolvers<Config>();
  const stopped = Promise.withResolvers<void>();
  let app: App | undefined;
  let asking: Asking | undefined;
  process.on('message', (order: Order) => {
    if (order.kind === 'start') started.resolve(order.config);
    if (order.kind === 'stop') stopped.resolve();
    if (app) void asking?.take(order, app.context.metrics);
  });
  const [{ createApp }, { createLogger }] = await Promise.all([import('../app.ts'), import('../logger.ts')]);
  const { processMetrics } = await import('../metrics/process-metrics.ts');
  const config = await started.promise;
  const logger = createLogger({ level: config.logLevel, format: config.logFormat }).child({
    worker: cluster.worker?.id,
  });
  asking = new Asking(config.workers, (report) => void tell(report));
  const { gather } = asking;
  app = await createApp(config, { logger, quiet: true, gather, demo: config.demo === 'on' }).catch(
    async (error: unknown): Promise<never> => {
      const { message, stack } = error instanceof Error ? error : new Error(String(error));
      await tell({ kind: 'failed', reason: message, stack });
      process.exit(1);
    },
  );
  tuneForServing();
  processMetrics();
  await tell({ kind: 'ready', url: app.url });
  await app.warmUp();
  await stopped.promise;
  try {
    await app[Symbol.asyncDispose]();
  } catch (error) {
    logger.error({ err: error }, 'stopping failed');
    process.exit(1);
  }
  process.exit(0);
}

await main();
