import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

const ABANDONED_DRAFT_AGE_MS = 3_600_000;

/**
 * Makes `target` appear complete or not at all: `fill` works in a draft directory beside it, which is then
 * renamed. However many processes do this at once, one draft wins and the others are discarded.
 * Resolves to whether this call's draft won. The parent of `target` must exist.
 */
export async function createDirectoryAtomically(
  target: string,
  fill: (draft: string) => Promise<void>,
): Promise<boolean> {
  await removeAbandonedDrafts(target);
  const draft = `${target}.draft-${randomBytes(6).toString('hex')}`;
  await mkdir(draft);
  try {
    await fill(draft);
    await rename(draft, target);
    await syncDirectory(dirname(target));
    return true;
  } catch (error) {
    const { code, dest } = error as NodeJS.ErrnoException & { dest?: string };
    // Windows reports an existing target as a missing permission.
    const taken = ['ENOTEMPTY', 'EEXIST', 'EPERM', 'EACCES'].includes(code ?? '') && dest === target;
    if (taken && existsSync(target)) return false;
    throw error;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/** A killed process leaves its draft behind; young ones may be another process's work in progress. */
async function removeAbandonedDrafts(target: string): Promise<void> {
  const parent = dirname(target);
  for (const name of await readdir(parent)) {
    if (!name.startsWith(`${basename(target)}.draft-`)) continue;
    const path = join(parent, name);
    const modified = await stat(path).then(
      (stats) => stats.mtimeMs,
      () => Date.now(),
    );
    if (Date.now() - modified > ABANDONED_DRAFT_AGE_MS) await rm(path, { recursive: true, force: true });
  }
}

/** A rename survives a power cut only once its directory is synced. Windows cannot open directories. */
async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  await using handle = await open(path);
  await handle.sync();
}
