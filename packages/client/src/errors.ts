/** Codes of the server, and `UNREACHABLE`: there was no answer. */
export type ErrorCode =
  | 'UNAUTHENTICATED'
  | 'FORBIDDEN'
  | 'NOT_FOUND'
  | 'BAD_USER_INPUT'
  | 'CONFLICT'
  | 'RATE_LIMITED'
  | 'UNAVAILABLE'
  | 'INTERNAL_SERVER_ERROR'
  | 'UNREACHABLE';

interface Details {
  /** The input that is wrong, with `BAD_USER_INPUT`. */
  readonly field?: string | undefined;
  /** How many seconds to wait before the next attempt. */
  readonly retryAfter?: number | undefined;
  readonly cause?: unknown;
}

/** Why something was not done. */
export class CarillonError extends Error {
  override readonly name = 'CarillonError';
  readonly code: ErrorCode;
  readonly field: string | undefined;
  readonly retryAfter: number | undefined;

  constructor(code: ErrorCode, message: string, { field, retryAfter, cause }: Details = {}) {
    super(message, { cause });
    this.code = code;
    this.field = field;
    this.retryAfter = retryAfter;
  }
}

/** A GraphQL error as it comes over the wire. */
interface WireError {
  readonly message: string;
  readonly extensions?: { readonly code?: ErrorCode; readonly field?: string; readonly retryAfter?: number };
}

export function fromWire(errors: readonly WireError[]): CarillonError {
  const [{ message, extensions: { code, field, retryAfter } = {} } = { message: 'The answer is empty.' }] = errors;
  return new CarillonError(code ?? 'INTERNAL_SERVER_ERROR', message, { field, retryAfter });
}

/** Why a socket ended: a close event, errors of its operation, or whatever the token callback threw. */
export function fromSocket(reason: unknown): CarillonError {
  if (reason instanceof CarillonError) return reason;
  if (Array.isArray(reason)) return fromWire(reason);
  if (reason instanceof Error) return new CarillonError('UNREACHABLE', reason.message, { cause: reason });
  const { code, reason: text } = (reason ?? {}) as { code?: number; reason?: string };
  if (code === 4403) return new CarillonError('UNAUTHENTICATED', text || 'The token is not valid.', { cause: reason });
  return new CarillonError('UNREACHABLE', text || 'The server cannot be reached.', { cause: reason });
}
