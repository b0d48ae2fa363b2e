import { open } from 'node:fs/promises';
import { type ParseArgsConfig, type ParseArgsOptionsConfig, parseArgs } from 'node:util';

/** What is wrong with the arguments of a command: it is told with the usage, and the exit code is 2. */
export class UsageError extends Error {}

/**
 * The arguments of a command, every option with `--help` and `-h` beside it.
 *
 * @throws UsageError that names the argument.
 */
export function readArguments<const T extends ParseArgsOptionsConfig>(options: T, { positionals = false } = {}) {
  const config = {
    options: { ...options, help: { type: 'boolean', short: 'h' } as const },
    allowPositionals: positionals,
    strict: true,
  } as const satisfies ParseArgsConfig;
  try {
    return parseArgs(config);
  } catch (error) {
    const { code, message } = error as Error & { code?: string };
    if (!code?.startsWith('ERR_PARSE_ARGS')) throw error;
    // What follows the first sentence is about arguments that begin with a dash, and of no use to most.
    throw new UsageError(message.split(/\. |\n/, 1)[0]?.replace(/\.$/, ''));
  }
}

/** An option that must be there. @throws UsageError */
export function required(name: string, value: string | undefined): string {
  if (!value) throw new UsageError(`--${name} is needed`);
  return value;
}

/** A whole number above 0, at most `most`. @throws UsageError */
export function whole(name: string, text: string, most = 1_000_000_000): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= 1 && value <= most)) {
    throw new UsageError(`--${name} must be a whole number from 1 to ${most.toLocaleString('en-US')}, not "${text}"`);
  }
  return value;
}

/** A number from `least` to `most`. @throws UsageError */
export function number(name: string, text: string, least: number, most: number): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!(value >= least && value <= most)) {
    throw new UsageError(`--${name} must be a number from ${least} to ${most.toLocaleString('en-US')}, not "${text}"`);
  }
  return value;
}

/** Some of the known names, separated by commas, whatever their case; all when nothing is said. @throws UsageError */
export function someOf<T extends string>(name: string, known: readonly T[], text: string | undefined): readonly T[] {
  if (text === undefined) return known;
  return text.split(',').map((part) => {
    const found = known.find((one) => one.toLowerCase() === part.trim().toLowerCase());
    if (found === undefined) throw new UsageError(`--${name}: "${part.trim()}" is none of: ${known.join(', ')}`);
    return found;
  });
}

/** A file that is written in the end: that it cannot be is better told at the beginning. @throws UsageError */
export async function checkWritable(name: string, file: string): Promise<void> {
  try {
    await (await open(file, 'a')).close();
  } catch (error) {
    throw new UsageError(`--${name}: ${(error as Error).message}`);
  }
}
