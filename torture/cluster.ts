import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../src/database/embedded-postgres.ts';
import { startReaper } from '../tests/support/reaper.ts';
import { type TestRedis, startRedis } from '../tests/support/redis.ts';
import { Instance } from './instance.ts';
import { type Link, openLink } from './proxy.ts';
import { freePort } from '../src/database/free-port.ts';

export const JWT_SECRET = 'a secret of the torture, longer than 32 bytes';

/** One server with its three links; everything that reaches it or that it reaches goes through one of them. */
export interface Node {
  readonly instance: Instance;
  readonly clients: Link;
  readonly redis: Link;
  readonly postgres: Link;
  /** Where clients find it: through its link. */
  readonly url: string;
}

const NODES = 2;

const SETTINGS = {
  JWT_SECRET,
  SWEEP_INTERVAL: '2s',
  RATE_LIMITS: 'off',
  MAX_CONNECTIONS_PER_USER: '100000',
  DATABASE_TIMEOUT: '3s',
  SHUTDOWN_TIMEOUT: '5s',
  GRAPHQL_PING_INTERVAL: '6s',
  LEGACY_PING_INTERVAL: '6s',
  LEGACY_IDLE_TIMEOUT: '12s',
  LOG_LEVEL: 'info',
  LOG_FORMAT: 'json',
};

const quiet = { info() {}, warn() {}, error() {} };

/** A PostgreSQL that syncs its disk, a Redis, and two servers on them, all in a temporary folder of their own. */
export class Cluster implements AsyncDisposable {
  readonly directory: string;
  readonly nodes: readonly Node[];
  readonly #resources: AsyncDisposableStack;
  #postgres: EmbeddedPostgres;
  #redis: TestRedis;
  #keepsLogs = false;

  constructor(
    directory: string,
    nodes: readonly Node[],
    services: { postgres: EmbeddedPostgres; redis: TestRedis },
    resources: AsyncDisposableStack,
  ) {
    this.directory = directory;
    this.nodes = nodes;
    this.#postgres = services.postgres;
    this.#redis = services.redis;
    this.#resources = resources;
  }

  /** PostgreSQL itself, past the links. */
  get databaseUrl(): string {
    return this.#postgres.url;
  }

  /** Redis itself, likewise. */
  get redisUrl(): string {
    return this.#redis.url;
  }

  get redisPid(): number {
    return this.#redis.pid;
  }

  /** Ends PostgreSQL, `SIGINT` fast or `SIGQUIT` without a checkpoint, and starts it again on the same files. */
  async restartPostgres(signal: 'SIGINT' | 'SIGQUIT', awayMs: number): Promise<void> {
    process.kill(this.#postgres.pid, signal);
    await this.#postgres[Symbol.asyncDispose]();
    await delay(awayMs);
    this.#postgres = await startDatabase(this.directory);
    for (const { postgres } of this.nodes) postgres.targetPort = Number(new URL(this.#postgres.url).port);
  }

  /** Kills Redis and starts it again, empty, on the same port. */
  async restartRedis(awayMs: number): Promise<void> {
    const { port } = this.#redis;
    await this.#redis[Symbol.asyncDispose]();
    await delay(awayMs);
    this.#redis = await startRedis(this.directory, port);
  }

  heal(): void {
    for (const { clients, redis, postgres } of this.nodes) for (const link of [clients, redis, postgres]) link.heal();
  }

  /** Leaves the folder with its logs behind. */
  keepLogs(): void {
    this.#keepsLogs = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.heal();
    await Promise.all(this.nodes.map(({ instance }) => instance[Symbol.asyncDispose]()));
    await Promise.all(this.nodes.flatMap(({ clients, redis, postgres }) => [clients, redis, postgres].map(close)));
    await Promise.all([this.#redis[Symbol.asyncDispose](), this.#postgres[Symbol.asyncDispose]()]);
    if (!this.#keepsLogs) await rm(this.directory, { recursive: true, force: true });
    await this.#resources.disposeAsync();
  }
}

const close = (link: Link): Promise<void> => link[Symbol.asyncDispose]();

/** Starts everything; resolves when both servers accept connections. */
export async function startCluster(): Promise<Cluster> {
  await using resources = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'carillon-torture-'));
  // Root's PostgreSQL runs as another user, who has to pass through.
  await chmod(directory, 0o711);
  await startReaper(resources, directory);
  await using services = new AsyncDisposableStack();
  const redis = services.use(await startRedis(directory));
  const postgres = services.use(await startDatabase(directory));
  const nodes = await Promise.all(
    Array.from({ length: NODES }, (_, index) => openNode(`instance-${index}`, directory, postgres.url, redis.port)),
  );
  services.move();
  const cluster = new Cluster(directory, nodes, { postgres, redis }, resources.move());
  for (const { instance } of nodes) instance.start();
  await Promise.all(nodes.map(({ instance }) => instance.listening()));
  return cluster;
}

async function openNode(name: string, directory: string, databaseUrl: string, redisPort: number): Promise<Node> {
  const port = await freePort();
  const database = new URL(databaseUrl);
  const [clients, redis, postgres] = await Promise.all([port, redisPort, Number(database.port)].map(openLink));
  if (!clients || !redis || !postgres) throw new Error('a link is missing');
  database.port = String(postgres.port);
  const env = {
    ...SETTINGS,
    PORT: String(port),
    DATABASE_URL: database.href,
    REDIS_URL: `redis://127.0.0.1:${redis.port}`,
  };
  const instance = new Instance({ name, directory, env });
  return { instance, clients, redis, postgres, url: `http://127.0.0.1:${clients.port}` };
}

const startDatabase = (directory: string): Promise<EmbeddedPostgres> =>
  startEmbeddedPostgres({ directory: join(directory, 'database'), logger: quiet });
