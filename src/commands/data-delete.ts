import type { Context } from '../context.ts';
import type { RemovedKind } from '../services/data-removal-steps.ts';
import { removeData } from '../services/data-removal.ts';
import type { DataScope } from '../services/data-scope.ts';
import { confirmByName } from './terminal/confirm.ts';
import { createProgressBar } from './terminal/progress-bar.ts';
import { visible } from './terminal/style.ts';
import { alignedTable } from './terminal/table.ts';

export interface DeleteOptions {
  scope: DataScope;
  /** Does not ask. */
  yes: boolean;
  open: () => Promise<Context>;
  /** Begins to listen for signals: until then they belong to the question. */
  stopOnSignals: () => AbortSignal;
}

/** Deletes everything of the scope, and says how much of what it was. */
export async function runDelete({ scope, yes, open, stopOnSignals }: DeleteOptions): Promise<void> {
  const { tenantId, userId } = scope;
  const named = visible(userId === undefined ? `the tenant ${tenantId}` : `the user ${userId} of ${tenantId}`);
  if (!yes) {
    const question = `This deletes everything that is kept of ${named}. Type ${userId === undefined ? 'its' : 'the user’s'} id: `;
    await confirmByName(question, userId ?? tenantId);
  }
  const signal = stopOnSignals();
  await using context = await open();
  using bar = createProgressBar();
  const removed = await removeData(scope, {
    database: context.database,
    onProgress: (progress) => bar.show(progress),
    signal,
  });
  bar[Symbol.dispose]();
  printRemoved(removed);
  console.log(removed.size === 0 ? `nothing was kept of ${named}` : `deleted everything of ${named}`);
}

function printRemoved(removed: ReadonlyMap<RemovedKind, number>): void {
  if (!process.stdout.isTTY) {
    for (const [kind, count] of removed) console.log(`${kind}\t${count}`);
    return;
  }
  const rows = [...removed].map(([kind, count]) => [kind, count.toLocaleString('en-US')]);
  if (rows.length > 0) console.log(alignedTable(rows, (column) => column === 1));
}
