import { Client } from 'pg';

/** What became of a connection, in words for people; anything else says it itself. */
const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'there is no host of that name',
  EAI_AGAIN: 'the name of the host cannot be looked up now',
  ETIMEDOUT: 'it does not answer',
  EHOSTUNREACH: 'there is no way to that host',
  ENETUNREACH: 'there is no way to that network',
  ECONNRESET: 'the connection was cut',
};

/**
 * Makes sure that a PostgreSQL answers and takes its role and password, before anything else is tried with it.
 *
 * @throws Error that says what is wrong with DATABASE_URL, without the password in it.
 */
export async function reachDatabase(url: string, timeoutMs: number): Promise<void> {
  if (!/^postgres(ql)?:/.test(url) || !URL.canParse(url)) {
    throw new Error('DATABASE_URL must be a URL with postgres: or postgresql:');
  }
  const client = new Client({
    connectionString: url,
    connectionTimeoutMillis: timeoutMs,
    application_name: 'carillon-command',
  });
  try {
    await client.connect();
  } catch (error) {
    const { code = '', message } = error as Error & { code?: string };
    const reason = REASONS[code] ?? (message === 'timeout expired' ? REASONS['ETIMEDOUT'] : message || code);
    const { host, port, database } = client;
    throw new Error(`DATABASE_URL: no connection to ${database ?? ''} at ${host}:${port}: ${reason}`, { cause: error });
  } finally {
    await client.end().catch(() => undefined);
  }
}
