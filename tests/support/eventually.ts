import { setTimeout as delay } from 'node:timers/promises';

const PATIENCE_MS = 15_000;
const LOOK_AGAIN_MS = 5;

type Falsy = false | undefined | null | '' | 0;

/**
 * Looks again and again until `look` answers with something true, and hands that on. For states that nothing announces;
 * where there is an event, wait for the event. Rejects with the last error, or the last answer, when patience runs out.
 */
export async function eventually<T>(look: () => T | Promise<T>, patienceMs = PATIENCE_MS): Promise<Exclude<T, Falsy>> {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    let failure: unknown;
    try {
      const seen = await look();
      if (seen) return seen as Exclude<T, Falsy>;
      failure = new Error(`it did not come true within ${patienceMs} ms; last seen: ${String(seen)}`);
    } catch (error) {
      failure = error;
    }
    if (Date.now() > deadline) throw failure;
    await delay(LOOK_AGAIN_MS);
  }
}
