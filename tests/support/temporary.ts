import { mkdtemp, chmod, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MEMORY_NEEDED_BYTES = 2 * 1024 ** 3;

/**
 * Where the tests' databases go: in memory where there is room. To clone a template is some 300 files, which take 25 ms
 * there and up to 250 ms on a disk; to make an embedded database takes half the time.
 */
export async function temporaryBase(): Promise<string> {
  const memory = await statfs('/dev/shm').catch(() => undefined);
  if (memory !== undefined && memory.bavail * memory.bsize > MEMORY_NEEDED_BYTES) return '/dev/shm';
  // A TMPDIR of root's own may be closed to the user that PostgreSQL runs as.
  return process.getuid?.() === 0 ? '/tmp' : tmpdir();
}

/** A new folder in `temporaryBase` that PostgreSQL's user can pass through: root's PostgreSQL runs as another one. */
export async function temporaryDirectory(prefix: string): Promise<string> {
  const directory = await mkdtemp(join(await temporaryBase(), prefix));
  await chmod(directory, 0o711);
  return directory;
}
