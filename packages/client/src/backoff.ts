const FIRST_MS = 500;
const MOST_MS = 30_000;

/**
 * How long to wait before the next attempt, after so many that failed: it doubles up to half a minute. Half of it is left
 * to chance, so that the clients of a server that was restarted do not all come back at the same moment.
 */
export function backoffMs(failures: number): number {
  const full = Math.min(FIRST_MS * 2 ** Math.min(failures - 1, 10), MOST_MS);
  return full / 2 + Math.random() * (full / 2);
}
