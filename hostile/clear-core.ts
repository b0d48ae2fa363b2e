import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import type { Cores } from '../bench/cores.ts';

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
 * What is kept to the server's core already stays there. Call it once the server and the others have their cores.
 */
export function clearCore({ server, others }: Cores): Disposable {
  const moved = new Map<string, string>();
  const were = new Set<string>();
  for (const pid of processes()) {
    const cores = coresOf(pid);
    if (cores === others) were.add(pid);
    else if (cores !== undefined && cores !== server && move(pid, others)) moved.set(pid, cores);
  }
  const [before] = moved.values();
  return {
    [Symbol.dispose]() {
      for (const pid of processes()) {
        // What has been started meanwhile has the cores of what started it.
        if (coresOf(pid) === others && !were.has(pid)) move(pid, moved.get(pid) ?? before ?? others);
      }
    },
  };
}
