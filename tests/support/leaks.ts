import { setTimeout as delay } from 'node:timers/promises';
import { expect } from '@jest/globals';
import { eventually } from './eventually.ts';

const LOOKS = 20;
const LOOK_AGAIN_MS = 5;

/** What keeps, or could keep, this process alive: sockets, servers, timers, requests under way, by kind and number. */
function activeResources(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

/** Those that are always there: the test runner has short timers of its own, which would hide others. */
async function lastingResources(): Promise<Map<string, number>> {
  let least = activeResources();
  for (let look = 1; look < LOOKS; look += 1) {
    await delay(LOOK_AGAIN_MS);
    const now = activeResources();
    least = new Map([...least].map(([kind, count]) => [kind, Math.min(count, now.get(kind) ?? 0)]));
  }
  return least;
}

/** Runs `use` and waits until no more resources are active than before it. Fails with the kinds of those that stay. */
export async function expectNoLeaks(use: () => Promise<void>): Promise<void> {
  const before = await lastingResources();
  await use();
  const leaked = (): string[] =>
    [...activeResources()].filter(([kind, count]) => count > (before.get(kind) ?? 0)).map(([kind]) => kind);
  await eventually(() => leaked().length === 0).catch(() => expect(leaked()).toEqual([]));
}
