import { expect } from '@jest/globals';
import { eventually } from './eventually.ts';

/** What keeps, or could keep, this process alive: sockets, servers, timers, requests under way, by kind and number. */
function activeResources(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

/**
 * Runs `use`, and then waits until no more resources are active than before it. Fails with the difference when some
 * stay.
 */
export async function expectNoLeaks(use: () => Promise<void>): Promise<void> {
  const before = activeResources();
  await use();
  const leaked = (): Record<string, number> => {
    const kinds = Object.entries(activeResources());
    return Object.fromEntries(kinds.filter(([kind, count]) => count > (before[kind] ?? 0)));
  };
  await eventually(() => Object.keys(leaked()).length === 0).catch(() => expect(leaked()).toEqual({}));
}
