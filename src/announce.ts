import type { Config } from './config.ts';
import type { Logger } from './logger.ts';
import { DEMO_PASSWORD, DEMO_TENANT, demoUsers, isLoopback } from './services/demo.ts';

/** What a server says at its start. The last line tells that it listens. */
export function announce(logger: Logger, url: string, demo: boolean, config: Config): void {
  const { host, databaseUrl, dataDir, redisUrl, workers } = config;
  const within = workers > 1 ? `among the ${workers} workers of one instance` : 'in-process, for one instance';
  logger.info(databaseUrl ? 'database: the PostgreSQL of DATABASE_URL' : `database: embedded PostgreSQL in ${dataDir}`);
  logger.info(`pub/sub: ${redisUrl ? 'Redis' : `${within} (set REDIS_URL for more)`}`);
  if (demo) {
    const names = demoUsers.map(({ username, roles }) => `${username} (${roles.join(', ')})`).join(', ');
    logger.info(`demo tenant "${DEMO_TENANT}", password "${DEMO_PASSWORD}", users ${names}`);
    if (!isLoopback(host)) {
      logger.warn('the demo users can be reached from other machines; set DEMO=off, or DATABASE_URL');
    }
  }
  logger.info(`console ${url}/`);
  logger.info(`GraphQL and GraphiQL ${url}/graphql`);
  logger.info(`REST ${url}/api/v1, described by ${url}/api/v1/openapi.json`);
  logger.info(`legacy socket ${url.replace(/^http/, 'ws')}/api/v1/notifications/ws`);
  logger.info(`listening on ${url}`);
}
