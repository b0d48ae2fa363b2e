import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { type Cores, coresIn } from '../bench/cores.ts';

/** The cores on which a process may run, as "0,2-4"; nothing when it has ended. */
export function coresOf(pid: string): string | undefined {
  try {
    return /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  } catch {
    return undefined;
  }
}

const processes = (): string[] => readdirSync('/proc').filter((name) => /^\d+$/.test(name));

/** Tells whether it may: others' processes only by root, and what belongs to a core by nobody. */
function move(pid: string, cores: string): boolean {
  return spawnSync('taskset', ['-a', '-cp', cores, pid]).status === 0;
}

/**
 * Keeps all that runs on this machine, the kernel's threads too, off the server's core until it is disposed. Otherwise what
 * the machine does beside the trial takes the server's core as soon as a hostile client makes the others busy, and only then.
 * What is kept to the server's core alone stays there. Call it once the server and the others have their cores.
 *
 * @param list the ids of the processes that it is about, now and when it is disposed
 * @throws Error when there are no cores to share.
 */
export function clearCore(cores: Cores | undefined, list = processes): Disposable {
  if (cores === undefined) throw new Error('there are no cores to share, so none to clear');
  const { server } = cores;
  const known = new Map(list().map((pid) => [pid, coresIn(coresOf(pid) ?? '')]));
  const moved: string[] = [];
  for (const [pid, its] of known) {
    const rest = its.filter((core) => core !== Number(server));
    if (rest.length > 0 && rest.length < its.length && move(pid, rest.join(','))) moved.push(pid);
  }
  return {
    [Symbol.dispose]() {
      for (const pid of moved) move(pid, known.get(pid)!.join(','));
      // What has been started meanwhile has the cores of what started it.
      for (const pid of list().filter((id) => !known.has(id))) {
        const its = coresOf(pid);
        if (its !== undefined && !coresIn(its).includes(Number(server))) move(pid, `${its},${server}`);
      }
    },
  };
}
