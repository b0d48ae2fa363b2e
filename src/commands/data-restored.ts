import type { Context } from '../context.ts';
import { isServed } from '../services/data-removal.ts';
import { drawNewEpochs } from '../services/new-epochs.ts';
import { createProgressBar } from './terminal/progress-bar.ts';

export interface RestoredOptions {
  open: () => Promise<Context>;
  signal: AbortSignal;
}

/**
 * Gives every log a new epoch.
 *
 * @throws Error while a server works on the database: its clients would be told too late.
 */
export async function runRestored({ open, signal }: RestoredOptions): Promise<void> {
  await using context = await open();
  if (await isServed(context.database)) {
    throw new Error('a server works on this database, or did so within the last 15 seconds: stop all, and try again');
  }
  using bar = createProgressBar();
  const { inboxes, logs } = await drawNewEpochs({
    database: context.database,
    onProgress: (done, all) =>
      bar.show({
        text: `${done.toLocaleString('en-US')} of ${all.toLocaleString('en-US')} logs`,
        share: all === 0 ? 1 : done / all,
      }),
    signal,
  });
  bar[Symbol.dispose]();
  console.log(`gave new epochs to inboxes: ${inboxes}, logs of receipts: ${logs}`);
}
