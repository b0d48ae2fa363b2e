import { tuneForServing } from './runtime-settings.ts';
import type { App } from './app.ts';
import { type Config, ConfigError, loadConfig } from './config.ts';
import { type Logger, createLogger } from './logger.ts';
import type { Workers } from './workers/primary.ts';

function readConfig(): Config {
  try {
    return loadConfig();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.faults.join('\n')}\n`);
    process.exit(1);
  }
}

/**
 * A second signal means "at once". But on Ctrl-C the terminal signals the whole process group, and npm passes the same
 * signal on a moment later: what comes within this time is an echo.
 */
const ECHO_MS = 100;

/** A primary of workers serves nothing itself: it starts sooner, and is smaller, without what only they need. */
async function start(config: Config, logger: Logger): Promise<App | Workers> {
  if (config.workers > 1) {
    const { startWorkers } = await import('./workers/primary.ts');
    return startWorkers(config, logger);
  }
  const { createApp } = await import('./app.ts');
  const { processMetrics } = await import('./metrics/process-metrics.ts');
  processMetrics();
  const app = await createApp(config, { logger });
  void app.warmUp();
  return app;
}

async function main(): Promise<void> {
  const config = readConfig();
  const logger = createLogger({ level: config.logLevel, format: config.logFormat });

  let stopping: number | undefined;
  let stop = (_exitCode: number): void => {};
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      const now = performance.now();
      if (stopping !== undefined) {
        if (now - stopping < ECHO_MS) return;
        process.exit(1);
      }
      stopping = now;
      logger.info(`${signal}: draining, for up to ${config.shutdownTimeout} ms`);
      stop(0);
    });
  }

  const app = await start(config, logger).catch((error: unknown): never => {
    const reason = error instanceof Error ? error.message : String(error);
    logger.fatal({ err: error }, `Carillon could not start: ${reason}`);
    process.exit(1);
  });
  tuneForServing();
  stop = (exitCode) => {
    // Nothing may keep the process: what is acknowledged is stored by then.
    const late = setTimeout(() => {
      logger.warn('stopping took too long; what is left is cut off');
      process.exit(exitCode);
    }, config.shutdownTimeout);
    app[Symbol.asyncDispose]().then(
      () => {
        clearTimeout(late);
        logger.info('stopped');
        process.exit(exitCode);
      },
      (error: unknown) => {
        logger.error({ err: error }, 'stopping failed');
        process.exit(1);
      },
    );
  };
  app.onLost((error) => {
    logger.fatal({ err: error }, 'the embedded database is gone');
    if (stopping === undefined) stop(1);
  });
  if (stopping !== undefined) stop(0);
}

await main();
