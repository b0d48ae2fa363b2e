import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Config } from '../config.ts';
import type { Logger } from '../logger.ts';
import { connectEmbeddedPostgres, startEmbeddedPostgres } from './embedded-postgres.ts';

/** Where the data is, and for as long as it is held the embedded server runs. */
export interface Storage extends AsyncDisposable {
  readonly url: string;
  /** Whether the database is the embedded one. */
  readonly embedded: boolean;
  /** Called when the database is lost for good while it is held. */
  onLost(callback: (error: Error) => void): void;
}

/**
 * The database of the settings: the one at DATABASE_URL, or the embedded one in DATA_DIR. The server owns the embedded
 * one alone; commands (`exclusive: false`) may come beside it.
 */
export async function openStorage(
  { databaseUrl, dataDir }: Pick<Config, 'databaseUrl' | 'dataDir'>,
  logger: Logger,
  { exclusive }: { exclusive: boolean },
): Promise<Storage> {
  if (databaseUrl) {
    return { url: databaseUrl, embedded: false, onLost() {}, async [Symbol.asyncDispose]() {} };
  }
  const directory = resolve(dataDir);
  if (!exclusive) {
    const server = await connectEmbeddedPostgres({ directory, logger });
    return { url: server.url, embedded: true, onLost() {}, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
  }
  const server = await startEmbeddedPostgres({ directory, logger });
  return {
    url: server.url,
    embedded: true,
    onLost: (callback) => server.onExit(callback),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

const SECRET_FILE = 'jwt-secret';
const SECRET_BYTES = 48;

/** The secret that the embedded mode signs with when no key is configured: made once, kept beside the data. */
export async function localSecret(dataDir: string): Promise<string> {
  const directory = resolve(dataDir);
  const path = join(directory, SECRET_FILE);
  // Passable, as the embedded server's own user has to reach its data inside; the secret itself is not readable.
  await mkdir(directory, { recursive: true, mode: 0o711 });
  try {
    const file = await open(path, 'wx', 0o600);
    await file.writeFile(randomBytes(SECRET_BYTES).toString('base64url'));
    await file.close();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return readFile(path, 'utf8');
}
