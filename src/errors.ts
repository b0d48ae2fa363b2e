/**
 * Every refusal that Carillon can answer with, and what it is called on each door.
 *
 * `code` is the GraphQL `extensions.code`, the REST `reason` and the legacy socket's `code`; `http` is the REST status
 * (and the GraphQL status where a whole request is refused).
 */
export const errorKinds = {
  UNAUTHENTICATED: { http: 401 },
  FORBIDDEN: { http: 403 },
  NOT_FOUND: { http: 404 },
  METHOD_NOT_ALLOWED: { http: 405 },
  BAD_USER_INPUT: { http: 400 },
  CONFLICT: { http: 409 },
  PAYLOAD_TOO_LARGE: { http: 413 },
  UNSUPPORTED_MEDIA_TYPE: { http: 415 },
  RATE_LIMITED: { http: 429 },
  INTERNAL_SERVER_ERROR: { http: 500 },
  UNAVAILABLE: { http: 503 },
} as const satisfies Record<string, { http: number }>;

export type ErrorCode = keyof typeof errorKinds;

/** What an unexpected failure says to a caller: nothing that helps an attacker. The cause goes to the log. */
export const MASKED_MESSAGE = 'Something went wrong on our side. The failure has been logged.';

/** WebSocket close codes of both sockets (RFC 6455 section 7.4, the graphql-transport-ws protocol, and our own). */
export const closeCodes = {
  /** The server is draining: reconnect, elsewhere if you can. */
  goingAway: 1001,
  /** A binary frame where one JSON text frame was expected. */
  unsupportedData: 1003,
  /** A frame beyond the limit; sent by the WebSocket library itself. */
  messageTooBig: 1009,
  internalError: 1011,
  /** Too slow, or too many connections: come back later, with a cursor. */
  tryAgainLater: 1013,
  /** Legacy socket: the token expired or was revoked. */
  legacyUnauthorized: 4401,
  /** graphql-transport-ws: missing, bad, expired or revoked token. Its clients refresh and retry on 4403. */
  graphqlForbidden: 4403,
} as const;

export interface CarillonErrorOptions {
  /** The input field that is wrong, in the caller's GraphQL spelling (`recipientId`). */
  field?: string | undefined;
  /** Seconds to wait before trying again. */
  retryAfterSeconds?: number | undefined;
  /** Milliseconds for which the answer is kept back. */
  holdMs?: number;
  cause?: unknown;
}

/** A refusal meant for the caller: its message is safe to show and says what to do. */
export class CarillonError extends Error {
  readonly code: ErrorCode;
  readonly field: string | undefined;
  readonly retryAfterSeconds: number | undefined;
  readonly holdMs: number;

  constructor(code: ErrorCode, message: string, options: CarillonErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CarillonError';
    this.code = code;
    this.field = options.field;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.holdMs = options.holdMs ?? 0;
  }

  get httpStatus(): number {
    return errorKinds[this.code].http;
  }
}

export const badInput = (field: string, message: string): CarillonError =>
  new CarillonError('BAD_USER_INPUT', message, { field });

export const notFound = (what: string): CarillonError => new CarillonError('NOT_FOUND', `No such ${what}.`);

/** Of a server that is about to end: another one, or the next one, will do. */
export const shuttingDown = (): CarillonError =>
  new CarillonError('UNAVAILABLE', 'This server is shutting down. Connect again.', { retryAfterSeconds: 1 });

export const unauthenticated = (message: string): CarillonError => new CarillonError('UNAUTHENTICATED', message);

export const forbidden = (message: string): CarillonError => new CarillonError('FORBIDDEN', message);
