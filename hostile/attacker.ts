// The hostile client, a process of its own: does everything at once until it is told to stop, and tells what it was answered.
import { writeFileSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { attacks } from './kinds.ts';
import type { Attack, Target } from './target.ts';

/** How often each kind was answered what. */
export type Answers = Record<string, Record<string, number>>;

export type ToAttacker = { readonly attack: Target; readonly kinds: readonly string[] } | { readonly stop: true };
export type FromAttacker = { readonly answers: Answers };

/** A server that is away, or refuses connections, is not asked without a pause. */
const PAUSE_MS = 20;

async function repeat(name: string, attack: Attack, answers: Answers, target: Target, stopped: AbortSignal) {
  const counts = (answers[name] ??= {});
  while (!stopped.aborted) {
    const answer = await attack.attempt(target, stopped).catch(() => 'no connection');
    counts[answer] = (counts[answer] ?? 0) + 1;
    if (answer === 'no connection' || answer === 'cut off') await delay(PAUSE_MS);
  }
}

/**
 * For where the good clients and the database, which share a core with it, may not be put first (`goFirst`). Linux may
 * share a core out by session (sched(7), autogroup), and then a priority counts within the session only.
 */
function goLast(): void {
  setPriority(constants.priority.PRIORITY_LOW);
  try {
    writeFileSync('/proc/self/autogroup', String(constants.priority.PRIORITY_LOW));
  } catch {
    // There are no such groups.
  }
}

function main(): void {
  goLast();
  const stopping = new AbortController();
  const answers: Answers = {};
  process.on('message', (message: ToAttacker) => {
    if ('stop' in message) {
      stopping.abort();
      // What is still waiting for an answer is not waited for.
      process.send?.({ answers } satisfies FromAttacker, () => process.exit(0));
      return;
    }
    for (const name of message.kinds) {
      const attack = attacks[name]!;
      for (let n = 0; n < attack.width; n += 1) void repeat(name, attack, answers, message.attack, stopping.signal);
    }
  });
  process.on('disconnect', () => process.exit(0));
}

main();
