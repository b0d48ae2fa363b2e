import { AsyncLocalStorage } from 'node:async_hooks';
import { type DestinationStream, type Logger, pino } from 'pino';
import { build as prettyStream } from 'pino-pretty';

export type { Logger } from 'pino';

export interface LoggerOptions {
  level: string;
  /** `pretty`: one line of words a message, for people. `json`: one object a line, for collectors. */
  format: 'json' | 'pretty';
  /** Where the lines go; standard output by default. */
  destination?: DestinationStream;
}

/** What is under way: the fields that every line gets which is written in its course. Known ones may be added meanwhile. */
export interface LogScope {
  /** What the caller was told as `X-Request-Id`: of one request, or of a socket for as long as it lives. */
  readonly requestId: string;
  readonly door: string;
  tenantId?: string;
  userId?: string;
  /** Of the trace that it is part of, where traces are made. */
  traceId?: string;
}

const scopes = new AsyncLocalStorage<LogScope | undefined>();

/** Does the work, and whatever that begins, in a scope; without one, apart from that which is under way. */
export const inLogScope = <T>(scope: LogScope | undefined, work: () => T): T => scopes.run(scope, work);

/** The scope that this is called in. */
export const currentLogScope = (): LogScope | undefined => scopes.getStore();

/** Field names whose values are secrets wherever they turn up in a logged object. */
const SECRET_FIELDS = ['token', 'authorization', 'password', 'access_token', 'refresh_token', 'secret'];

/**
 * A pino logger. Secrets in well-known fields are replaced before a line is written; a message comes after its fields'
 * source, so that a `pretty` line ends with the words of the message.
 */
export function createLogger({ level, format, destination }: LoggerOptions): Logger {
  const options = {
    level,
    base: null,
    // A copy: pino writes into it.
    mixin: () => ({ ...currentLogScope() }),
    redact: { paths: SECRET_FIELDS.flatMap((name) => [name, `*.${name}`]), censor: '[redacted]' },
  };
  // In turn, as it happens: otherwise a line that is still being written is overtaken by a fatal one, which never waits.
  if (format === 'json') return pino(options, destination ?? pino.destination({ fd: process.stdout.fd, sync: true }));
  return pino(
    options,
    prettyStream({
      translateTime: 'SYS:HH:MM:ss.l',
      singleLine: true,
      colorize: destination === undefined && process.stdout.isTTY,
      sync: true,
      ...(destination ? { destination } : {}),
    }),
  );
}
