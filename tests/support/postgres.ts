import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, type DatabaseError } from 'pg';

const OBJECT_IN_USE = '55006';
const CLONE_PATIENCE_MS = 20_000;

export interface TestDatabase extends AsyncDisposable {
  readonly url: string;
}

/**
 * A database of the caller's own with the newest schema and no rows: a clone of the run's template. Disposing of it
 * drops it and ends whatever sessions are left in it. Its `url` is of its owner, who is no superuser: row-level security holds.
 */
export async function createTestDatabase(): Promise<TestDatabase> {
  const adminUrl = setting('TEST_POSTGRES_ADMIN_URL');
  const ownerUrl = setting('TEST_POSTGRES_OWNER_URL');
  const template = setting('TEST_POSTGRES_TEMPLATE');
  const name = `${template}_${randomBytes(6).toString('hex')}`;
  await withClient(adminUrl, (client) => cloneDatabase(client, template, name, new URL(ownerUrl).username));
  return {
    url: databaseUrl(ownerUrl, name),
    async [Symbol.asyncDispose]() {
      await withClient(adminUrl, (client) => client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
    },
  };
}

/** A database of the caller's own with nothing in it; disposing of it drops it likewise. */
export async function createEmptyDatabase(): Promise<TestDatabase> {
  const adminUrl = setting('TEST_POSTGRES_ADMIN_URL');
  const name = `${setting('TEST_POSTGRES_TEMPLATE')}_${randomBytes(6).toString('hex')}`;
  await withClient(adminUrl, (client) => client.query(`CREATE DATABASE ${name} ENCODING 'UTF8' TEMPLATE template0`));
  return {
    url: databaseUrl(adminUrl, name),
    async [Symbol.asyncDispose]() {
      await withClient(adminUrl, (client) => client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
    },
  };
}

async function cloneDatabase(client: Client, template: string, name: string, owner: string): Promise<void> {
  const deadline = Date.now() + CLONE_PATIENCE_MS;
  for (;;) {
    try {
      // Copying through the log needs no checkpoint, so that clones do not wait for each other's.
      await client.query(`CREATE DATABASE ${name} TEMPLATE ${template} STRATEGY = WAL_LOG OWNER ${owner}`);
      return;
    } catch (error) {
      if ((error as DatabaseError).code !== OBJECT_IN_USE || Date.now() > deadline) throw error;
      await delay(50);
    }
  }
}

/** Runs `use` with a connection of its own. */
export async function withClient<T>(connectionString: string, use: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString });
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

/** The address of database `name` on the server that `url` leads to. */
export function databaseUrl(url: string, name: string): string {
  const result = new URL(url);
  result.pathname = `/${name}`;
  return result.href;
}

function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: run the tests through jest.config.js`);
  return value;
}
