import { CarillonError } from '../errors.ts';

/** SQLSTATE classes that blame the row, not the moment: data exceptions and integrity violations. */
const ROW_AT_FAULT = /^(22|23)/;

/**
 * Connection failures, logins that are refused, a database that is missing (being restored), no resources, operator
 * intervention (time-outs, restarts), system errors, transactions that lost against others; read-only standby; a plan
 * that a migration has made stale.
 */
const PASSING = /^(08|28|3D|53|57|58|25006|40|0A000$)/;

const SQLSTATE = /^(?!E)[0-9A-Z]{5}$/;

/** Codes of Node's for the network and for streams that have ended; its other ERR_ codes are for faults of a program. */
const NETWORK = /^E(?!RR_)|^ERR_(STREAM|SOCKET)/;

const codeOf = (error: unknown): string => {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
};

/**
 * Whether it may work again soon. What PostgreSQL says has an SQLSTATE. What has none comes of the way there: a network
 * failure, with a code of Node's, or a plain Error, which is how the driver and its pool tell of connections that are
 * gone, time-outs and a protocol that broke off. Faults of a program are of other classes.
 */
function isPassing(error: unknown): boolean {
  const code = codeOf(error);
  if (SQLSTATE.test(code)) return PASSING.test(code);
  if (code !== '') return NETWORK.test(code);
  return error instanceof Error && Object.getPrototypeOf(error) === Error.prototype;
}

export const isRowAtFault = (error: unknown): boolean => ROW_AT_FAULT.test(codeOf(error));

/**
 * What a caller is told when a statement failed: UNAVAILABLE with a time to wait when it may work again soon, else the
 * error itself, which every door masks.
 */
function databaseFailure(error: unknown): unknown {
  if (error instanceof CarillonError) return error;
  if (!isPassing(error)) return error;
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
