import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { OwnedServer, type PostgresLogger } from './owned-postgres.ts';
import { findPostgresBinaries } from './postgres-binaries.ts';
import { createCluster, findPostgresHome, readPassword, type PostgresHome } from './postgres-home.ts';
import {
  findPostmaster,
  isPostmasterAlive,
  logTail,
  spawnPostmaster,
  stopPostmaster,
  type Postmaster,
  type PostgresSettings,
} from './postgres-process.ts';
import { connectWhenReady, takeLock, urlsOf } from './postgres-session.ts';
import { createDatabase } from './server-role.ts';

export type { PostgresLogger } from './owned-postgres.ts';
export type { PostgresSettings } from './postgres-process.ts';

export interface EmbeddedPostgresOptions {
  /** Where the data lives; made if missing. Relative paths start at the working directory. */
  readonly directory: string;
  readonly logger: PostgresLogger;
  /** PostgreSQL settings for this start, over the defaults, such as `{ fsync: 'off' }`. */
  readonly settings?: PostgresSettings;
}

/** A way into a running embedded server. */
export interface EmbeddedPostgresConnection extends AsyncDisposable {
  /** The application's database, for its owner: `postgres://carillon_server:…@127.0.0.1:port/carillon`. */
  readonly url: string;
  /** The maintenance database of the same server, for its superuser. */
  readonly adminUrl: string;
  readonly pid: number;
}

/** An embedded server this process owns. Disposing of it stops the server and resolves when it is gone. */
export interface EmbeddedPostgres extends EmbeddedPostgresConnection {
  /** Calls back once if the server, or its ownership, is lost other than by disposal; also when it already is. */
  onExit(callback: (error: Error) => void): void;
}

/** Another living process owns the embedded server of this directory. */
export class EmbeddedPostgresInUseError extends Error {
  override readonly name = 'EmbeddedPostgresInUseError';

  constructor(directory: string) {
    super(`DATA_DIR ${directory} is in use by another running Carillon`);
  }
}

const START_PATIENCE_MS = 10_000; // for ports, lock files and shared memory that are about to become free
const POLL_MS = 20;

/**
 * Starts the embedded PostgreSQL of a directory, creating it at the first start, or adopts the one that a
 * killed owner left running there. The caller owns it alone until disposal.
 * Throws `EmbeddedPostgresInUseError` when another living process owns it, and errors that say what to do when
 * it cannot run here or does not start (with the end of its log).
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { directory, logger, settings = {} } = options;
  const home = await findPostgresHome(directory);
  if (!home.path.startsWith(home.directory)) {
    logger.info(
      { path: home.path },
      `the embedded database lives in ${home.path}, because its user ${home.account?.name} cannot reach ${home.directory}`,
    );
  }
  if (!home.exists) {
    logger.info({ path: home.path }, 'creating the embedded database');
    await createCluster(home, await findPostgresBinaries(home), settings['fsync'] !== 'off');
  }
  const password = await readPassword(home);
  const startDeadline = Date.now() + START_PATIENCE_MS;
  for (;;) {
    const server = (await joinServer(home, password)) ?? (await startServer(home, password, settings));
    if (server === undefined) {
      if (Date.now() > startDeadline) throw new Error(`PostgreSQL does not start: ${await logTail(home)}`);
      await delay(POLL_MS);
      continue;
    }
    const { client, postmaster, started } = server;
    const outcome = await takeLock(client);
    if (outcome === 'taken') {
      const owned = new OwnedServer(home, postmaster, password, client, logger);
      await createDatabase(client, password).catch(async (error: unknown) => {
        await owned[Symbol.asyncDispose]();
        throw error;
      });
      const details = { postgresPid: postmaster.pid, postgresPort: postmaster.port };
      logger.info(details, started ? 'embedded database started' : 'adopted the embedded database of a killed process');
      return owned;
    }
    await client.end().catch(() => undefined);
    // Closed by the server: its owner is stopping it, so that this start gets the next turn.
    if (outcome === 'held') throw new EmbeddedPostgresInUseError(directory);
  }
}

/**
 * Opens the embedded PostgreSQL of a directory for a command-line tool: the running one as a guest, beside its
 * owner, or one started (and at disposal stopped) just for this. Throws like `startEmbeddedPostgres`.
 */
export async function connectEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgresConnection> {
  const guest = async (): Promise<EmbeddedPostgresConnection | undefined> => {
    const home = await findPostgresHome(options.directory);
    if (!home.exists) return undefined;
    const password = await readPassword(home);
    const server = await joinServer(home, password);
    if (server === undefined) return undefined;
    await createDatabase(server.client, password);
    await server.client.end();
    return {
      ...urlsOf(server.postmaster.port, password),
      pid: server.postmaster.pid,
      async [Symbol.asyncDispose]() {},
    };
  };
  const running = await guest();
  if (running !== undefined) return running;
  try {
    return await startEmbeddedPostgres(options);
  } catch (error) {
    const started = error instanceof EmbeddedPostgresInUseError ? await guest() : undefined;
    if (started === undefined) throw error;
    return started;
  }
}

interface ReadyServer {
  readonly postmaster: Postmaster;
  readonly client: pg.Client;
  readonly started: boolean;
}

async function joinServer(home: PostgresHome, password: string): Promise<ReadyServer | undefined> {
  const postmaster = await findPostmaster(home.data);
  if (postmaster === undefined) return undefined;
  const isAlive = (): Promise<boolean> => isPostmasterAlive(postmaster.pid, home.data);
  const client = await connectWhenReady(urlsOf(postmaster.port, password).adminUrl, isAlive, home);
  return client && { postmaster, client, started: false };
}

/** Resolves to nothing when the server gave way to something that may pass: then it is worth another try. */
async function startServer(
  home: PostgresHome,
  password: string,
  settings: PostgresSettings,
): Promise<ReadyServer | undefined> {
  const postmaster = await spawnPostmaster(home, await findPostgresBinaries(home), settings);
  const { child } = postmaster;
  const isAlive = async (): Promise<boolean> => child.exitCode === null && child.signalCode === null;
  try {
    const client = await connectWhenReady(urlsOf(postmaster.port, password).adminUrl, isAlive, home);
    if (client !== undefined) return { postmaster, client, started: true };
  } catch (error) {
    await stopPostmaster(postmaster.pid, home);
    throw error;
  }
  const log = await logTail(home);
  const mayPass = /could not bind|could not create any TCP|lock file "postmaster\.pid" already exists|is still in use/;
  if (mayPass.test(log) || (await findPostmaster(home.data)) !== undefined) return undefined;
  throw new Error(`PostgreSQL does not start (exit ${child.exitCode ?? child.signalCode}): ${log}`);
}
