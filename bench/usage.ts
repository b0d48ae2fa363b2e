/** What is wrong with the arguments of a command: it is told with the usage, and the exit code is 2. */
export class UsageError extends Error {}

/** A whole number above 0, at most `most`. @throws UsageError */
export function whole(name: string, text: string | undefined, most = 1_000_000_000): number {
  const value = text !== undefined && /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= 1 && value <= most)) {
    throw new UsageError(`--${name} must be a whole number from 1 to ${most.toLocaleString('en-US')}`);
  }
  return value;
}

/** Runs a command, which resolves to its exit code, and tells what it throws. */
export function runCommand(usage: string, main: () => Promise<number>): void {
  main().then(
    (code) => {
      process.exitCode = code;
    },
    (error: unknown) => {
      const isUsage =
        error instanceof UsageError || (error as { code?: string } | null)?.code?.startsWith('ERR_PARSE_ARGS') === true;
      if (isUsage) console.error(`${(error as Error).message}\n\n${usage}`);
      else console.error(error instanceof Error ? error.message || (error as { code?: string }).code : error);
      process.exitCode = isUsage ? 2 : 1;
    },
  );
}
