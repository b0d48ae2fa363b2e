import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '../src/database/embedded-postgres.ts';
import { migrate } from '../src/database/migrate.ts';
import { encodeCursor } from '../src/services/cursor.ts';
import { withClient } from '../tests/support/postgres.ts';
import { startReaper } from '../tests/support/reaper.ts';
import { type Cores, keepTo, shareCores } from './cores.ts';
import { LoadProcess } from './load-process.ts';
import { FILL, TABLE } from './naive/store.ts';
import { fillInboxes } from './fill-inboxes.ts';
import { ServerProcess } from './server-process.ts';

export type Kind = 'carillon' | 'naive';

export const TENANT = 'bench';

const quiet = { info() {}, warn() {}, error() {} };

/** Load comes from one address, and one user has all connections: what guards against that is off. */
const CARILLON = {
  RATE_LIMITS: 'off',
  MAX_CONNECTIONS_PER_USER: '1000000',
  LOG_LEVEL: 'warn',
  LOG_FORMAT: 'json',
};

const SCRIPTS = { carillon: 'src/main.ts', naive: 'bench/naive/server.ts' } as const;

/**
 * Everything that is needed to measure, in a temporary folder: a PostgreSQL that syncs its disk, a database for each kind
 * of server, and a process that makes the load. Nothing is left of it, however this process ends.
 */
export class Stage implements AsyncDisposable {
  readonly secret = randomBytes(48).toString('base64url');
  readonly cores: Cores | undefined;
  readonly load: LoadProcess;
  /** What PostgreSQL calls its version. */
  readonly postgresVersion: string;
  readonly #directory: string;
  readonly #urls: Record<Kind, string>;
  readonly #adminUrl: string;
  readonly #resources: AsyncDisposableStack;
  #started = 0;

  private constructor(parts: {
    cores: Cores | undefined;
    load: LoadProcess;
    postgresVersion: string;
    directory: string;
    urls: Record<Kind, string>;
    adminUrl: string;
    resources: AsyncDisposableStack;
  }) {
    this.cores = parts.cores;
    this.load = parts.load;
    this.postgresVersion = parts.postgresVersion;
    this.#directory = parts.directory;
    this.#urls = parts.urls;
    this.#adminUrl = parts.adminUrl;
    this.#resources = parts.resources;
  }

  static async open(): Promise<Stage> {
    await using opening = new AsyncDisposableStack();
    const directory = await mkdtemp(join(tmpdir(), 'carillon-bench-'));
    opening.defer(() => rm(directory, { recursive: true, force: true }));
    // Root's PostgreSQL runs as another user, who has to pass through.
    await chmod(directory, 0o711);
    await startReaper(opening, directory);
    const cores = shareCores();
    const postgres = opening.use(
      await startEmbeddedPostgres({ directory: join(directory, 'database'), logger: quiet }),
    );
    keepTo(postgres.pid, cores?.others);
    const carillon = new URL(postgres.url);
    const naive = new URL(postgres.url);
    naive.pathname = '/naive';
    const postgresVersion = await withClient(postgres.adminUrl, async (client) => {
      await client.query(`create database naive owner ${carillon.username}`);
      const { rows } = await client.query<{ server_version: string }>('show server_version');
      return rows[0]!.server_version;
    });
    await migrate(carillon.href);
    await withClient(naive.href, (client) => client.query(TABLE));
    const load = opening.use(new LoadProcess(cores?.others));
    const urls = { carillon: carillon.href, naive: naive.href };
    const { adminUrl } = postgres;
    return new Stage({ cores, load, postgresVersion, directory, urls, adminUrl, resources: opening.move() });
  }

  /** A new process of a server, on the database of its kind as it is. */
  start(kind: Kind): Promise<ServerProcess> {
    this.#started += 1;
    return ServerProcess.start({
      name: `${kind}-${this.#started}`,
      script: SCRIPTS[kind],
      env: { DATABASE_URL: this.#urls[kind], JWT_SECRET: this.secret, ...(kind === 'carillon' ? CARILLON : {}) },
      directory: this.#directory,
      cores: this.cores?.server,
    });
  }

  /** Gives an inbox so many notifications more, every second one unread. */
  async fill(kind: Kind, userId: string, rows: number): Promise<void> {
    await withClient(this.#urls[kind], async (client) => {
      if (kind === 'carillon') await fillInboxes(client, { tenantId: TENANT, userIds: [userId], rowsEach: rows });
      else {
        await client.query(FILL, [TENANT, userId, rows]);
        await client.query('vacuum (analyze) notification');
      }
    });
  }

  /** Gives many inboxes of Carillon so many notifications more each. */
  async fillMany(userIds: readonly string[], rowsEach: number): Promise<void> {
    await withClient(this.#urls.carillon, (client) => fillInboxes(client, { tenantId: TENANT, userIds, rowsEach }));
  }

  /** The cursor of a version of an inbox of Carillon. */
  async cursorOf(userId: string, version: number): Promise<string> {
    return withClient(this.#urls.carillon, async (client) => {
      const { rows } = await client.query<{ epoch: string }>(
        'select epoch from inbox where tenant_id = $1 and user_id = $2',
        [TENANT, userId],
      );
      return encodeCursor(rows[0]!.epoch, version);
    });
  }

  /** Writes out what is waiting to be, so that it does not fall into what is measured next. */
  async rest(): Promise<void> {
    await withClient(this.#adminUrl, (client) => client.query('checkpoint'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }
}
