import { type FileHandle, open as openFile, rm } from 'node:fs/promises';
import { createChannels } from '../channels/index.ts';
import type { Context } from '../context.ts';
import { exportData } from '../services/data-export.ts';
import type { DataScope } from '../services/data-scope.ts';
import { createProgressBar } from './terminal/progress-bar.ts';
import { visible } from './terminal/style.ts';

export interface ExportOptions {
  scope: DataScope;
  /** A file; standard output when absent. */
  out: string | undefined;
  open: () => Promise<Context>;
  signal: AbortSignal;
}

/** Prints everything of the scope, or writes it to a new file that nobody else may read. No file is left of a failure. */
export async function runExport({ scope, out, open, signal }: ExportOptions): Promise<void> {
  await using context = await open();
  if (out === undefined) {
    // What becomes of a write is told to its callback.
    process.stdout.on('error', () => {});
    await exportTo(context, scope, { write: print, signal });
    return;
  }
  const file = await createFile(out);
  try {
    using bar = createProgressBar();
    const counts = await exportTo(context, scope, {
      write: (lines) => file.appendFile(lines),
      onProgress: (kind, lines) => bar.show({ text: `${kind}, ${lines.toLocaleString('en-US')} lines so far` }),
      signal,
    });
    await file.sync();
    bar[Symbol.dispose]();
    const lines = [...counts.values()].reduce((sum, count) => sum + count, 0);
    console.log(visible(`wrote ${lines.toLocaleString('en-US')} lines to ${out}, beside the first and the last`));
  } catch (error) {
    await rm(out, { force: true });
    throw error;
  } finally {
    await file.close();
  }
}

async function createFile(path: string): Promise<FileHandle> {
  try {
    return await openFile(path, 'wx', 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new Error(`${visible(path)} is there already: nothing was written`, { cause: error });
  }
}

async function exportTo(
  { config, logger, database }: Context,
  scope: DataScope,
  options: Pick<Parameters<typeof exportData>[1], 'write' | 'onProgress' | 'signal'>,
): Promise<Map<string, number>> {
  await using channels = createChannels(config, logger);
  const tenantChannels = channels.names.filter((name) => channels.get(name)?.audience === 'tenant');
  const counts = await exportData(scope, { database, tenantChannels, ...options });
  if (counts.size === 0) console.error('nothing is kept there');
  return counts;
}

/** Resolves when the reader has taken it. */
const print = (lines: string): Promise<void> =>
  new Promise((resolve, reject) => {
    process.stdout.write(lines, (error) => (error ? reject(error) : resolve()));
  });
