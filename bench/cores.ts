import { spawnSync } from 'node:child_process';

/** Which processor cores are whose. */
export interface Cores {
  /** The server's own. */
  readonly server: string;
  /** Those of the load and of PostgreSQL. */
  readonly others: string;
}

/**
 * A core for the server alone, so that it is the server that is measured, and the rest for what is around it. Nothing
 * when there is only one core to share, or no `taskset` (which is Linux's).
 */
export function shareCores(): Cores | undefined {
  const { status, stdout } = spawnSync('taskset', ['-cp', String(process.pid)], { encoding: 'utf8' });
  if (status !== 0) return undefined;
  const allowed = coresIn(stdout.slice(stdout.lastIndexOf(':') + 1));
  const [first, ...rest] = allowed;
  return first === undefined || rest.length === 0 ? undefined : { server: String(first), others: rest.join(',') };
}

/** "0,2-4" is 0, 2, 3, 4. */
export function coresIn(list: string): number[] {
  return list.split(',').flatMap((part) => {
    const [from = Number.NaN, to = from] = part.split('-').map(Number);
    return Number.isNaN(from) ? [] : Array.from({ length: to - from + 1 }, (_, index) => from + index);
  });
}

/** Keeps a process, with all its threads and those that it starts, to some cores. */
export function keepTo(pid: number, cores: string | undefined): void {
  if (cores === undefined) return;
  const { status, stderr } = spawnSync('taskset', ['-a', '-cp', cores, String(pid)], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`taskset failed: ${stderr}`);
}

/**
 * Lets the first thread of a process, and all that it starts, go before what else runs on its cores, but for what has a
 * higher priority: real-time scheduling of Linux (sched(7)), as any other still leaves others a time slice of
 * milliseconds. Tells whether it may; root may.
 */
export function goFirst(pid: number, priority: number): boolean {
  return spawnSync('chrt', ['--rr', '--pid', String(priority), String(pid)]).status === 0;
}
