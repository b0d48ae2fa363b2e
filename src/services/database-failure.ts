import { CarillonError } from '../errors.ts';

/** SQLSTATE classes that blame the row, not the moment: data exceptions and integrity violations. */
const ROW_AT_FAULT = /^(22|23)/;

/**
 * Connection failures, logins that are refused, a database that is missing (being restored), no resources, operator
 * intervention (time-outs, restarts), system errors; read-only standby.
 */
const PASSING = /^(08|28|3D|53|57|58|25006|40)/;

const NETWORK = /^(ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EHOSTUNREACH|ENETUNREACH|EAI_AGAIN)/;

const MESSAGES = /timeout exceeded when trying to connect|Connection terminated|connection timeout|Query read timeout/i;

const codeOf = (error: unknown): string => {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
};

export const isRowAtFault = (error: unknown): boolean => ROW_AT_FAULT.test(codeOf(error));

/**
 * What a caller is told when a statement failed: UNAVAILABLE with a time to wait when it may work again soon, else the
 * error itself, which every door masks.
 */
function databaseFailure(error: unknown): unknown {
  if (error instanceof CarillonError) return error;
  const code = codeOf(error);
  const passing =
    PASSING.test(code) || NETWORK.test(code) || MESSAGES.test(error instanceof Error ? error.message : '');
  if (!passing) return error;
  return new CarillonError('UNAVAILABLE', 'The database cannot be reached right now. Try again in a moment.', {
    retryAfterSeconds: 1,
    cause: error,
  });
}

/** Awaits work on the database, and names a passing failure as such. */
export async function reachDatabase<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw databaseFailure(error);
  }
}
