import { setTimeout as delay } from 'node:timers/promises';
import { type Fault, type FaultName, type Part, type Stage, faults } from './faults.ts';

/** At most this many faults at once, each about another part: something is always left standing. */
const MOST_AT_ONCE = 2;

/**
 * Strikes fault upon fault until the signal, one about every `everyMs`; resolves when all of them have passed. Kinds
 * come in rounds, each in an order of its own, so that even a short run sees most of them. A kind whose part is still
 * broken waits for its next turn.
 */
export async function storm(
  stage: Stage,
  { everyMs, kinds }: { everyMs: number; kinds: readonly FaultName[] },
  onFault: (name: FaultName) => void,
): Promise<void> {
  const { random, signal } = stage;
  const broken = new Map<Part, Promise<void>>();
  let round: FaultName[] = [];
  while (!signal.aborted) {
    await delay(random.between(everyMs * 0.5, everyMs * 1.5), undefined, { signal }).catch(() => {});
    while (!signal.aborted && broken.size >= MOST_AT_ONCE) await Promise.race(broken.values());
    if (signal.aborted) break;
    if (round.length === 0) round = random.shuffle(kinds);
    const at = round.findIndex((name) => !broken.has(faults[name].part));
    if (at < 0) {
      await Promise.race(broken.values());
      continue;
    }
    const [name] = round.splice(at, 1) as [FaultName];
    const fault: Fault = faults[name];
    onFault(name);
    broken.set(
      fault.part,
      fault.strike(stage).finally(() => broken.delete(fault.part)),
    );
  }
  await Promise.all(broken.values());
}
