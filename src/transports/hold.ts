import { setTimeout as delay } from 'node:timers/promises';
import { CarillonError } from '../errors.ts';

/** Resolves when an error may be told: at once, but for refusals that are to be kept back. */
export async function hold(error: unknown): Promise<void> {
  if (error instanceof CarillonError && error.holdMs > 0) await delay(error.holdMs, undefined, { ref: false });
}
