import { createApp } from './app.ts';
import { type Config, ConfigError, loadConfig } from './config.ts';
import { createLogger } from './logger.ts';
import { startWorkers } from './workers/primary.ts';

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

  const starting = config.workers > 1 ? startWorkers(config, logger) : createApp(config, { logger });
  const app = await starting.catch((error: unknown): never => {
    const reason = error instanceof Error ? error.message : String(error);
    logger.fatal({ err: error }, `Carillon could not start: ${reason}`);
    process.exit(1);
  });
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
