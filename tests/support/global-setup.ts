import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '../../src/database/embedded-postgres.ts';
import { migrate } from '../../src/database/migrate.ts';
import { hasSystemd, nginx, systemdAnalyze } from '../deploy/programs.ts';
import { databaseUrl, withClient } from './postgres.ts';
import { findProgram } from './programs.ts';
import { startReaper } from './reaper.ts';
import { startRedis } from './redis.ts';
import { temporaryDirectory } from './temporary.ts';

/** Where the teardown finds what the setup started: both run in the process that starts the test workers. */
export const servicesKey = Symbol.for('carillon.test.services');

const chromium = {
  names: ['chromium', 'chromium-browser', 'google-chrome'],
  debian: 'chromium',
  alpine: 'chromium',
  homebrew: '--cask chromium',
};

/**
 * Starts the run's PostgreSQL (unless TEST_DATABASE_URL names one, with the right to create databases) and Redis,
 * migrates the template that tests clone, and sees to it that there is a Chromium. Test files find them through environment variables.
 */
export default async function globalSetup(): Promise<void> {
  const services = new AsyncDisposableStack();
  try {
    // What the browser tests look at, and the pages of the server: of the present sources.
    execFileSync(process.execPath, [join(import.meta.dirname, '../../scripts/build.ts')], { stdio: 'inherit' });
    process.env['CHROMIUM_PATH'] ??= findProgram(chromium);
    // Once for all: two test files that install something at the same time would lock each other out.
    findProgram(nginx);
    if (hasSystemd) findProgram(systemdAnalyze);
    const directory = await temporaryDirectory('carillon-test-');
    services.defer(() => rm(directory, { recursive: true, force: true }));
    // Tests start some two hundred servers and commands, for which loading the modules is most of the work.
    process.env['NODE_COMPILE_CACHE'] = join(directory, 'compile-cache');
    await startReaper(services, directory);
    const redis = services.use(await startRedis(directory));
    process.env['TEST_REDIS_URL'] = redis.url;
    const given = process.env['TEST_DATABASE_URL'];
    const { adminUrl, ownerUrl } =
      given === undefined
        ? await startPostgres(services, directory)
        : { adminUrl: given, ownerUrl: await createOwner(services, given) };
    process.env['TEST_POSTGRES_ADMIN_URL'] = adminUrl;
    process.env['TEST_POSTGRES_OWNER_URL'] = ownerUrl;
    process.env['TEST_POSTGRES_TEMPLATE'] = await createTemplate(services, adminUrl, ownerUrl);
    Object.assign(globalThis, { [servicesKey]: services });
  } catch (error) {
    await services.disposeAsync();
    throw error;
  }
}

async function startPostgres(
  services: AsyncDisposableStack,
  directory: string,
): Promise<{ adminUrl: string; ownerUrl: string }> {
  const logger = { info: () => {}, warn: console.warn, error: console.error };
  const postgres = services.use(
    await startEmbeddedPostgres({
      directory: join(directory, 'database'),
      logger,
      // Nothing in it outlives the run. Several test files are connected at once, each with a pool.
      settings: {
        fsync: 'off',
        synchronous_commit: 'off',
        full_page_writes: 'off',
        max_wal_size: '128MB',
        max_connections: 400,
      },
    }),
  );
  return { adminUrl: postgres.adminUrl, ownerUrl: postgres.url };
}

/** A role of the run's own that is bound by row-level security. */
async function createOwner(services: AsyncDisposableStack, adminUrl: string): Promise<string> {
  const url = new URL(adminUrl);
  url.username = `carillon_owner_${randomBytes(6).toString('hex')}`;
  url.password = randomBytes(12).toString('hex');
  await withClient(adminUrl, async (client) => {
    await client.query(`CREATE ROLE ${url.username} LOGIN PASSWORD '${url.password}'`);
    // Databases are given only to roles that one may be.
    await client.query(`GRANT ${url.username} TO CURRENT_USER`);
  });
  services.defer(async () => {
    await withClient(adminUrl, (client) => client.query(`DROP ROLE ${url.username}`));
  });
  return url.href;
}

async function createTemplate(services: AsyncDisposableStack, adminUrl: string, ownerUrl: string): Promise<string> {
  // Runs may share a server that TEST_DATABASE_URL names.
  const shared = process.env['TEST_DATABASE_URL'] !== undefined;
  const name = shared ? `carillon_template_${randomBytes(6).toString('hex')}` : 'carillon_template';
  const owner = new URL(ownerUrl).username;
  await withClient(adminUrl, (client) =>
    client.query(`CREATE DATABASE ${name} ENCODING 'UTF8' TEMPLATE template0 OWNER ${owner}`),
  );
  if (shared) services.defer(() => dropTemplate(adminUrl, name));
  await migrate(databaseUrl(ownerUrl, name));
  // A template that someone is connected to cannot be cloned.
  await withClient(adminUrl, (client) => client.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS false`));
  return name;
}

/** Drops the template with the clones that tests have left. */
async function dropTemplate(adminUrl: string, template: string): Promise<void> {
  await withClient(adminUrl, async (client) => {
    const { rows } = await client.query<{ datname: string }>(
      "SELECT datname FROM pg_database WHERE datname = $1 OR starts_with(datname, $1 || '_')",
      [template],
    );
    for (const { datname } of rows) await client.query(`DROP DATABASE IF EXISTS ${datname} WITH (FORCE)`);
  });
}
