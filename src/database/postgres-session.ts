import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { EMBEDDED_NAME, type PostgresHome } from './postgres-home.ts';
import { logTail } from './postgres-process.ts';
import { SERVER_ROLE, serverPassword } from './server-role.ts';

const OWNER_LOCK = '4841230701'; // any constant: advisory locks are named by numbers
const LOCK_PATIENCE_MS = 2_000; // PostgreSQL needs a moment to notice that an owner was killed
const READY_PATIENCE_MS = 60_000; // between two signs of life of a starting server
const REFUSAL_PATIENCE_MS = 2_000;
const POLL_MS = 20;
const CANNOT_CONNECT_NOW = '57P03'; // starting or stopping

/** The addresses of the two databases of a server on `port`: the application's for its owner, the other for the superuser. */
export function urlsOf(port: number, password: string): { url: string; adminUrl: string } {
  const server = `127.0.0.1:${port}`;
  return {
    url: `postgres://${SERVER_ROLE}:${serverPassword(password)}@${server}/${EMBEDDED_NAME}`,
    adminUrl: `postgres://${EMBEDDED_NAME}:${password}@${server}/postgres`,
  };
}

/**
 * A connection, as soon as the server accepts one; nothing when the server dies first. A recovery after a crash may
 * last as long as it needs. Throws with the end of the server's log when it refuses, or stays silent for a minute.
 */
export async function connectWhenReady(
  url: string,
  isAlive: () => Promise<boolean>,
  home: PostgresHome,
): Promise<pg.Client | undefined> {
  let deadline = Date.now() + READY_PATIENCE_MS;
  for (;;) {
    try {
      return await connect(url);
    } catch (error) {
      if (!(await isAlive())) return undefined;
      const { code, severity } = error as { code?: string; severity?: string };
      if (code === CANNOT_CONNECT_NOW) {
        deadline = Date.now() + READY_PATIENCE_MS;
      } else if (severity !== undefined) {
        // A refusal stands, but may for a moment come from another server that won the race for the port.
        deadline = Math.min(deadline, Date.now() + REFUSAL_PATIENCE_MS);
      }
      if (Date.now() >= deadline) {
        throw new Error(`PostgreSQL does not accept connections: ${await logTail(home)}`, { cause: error });
      }
    }
    await delay(POLL_MS);
  }
}

async function connect(connectionString: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString,
    application_name: 'carillon owner',
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 30_000,
  });
  // Losing the connection is told by 'end' as well; an unheard 'error' would end the process.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/**
 * Takes the lock that makes its session the owner of the server, trying for 2 s: it is `held` by another session, or
 * the server has `closed` this one.
 */
export async function takeLock(client: pg.Client): Promise<'taken' | 'held' | 'closed'> {
  const deadline = Date.now() + LOCK_PATIENCE_MS;
  for (;;) {
    try {
      const { rows } = await client.query<{ taken: boolean }>(`SELECT pg_try_advisory_lock(${OWNER_LOCK}) AS taken`);
      if (rows[0]?.taken === true) return 'taken';
    } catch (error) {
      if ((error as { severity?: string }).severity !== 'ERROR') return 'closed';
      await client.end();
      throw error;
    }
    if (Date.now() >= deadline) return 'held';
    await delay(POLL_MS);
  }
}
