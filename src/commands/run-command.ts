import { constants } from 'node:os';
import { ConfigError } from '../config.ts';
import { CarillonError } from '../errors.ts';
import { asEveryTenant } from '../scope.ts';
import { UsageError } from './arguments.ts';
import { paintFor } from './terminal/style.ts';

/** Somebody has stopped the command before its end. */
export class Interrupted extends Error {
  /** What shells say of a program that a signal has ended. */
  readonly exitCode: number;

  constructor(signal: 'SIGINT' | 'SIGTERM') {
    super('stopped before the end');
    this.exitCode = 128 + constants.signals[signal];
  }
}

/** On Ctrl-C the terminal signals the whole process group, and npm passes the same signal on a moment later. */
const ECHO_MS = 100;

/**
 * A signal that is aborted, with `Interrupted`, by the first SIGINT or SIGTERM, so that the command can end in order. A
 * second one ends the process at once.
 */
export function stopOnSignals(): AbortSignal {
  const stopping = new AbortController();
  let sinceMs = 0;
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      const interruption = new Interrupted(name);
      if (!stopping.signal.aborted) {
        sinceMs = performance.now();
        stopping.abort(interruption);
      } else if (performance.now() - sinceMs > ECHO_MS) process.exit(interruption.exitCode);
    });
  }
  return stopping.signal;
}

/** Errors of the program itself: where they come from is of use to whoever mends it. */
const isDefect = (error: unknown): boolean =>
  !(error instanceof Error) ||
  [TypeError, RangeError, ReferenceError, SyntaxError].some((kind) => error instanceof kind) ||
  error.name === 'AssertionError';

/** What a failure says to whoever ran the command. */
function describe(error: unknown): string {
  if (isDefect(error)) return error instanceof Error ? (error.stack ?? error.message) : String(error);
  const { message, code, errors } = error as Error & { code?: string; errors?: unknown[] };
  if (error instanceof ConfigError || error instanceof CarillonError || message) return message;
  // Node gathers what became of several addresses, and says nothing itself.
  return code ?? errors?.map(String).join(', ') ?? String(error);
}

/**
 * Runs a command, which resolves to its exit code, and tells on standard error what it throws: 2 with the usage for
 * wrong arguments, 128 and the signal's number for a command that was stopped, else 1. `exits` ends the process even
 * while something still keeps it. Whoever may run one may see everything.
 */
export function runCommand(usage: string, main: () => Promise<number>, { exits = false } = {}): void {
  const paint = paintFor(process.stderr);
  const end = (code: number): void => {
    if (exits) process.exit(code);
    process.exitCode = code;
  };
  asEveryTenant(main).then(end, (error: unknown) => {
    const isUsage = error instanceof UsageError;
    console.error(paint('red', describe(error)) + (isUsage ? `\n\n${usage}` : ''));
    end(isUsage ? 2 : error instanceof Interrupted ? error.exitCode : 1);
  });
}
