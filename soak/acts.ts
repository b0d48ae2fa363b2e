import { mistake, session, stranger } from './logins.ts';
import * as reading from './reading.ts';
import { sendGraphQL, sendOutside, sendRest } from './sending.ts';
import type { Act, Town } from './town.ts';

/** What people do, and how often: out of the sum. */
const ACTS: readonly (readonly [number, Act])[] = [
  [240, sendGraphQL],
  [120, sendRest],
  [10, sendOutside],
  [120, reading.list],
  [60, reading.listRest],
  [60, reading.lookAround],
  [60, reading.markRead],
  [40, reading.markMany],
  [20, reading.markUnread],
  [20, reading.markAll],
  [60, reading.removeRest],
  [20, reading.recall],
  [60, reading.tidy],
  [20, reading.type],
  // A password hash takes more than all the rest of a request.
  [5, session],
  [5, stranger],
  [10, mistake],
];

const SUM = ACTS.reduce((sum, [weight]) => sum + weight, 0);

/** One act of somebody. What is not answered at all is written down like what is answered wrongly. */
export async function anyAct(town: Town): Promise<void> {
  town.acts += 1;
  let at = town.random.between(0, SUM);
  const [, act] = ACTS.find(([weight]) => (at -= weight) < 0) ?? ACTS[0]!;
  try {
    await act(town);
  } catch (error) {
    town.surprise(`${act.name || 'an act'}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
